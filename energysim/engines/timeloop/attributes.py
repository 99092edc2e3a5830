"""Attributes of one level into a Memory or a Compute: the spellings of Timeloop v0.4 and of the years before it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from energysim.arch.sourced import Sourced
from energysim.arch.spec import Compute, Energy, Memory
from energysim.engines.timeloop.levels import Level
from energysim.engines.timeloop.problem import DEFAULT_WORD_BITS
from energysim.engines.timeloop.yaml_nodes import Cursor
from energysim.errors import did_you_mean

_WORD = ("word_bits", "word-bits", "word_width", "datawidth")
_BLOCK = ("block_size", "block-size", "n_words")
_CLUSTER = ("cluster_size", "cluster-size")
_WIDTH = ("width", "memory_width", "data_storage_width")
_DEPTH = ("depth", "memory_depth", "data_storage_depth")
_BANKS = ("n_banks", "num_banks", "num-banks")
_BANDWIDTHS = ("read_bandwidth", "write_bandwidth", "shared_bandwidth", "bandwidth")
_OTHERS = ("entries", "sizeKB", "multiple_buffering", "meshX", "meshY", "instances", "technology")
# Inputs of the energy and area estimators, and bookkeeping of the front end: no effect on counts.
_ESTIMATOR_ONLY = (
    "type", "global_cycle_seconds", "cycle_seconds", "version", "latency", "n_rdwr_ports", "n_rd_ports", "n_wr_ports",
    "n_rw_ports", "num_ports", "n_ports", "update_fifo_depth", "power_gated_at", "multiplier_width", "adder_width",
    "subclass", "area_scale", "energy_scale", "addr_gen_bits", "size",
)  # fmt: skip
# Switches that change counts in a way that has no counterpart here; their values that mean "off" are accepted.
_UNREPRESENTABLE = {
    "per_dataspace_bandwidth_consumption_scale": "a bandwidth that differs by data space",
    "allow_overbooking": "overbooked buffers",
    "concordant_compressed_tile_traversal": "compressed tiles",
    "tile_partition_supported": "partitioned tiles",
    "decompression_supported": "compressed data",
    "compression_supported": "compressed data",
    "metadata_storage_width": "metadata storage",
    "metadata_storage_depth": "metadata storage",
    "metadata_datawidth": "metadata storage",
    "metadata_block_size": "metadata storage",
    "network_fill_latency": "a network latency",
    "network_drain_latency": "a network latency",
    "vector_access_energy": "an access energy among the attributes (give an ERT)",
    "min_utilization": "a least share of the memory that tiles must fill",
}
_KNOWN = (*_WORD, *_BLOCK, *_CLUSTER, *_WIDTH, *_DEPTH, *_BANKS, *_BANDWIDTHS, *_OTHERS, *_ESTIMATOR_ONLY)
_FRONT_END_BANKS = 2
_PICOJOULE = 1e-12


def first(attributes: Mapping[str, Cursor], names: tuple[str, ...]) -> Cursor | None:
    return next((attributes[name] for name in names if name in attributes), None)


def technology_nm(cursor: Cursor | None) -> float | None:
    """``"45nm"`` -> 45.0; None for anything that is no node (the class "DRAM", the dummies' -1)."""
    match = None if cursor is None else re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:nm)?\s*", str(cursor.value))
    return None if match is None else float(match[1])


def read_memory(
    level: Level, actions: Mapping[str, float] | None, source: str, clock_hz: float, warnings: list[str]
) -> Memory:
    """A memory without its constraints. ``actions``: its row of the ERT, pJ per action (None: no ERT).

    One access moves ``block_size`` words: width / (datawidth * cluster_size), Timeloop's definition.
    """
    attributes = level.attributes
    _check(level, warnings)
    word_bits = _integer(attributes, _WORD, DEFAULT_WORD_BITS)
    block = _block_words(level, word_bits)
    access_bits = block * word_bits

    def energy(action: str) -> Energy | None:
        value = None if actions is None else actions.get(action)
        return None if value is None else Energy(_given(value, source), access_bits)

    leak = None if actions is None else actions.get("leak")
    kind = _kind(level.class_name)
    part = attributes.get("type")
    buffering = attributes.get("multiple_buffering")
    read, write, shared = _bandwidths(attributes, word_bits)
    return Memory(
        name=level.name,
        kind=kind,
        keep=frozenset(),
        capacity_bits=_capacity_bits(level, word_bits, block),
        word_bits=word_bits,
        access_bits=access_bits,
        banks=_integer(attributes, _BANKS, _FRONT_END_BANKS),
        read_bandwidth=read,
        write_bandwidth=write,
        shared_bandwidth=shared,
        multiple_buffering=1.0 if buffering is None else buffering.number(minimum=1),
        technology=part.text() if part is not None and kind == "dram" else None,
        read_energy=energy("read"),
        write_energy=energy("write"),
        update_energy=energy("update") or energy("write"),
        leakage_w=None if leak is None else _given(leak * _PICOJOULE * clock_hz, source),
    )


