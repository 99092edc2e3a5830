"""Which word width a simulation has: what was asked for, what the network quantizes to, or the device's own."""

from __future__ import annotations

from energysim.arch.spec import ArchSpec
from energysim.errors import EnergySimError
from energysim.graph.layers import LayerGraph
from energysim.schedule.homes import map_memory
from energysim.units import whole_number

_LAYER_BY_LAYER = ("plain", "layerwise")


def word_width(arch: ArchSpec, bits: int | None, variant: str) -> int:
    """Bits of a word: the device's own, or those asked for. Raises UnitError for no width, EnergySimError where the
    memories that hold feature maps keep words of another one and the variant plans what they hold."""
    if bits is None:
        return arch.default_bits
    width = whole_number(bits, "word width in bits", 64)
    for memory in (arch.memories[0], map_memory(arch)):
        if memory is not None and memory.word_bits not in (None, width) and variant not in _LAYER_BY_LAYER:
            raise EnergySimError(
                f"{arch.name!r} keeps words of {memory.word_bits} bits in {memory.name!r}, whatever they hold, and the "
                f"variant {variant!r} plans its buffers with words of {width}",
                hint="plain and layerwise take any width; leave it out, or describe a device without word_bits there",
            )
    return width


def with_widths(graph: LayerGraph, arch: ArchSpec, bits: int | None, variant: str) -> tuple[LayerGraph, int]:
    """The graph to simulate, and the width of the words whose width it leaves open.

    ``bits`` given hold for all tensors. A network that quantizes all that it moves to one width has that width; one of
    mixed widths has the device's where it leaves a width open, and is simulated layer by layer only (EnergySimError for
    other variants).
    """
    if bits is not None:
        return graph.with_open_widths(), word_width(arch, bits, variant)
    fixed = sorted(width for width in graph.widths if width is not None)
    if len(graph.widths) == 1:
        return graph, fixed[0] if fixed else arch.default_bits
    if variant not in _LAYER_BY_LAYER:
        widths = ", ".join([*map(str, fixed), *(["as the device has"] if None in graph.widths else [])])
        raise EnergySimError(
            f"{graph.name!r} has tensors of different word widths ({widths}), and the variant {variant!r} plans its "
            "buffers with one",
            hint="plain and layerwise take mixed widths; --bits gives all tensors one",
        )
    return graph, arch.default_bits
