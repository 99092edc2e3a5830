"""An architecture as Timeloop's `architecture` key: the native tree, and the v0.4 nodes of its front end."""

from __future__ import annotations

from energysim.engines.timeloop.layout import Dummy, Layout, Storage, Units, instances
from energysim.yaml_text import Document, Quoted, Tagged

_CLASSES = {"dram": "DRAM", "sram": "smartbuffer_SRAM", "cache": "smartbuffer_SRAM", "regfile": "smartbuffer_RF"}


def architecture_yaml(layout: Layout) -> Document:
    """``{"architecture": ...}`` as `timeloop-model` and `timeloop-mapper` read it: one list of levels.

    ``meshX`` and ``meshY`` are instances of the whole chip, so a fan-out is the ratio of two neighbours.
    """
    local: list[dict[str, object]] = []
    for level in layout.levels:
        mesh = {"meshX": level.mesh_x, "meshY": level.mesh_y}
        attributes = {**_attributes(level), **mesh}
        component = {"name": instances(level), "class": class_name(level), "attributes": attributes}
        local.append({**component, **_actions(level)})
    system = {"name": layout.system, "attributes": _system(layout), "local": local}
    return {"architecture": {"version": 0.4, "subtree": [system]}}


def nodes_yaml(layout: Layout) -> Document:
    """``{"architecture": ...}`` as v0.4 nodes with tags, which Timeloop's Python front end reads."""
    system: Document = {"name": layout.system.removesuffix("_top_level"), "attributes": _system(layout)}
    nodes: list[Tagged] = [Tagged("!Container", system)]
    for level in layout.levels:
        if isinstance(level, Dummy):
            name = level.name.removeprefix("inter_").removesuffix("_spatial")
            taken = {other.name for other in layout.levels}
            spatial = {"meshX": level.x, "meshY": level.y}
            nodes.append(Tagged("!Container", {"name": f"{name}_array" if name in taken else name, "spatial": spatial}))
        else:
            component = {"name": level.name, "class": class_name(level), "attributes": _attributes(level)}
            nodes.append(Tagged("!Component", {**component, **_actions(level)}))
    return {"architecture": {"version": 0.4, "nodes": nodes}}


def class_name(level: Storage | Dummy | Units) -> str:
    """The class of a level, from which Timeloop tells DRAM and Accelergy its estimator."""
    if isinstance(level, Dummy):
        return "dummy_storage"
    if isinstance(level, Units):
        return "fpmac" if level.compute.kind == "float" else "intmac"
    return _CLASSES[level.memory.kind]


def _actions(level: Storage | Dummy | Units) -> dict[str, list[str]]:
    """What Accelergy must estimate; without it a class of its own (DRAM) gets no energies at all."""
    if isinstance(level, Dummy):
        return {}
    return {
        "required_actions": ["compute", "leak"] if isinstance(level, Units) else ["read", "write", "update", "leak"]
    }


def _system(layout: Layout) -> dict[str, object]:
    node = layout.arch.technology_nm
    attributes: dict[str, object] = {} if node is None else {"technology": Quoted(f"{node:g}nm")}
    # 16 digits: the reciprocal of the clock that is read back is the clock.
    return {**attributes, "global_cycle_seconds": 1.0 / layout.arch.clock_hz}


def _attributes(level: Storage | Dummy | Units) -> dict[str, object]:
    if isinstance(level, Dummy):
        return {"width": 1, "depth": 1, "datawidth": 1, "technology": -1}
    if isinstance(level, Units):
        bits = level.compute.bits
        return {"multiplier_width": bits, "adder_width": 2 * bits, "datawidth": bits}
    memory = level.memory
    found: dict[str, object] = {} if memory.technology is None else {"type": Quoted(memory.technology)}
    found |= {"width": level.block_words * level.word_bits, "datawidth": level.word_bits, "cluster_size": 1}
    if level.words is not None:
        rows, rest = divmod(level.words, level.block_words)
        found |= {"entries": level.words} if rest else {"depth": rows}
    found |= {"n_banks": memory.banks, "multiple_buffering": memory.multiple_buffering, "reduction_supported": True}
    for key in ("read_bandwidth", "write_bandwidth", "shared_bandwidth"):
        bits_per_cycle = getattr(memory, key)
        if bits_per_cycle is not None:
            found[key] = bits_per_cycle / level.word_bits
    return found
