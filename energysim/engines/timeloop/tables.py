"""The ERT and ART: energy per action (pJ) and area (um^2) of every component, by the component's plain name."""

from __future__ import annotations

from energysim.engines.timeloop.levels import split_range
from energysim.engines.timeloop.yaml_nodes import Cursor


def read_ert(ert: Cursor) -> dict[str, dict[str, float]]:
    """component -> action -> pJ per action. Raises SpecError for a negative or missing energy."""
    ert.only(("version", "tables"))
    result: dict[str, dict[str, float]] = {}
    for table in ert.need("tables"):
        table.only(("name", "actions"))
        actions: dict[str, float] = {}
        for action in table.need("actions"):
            action.only(("name", "arguments", "energy"))
            # A table may list one action for several arguments; Timeloop, too, takes the dearest of them.
            name, energy_pj = action.need("name").text(), action.need("energy").number(minimum=0)
            actions[name] = max(energy_pj, actions.get(name, 0.0))
        result[_component(table)] = actions
    return result


def read_art(art: Cursor) -> dict[str, float]:
    """component -> area in um^2."""
    art.only(("version", "tables"))
    return {_component(table): table.need("area").number(minimum=0) for table in art.need("tables")}


def _component(table: Cursor) -> str:
    """``system.PE[1..4].RF[1..64]`` -> ``RF``. Only the last part counts; dots inside a range do not split."""
    name = table.need("name")
    last = name.text().replace("..", "\0").rsplit(".", 1)[-1].replace("\0", "..")
    parsed = split_range(last)
    if parsed is None:
        name.fail(f"cannot read the component {name.text()!r}", hint="for example system.RF[1..64]")
    return parsed[0]
