"""Which word width a simulation has: what was asked for, what the network quantizes to, or the device's own."""

from __future__ import annotations

from energysim.arch.spec import ArchSpec
from energysim.errors import EnergySimError
from energysim.graph.layers import LayerGraph

_TAKES_MIXED = ("plain", "layerwise")


def with_widths(graph: LayerGraph, arch: ArchSpec, bits: int | None, variant: str) -> tuple[LayerGraph, int]:
    """The graph to simulate, and the width of the words whose width it leaves open.

    ``bits`` given hold for all tensors. A network that quantizes all that it moves to one width has that width; one of
    mixed widths has the device's where it leaves a width open, and is simulated layer by layer only (EnergySimError for
    other variants).
    """
    if bits is not None:
        return graph.with_open_widths(), bits
    fixed = sorted(width for width in graph.widths if width is not None)
    if len(graph.widths) == 1:
        return graph, fixed[0] if fixed else arch.default_bits
    if variant not in _TAKES_MIXED:
        widths = ", ".join([*map(str, fixed), *(["as the device has"] if None in graph.widths else [])])
        raise EnergySimError(
            f"{graph.name!r} has tensors of different word widths ({widths}), and the variant {variant!r} plans its "
            "buffers with one",
            hint="plain and layerwise take mixed widths; --bits gives all tensors one",
        )
    return graph, arch.default_bits
