"""The golden cases as the files that were given to Timeloop, made from the recorded numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import loader

from energysim.yaml_text import Quoted, dump

_NOT_ATTRIBUTES = ("name", "class", "pj")


def architecture(name: str) -> dict[str, Any]:
    """The native tree: every level with its recorded attributes."""
    local = []
    for level in loader.arch_numbers()[name]:
        attributes = {key: value for key, value in level.items() if key not in _NOT_ATTRIBUTES}
        count = level["meshX"] * level["meshY"]
        local.append({"name": f"{level['name']}[1..{count}]", "class": level["class"], "attributes": attributes})
    system = {"technology": Quoted("45nm"), "global_cycle_seconds": 1e-9}
    tree = {"name": "system_top_level", "attributes": system, "local": local}
    return {"architecture": {"version": 0.4, "subtree": [tree]}}


def ert(name: str) -> dict[str, Any]:
    tables = []
    for level in loader.arch_numbers()[name]:
        if "pj" in level:
            actions = [{"name": action, "energy": pj} for action, pj in level["pj"].items()]
            full = f"system_top_level.{level['name']}[1..{level['meshX'] * level['meshY']}]"
            tables.append({"name": full, "actions": actions})
    return {"ERT": {"version": 0.4, "tables": tables}}


def problem(case: dict[str, Any]) -> dict[str, Any]:
    """Shape with upstream's coefficient names, instance with their recorded values."""
    names = {"P": "Wstride", "Q": "Hstride", "R": "Wdilation", "S": "Hdilation"}
    instance = dict(case["dims"])
    spaces = []
    for tensor, ranks in case["tensors"].items():
        projection = []
        for rank in ranks:
            slides = len(rank) > 1
            projection.append([[dim, names[dim]] if slides else [dim] for dim, _ in rank])
            instance |= {names[dim]: value for dim, value in rank if slides}
        spaces.append({"name": tensor, "projection": projection, "read_write": tensor == case["output"]})
    coefficients = [{"name": name, "default": 1} for name in names.values()]
    shape = {"name": "conv2D", "dimensions": list(case["dims"]), "coefficients": coefficients, "data_spaces": spaces}
    return {"problem": {"version": 0.4, "shape": shape, "instance": instance}}


def write(case: dict[str, Any], directory: Path) -> list[Path]:
    """Architecture, ERT, problem and mapping of a case as four files."""
    documents = {
        "arch": architecture(case["arch"]),
        "ert": ert(case["arch"]),
        "layer": problem(case),
        "mapping": {"mapping": case["mapping"]},
    }
    paths = []
    for name, document in documents.items():
        paths.append(directory / f"{name}.yaml")
        paths[-1].write_text(dump(document))
    return paths
