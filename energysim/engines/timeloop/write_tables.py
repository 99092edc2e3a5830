"""Energies and areas as Timeloop's `ERT` and `ART` keys, so that its totals rest on the same constants as ours."""

from __future__ import annotations

from collections.abc import Mapping

from energysim.energy import ActionEnergies
from energysim.engines.timeloop.layout import Layout, Storage, Units
from energysim.mapping.cost_model import CostModel
from energysim.yaml_text import Document

Actions = Mapping[str, Mapping[str, float]]
"""component -> action -> pJ, the form in which a read ERT comes too"""

_PICOJOULE = 1e-12


def actions_of(layout: Layout, energies: ActionEnergies) -> dict[str, dict[str, float]]:
    """pJ of every action: of one physical access, of one MAC, of one cycle's leakage of one instance.

    Where reads, writes and updates move different numbers of bits, each is stated for the level's own access: Timeloop
    has one access width per level.
    """
    clock_hz = layout.arch.clock_hz
    found: dict[str, dict[str, float]] = {}
    for level in layout.storages:
        costs = energies.memory(level.name)
        actions = {"read": costs.read, "write": costs.write, "update": costs.update}
        found[level.name] = {
            name: energy.pj.value * level.block_words / max(1, energy.bits // level.word_bits)
            for name, energy in actions.items()
        }
        leakage_w = costs.leakage_w
        found[level.name]["leak"] = 0.0 if leakage_w is None else leakage_w.value / _PICOJOULE / clock_hz
    bits = max((tensor.bits for tensor in layout.problem.inputs), default=layout.arch.compute.bits)
    leakage_w = energies.compute.leakage_w
    found[layout.units.name] = {
        "compute": energies.mac(bits).pj.value,
        "leak": 0.0 if leakage_w is None else leakage_w.value / _PICOJOULE / clock_hz,
    }
    return found


def actions_of_costs(layout: Layout, costs: CostModel) -> dict[str, dict[str, float]]:
    """The same from what a search minimizes. Leakage, which it knows only as a sum, leaks at the outermost memory
    (there is one of it).

    Timeloop has one energy per level and action: where tensors cost differently (a tensor of which only a share comes
    from DRAM) the dearest one counts, so that the search sees an upper bound.
    """
    found: dict[str, dict[str, float]] = {}
    for position, level in enumerate(layout.storages):
        accesses = [
            access
            for access, tensor in zip(costs.accesses[level.node], layout.problem.tensors, strict=True)
            if level.memory.holds(tensor.name, tensor.role)
        ]
        actions: dict[str, float] = {}
        for name in ("read", "write", "update"):
            each = [getattr(access, name) for access in accesses]
            actions[name] = max((cost.pj * level.block_words / max(1, int(cost.words)) for cost in each), default=0.0)
        found[level.name] = {**actions, "leak": 0.0 if position else costs.leak_pj_per_cycle}
    found[layout.units.name] = {"compute": costs.mac_pj, "leak": 0.0}
    return found


def ert_yaml(layout: Layout, actions: Actions) -> Document:
    """``{"ERT": ...}``; pJ per action of one instance. Raises KeyError for a level without actions."""
    tables: list[dict[str, object]] = []
    levels: tuple[Storage | Units, ...] = (*layout.storages, layout.units)
    for level in levels:
        rows = [{"name": name, "arguments": {}, "energy": energy_pj} for name, energy_pj in actions[level.name].items()]
        tables.append({"name": layout.component(level), "actions": rows})
    return {"ERT": {"version": 0.4, "tables": tables}}


def art_yaml(layout: Layout, areas_um2: Mapping[str, float] | None = None) -> Document:
    """``{"ART": ...}``; um^2 per instance, 0 where none is known: with an ERT Timeloop asks for an ART too."""
    areas = areas_um2 or {}
    tables: list[dict[str, object]] = []
    for level in layout.levels:
        default = 0.0 if isinstance(level, Storage) or level is layout.units else 1.0
        tables.append({"name": layout.component(level), "area": areas.get(level.name, default)})
    return {"ART": {"version": 0.4, "tables": tables}}
