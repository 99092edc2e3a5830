"""Timeloop's golden cases as this project's values: problem, architecture and mapping, built from the copied numbers.

`timeloop_cases.json.gz` and `timeloop_archs.json` hold numbers measured with the real Timeloop and Accelergy; they are
expected values and never edited.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from energysim.arch.spec import ArchSpec, Array, Axis, Compute, Memory
from energysim.graph.problem import Rank, Role, Tensor, TensorProblem
from energysim.mapping.nest import Loop, Mapping

_HERE = Path(__file__).parent
_ROLES = {"Weights": Role.WEIGHTS, "Inputs": Role.IFMAP, "Outputs": Role.OFMAP}
ALL = frozenset({"Weights", "Inputs", "Outputs"})


@cache
def cases() -> dict[str, dict[str, Any]]:
    data = json.loads(gzip.decompress((_HERE / "timeloop_cases.json.gz").read_bytes()))
    return {case["id"]: case for case in data}


@cache
def arch_numbers() -> dict[str, list[dict[str, Any]]]:
    numbers: dict[str, list[dict[str, Any]]] = json.loads((_HERE / "timeloop_archs.json").read_text())
    return numbers


@cache
def arch(name: str, shared: bool = True) -> ArchSpec:
    """``shared=False``: arrays without multicast and reduction."""
    numbers = arch_numbers()[name]
    nodes: list[Memory | Array | Compute] = []
    for index, level in enumerate(numbers):
        if index == len(numbers) - 1:
            nodes.append(Compute(level["name"], "int", level.get("datawidth", 8)))
        elif level["class"] == "dummy_storage":
            child = numbers[index + 1]
            x, y = child["meshX"] // level["meshX"], child["meshY"] // level["meshY"]
            nodes.append(Array(level["name"], x, y, multicast=shared, reduction=shared))
        else:
            bits = level["datawidth"]
            bandwidths = {
                key: level[key] * bits
                for key in ("read_bandwidth", "write_bandwidth", "shared_bandwidth")
                if key in level
            }
            nodes.append(
                Memory(
                    name=level["name"],
                    kind="dram" if level["class"] == "DRAM" else "sram",
                    keep=frozenset(),
                    may_bypass=ALL,
                    capacity_bits=level["depth"] * level["width"] if "depth" in level else None,
                    word_bits=bits,
                    access_bits=level["width"],
                    multiple_buffering=level["multiple_buffering"],
                    **bandwidths,
                )
            )
    return ArchSpec(name, tuple(nodes), clock_hz=1e9)


def problem(case: dict[str, Any]) -> TensorProblem:
    tensors = tuple(
        Tensor(name, _ROLES[name], tuple(Rank(tuple((dim, c) for dim, c in rank)) for rank in ranks))
        for name, ranks in case["tensors"].items()
    )
    return TensorProblem(tuple(case["dims"].items()), tensors)


def mapping(case: dict[str, Any], spec: ArchSpec) -> Mapping:
    nodes = {node.name: index for index, node in enumerate(spec.nodes)}
    loops: list[Loop] = []
    kept = [ALL if isinstance(node, Memory) else frozenset() for node in spec.nodes]
    for directive in case["mapping"]:
        node = nodes[directive["target"]]
        if directive["type"] in ("bypass", "datatype"):
            if isinstance(spec.nodes[node], Memory):
                kept[node] = kept[node] - frozenset(directive.get("bypass", ()))
            continue
        factors = {}
        for factor in directive["factors"].split():
            dim, value = factor[0], factor[1:].removeprefix("=")
            bound, _, last = value.partition(",")
            factors[dim] = (int(bound), int(last or bound))
        here = []
        for position, dim in enumerate(directive["permutation"]):
            axis: Axis | None = None
            if directive["type"] == "spatial":
                axis = "x" if position < directive["split"] else "y"
            bound, last = factors.get(dim, (1, 1))
            if bound > 1:
                here.append(Loop(dim, bound, node, last, axis))
        loops.extend(reversed(here))
    loops.sort(key=lambda loop: loop.node)
    return Mapping(tuple(loops), tuple(kept))
