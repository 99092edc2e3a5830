"""What running a stack moved and computed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from energysim.schedule.values import Stack


@dataclass
class StackTrace:
    """Words and MACs of the whole batch.

    ``loaded`` and ``stored`` by feature map, ``weights`` by layer, ``macs`` by layer with recomputed halos;
    ``layer_loads`` and ``layer_stores``: the words of feature maps by the layer that first reads or that makes them.
    ``peak_words``: the most feature-map words on chip at once (of one image; weights come on top).
    """

    stack: Stack
    loaded: Counter[str] = field(default_factory=Counter)
    stored: Counter[str] = field(default_factory=Counter)
    weights: Counter[str] = field(default_factory=Counter)
    macs: Counter[str] = field(default_factory=Counter)
    layer_loads: Counter[str] = field(default_factory=Counter)
    layer_stores: Counter[str] = field(default_factory=Counter)
    peak_words: int = 0

    def of_one_layer(self) -> None:
        """Everything moved is the only layer's."""
        (layer,) = self.stack.layers
        self.layer_loads = Counter({layer: self.loaded.total()})
        self.layer_stores = Counter({layer: self.stored.total()})