def read_compute(level: Level, actions: Mapping[str, float] | None, source: str, clock_hz: float) -> Compute:
    """The compute unit. Its operand width is that of the multiplier (or the data width)."""
    attributes = level.attributes
    bits = _integer(attributes, ("multiplier_width", *_WORD, "width"), DEFAULT_WORD_BITS)
    actions = actions or {}
    energy = next((actions[name] for name in ("compute", "mac_random", "mac", "op") if name in actions), None)
    leak = actions.get("leak")
    return Compute(
        name=level.name,
        kind="float" if re.search(r"fp|float", level.class_name.lower()) else "int",
        bits=bits,
        mac_energy=None if energy is None else Energy(_given(energy, source), bits),
        leakage_w=None if leak is None else _given(leak * _PICOJOULE * clock_hz, source),
    )


def _given(value: float, source: str) -> Sourced:
    return Sourced(value, value, value, source)


def _integer(attributes: Mapping[str, Cursor], names: tuple[str, ...], default: int) -> int:
    cursor = first(attributes, names)
    return default if cursor is None else cursor.integer(minimum=1)


def _kind(class_name: str) -> str:
    lowered = class_name.lower()
    if "dram" in lowered:
        return "dram"
    if "sram" in lowered:
        return "sram"
    if "cache" in lowered:
        return "cache"
    return "regfile" if re.search(r"reg|rf(?![a-z])", lowered) else "sram"


def _block_words(level: Level, word_bits: int) -> int:
    attributes = level.attributes
    width, block, cluster = first(attributes, _WIDTH), first(attributes, _BLOCK), first(attributes, _CLUSTER)
    if width is None:
        return 1 if block is None else block.integer(minimum=1)
    bits = width.integer(minimum=1)
    clusters = 1 if cluster is None else cluster.integer(minimum=1)
    words = bits // (word_bits * clusters) if block is None else block.integer(minimum=1)
    too_narrow = words < 1 or bits % (words * word_bits)
    # A block size alone leaves the cluster size open, and the front end's default of 1 is no statement.
    if too_narrow or ((block is None or clusters > 1) and words * word_bits * clusters != bits):
        width.fail(
            f"the width of {level.name}, {bits} bits, is not a whole number of words: "
            f"{words} words x {word_bits} bits x cluster size {clusters} = {words * word_bits * clusters}"
        )
    return words


def _capacity_bits(level: Level, word_bits: int, block: int) -> int | None:
    attributes = level.attributes
    depth, entries, kilobytes = first(attributes, _DEPTH), attributes.get("entries"), attributes.get("sizeKB")
    given = [cursor for cursor in (depth, entries, kilobytes) if cursor is not None]
    if len(given) > 1:
        given[1].fail(f"{level.name} states its size twice", hint="give one of depth, entries, sizeKB")
    if entries is not None:
        return entries.integer(minimum=1) * word_bits
    if depth is not None:
        return depth.integer(minimum=1) * block * word_bits
    return None if kilobytes is None else int(kilobytes.number(minimum=0) * 1024 * 8)


def _bandwidths(attributes: Mapping[str, Cursor], word_bits: int) -> tuple[float | None, float | None, float | None]:
    """Words per cycle in the file, bits per cycle here. The old `bandwidth` is split evenly, as Timeloop does."""

    def bits(name: str) -> float | None:
        cursor = attributes.get(name)
        return None if cursor is None else cursor.number(minimum=0) * word_bits

    both = bits("bandwidth")
    half = None if both is None else both / 2
    read, write = bits("read_bandwidth"), bits("write_bandwidth")
    return (half if read is None else read), (half if write is None else write), bits("shared_bandwidth")


def _check(level: Level, warnings: list[str]) -> None:
    """Raises for switches that change counts and are on; warns of names that Timeloop would pass over in silence."""
    for name, cursor in level.attributes.items():
        if name in _UNREPRESENTABLE:
            if cursor.value and str(cursor.value).lower() not in ("false", "0", "none", "uncompressed"):
                cursor.fail(f"{name} of {level.name} cannot be represented: {_UNREPRESENTABLE[name]}")
        elif name == "reduction_supported":
            if not cursor.boolean():
                cursor.fail(f"{level.name} cannot add partial sums (reduction_supported: false): not representable")
        elif name == "has_power_gating":
            if cursor.boolean():
                warnings.append(f"{cursor.where}: power gating is not modelled; instances in use leak all the time")
        elif name.startswith("network_"):
            warnings.append(f"{cursor.where}: networks are not modelled: ignored")
        elif name not in _KNOWN and cursor.key.startswith(level.cursor.key):
            hint = did_you_mean(name, _KNOWN)
            warnings.append(
                f"{cursor.where}: the attribute {name!r} of {level.name} is not known: ignored"
                + (f" ({hint})" if hint else "")
            )
