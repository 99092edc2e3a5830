"""Layer graphs of programs that torch.export saved (``.pt2``)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from energysim.errors import Location, TraceError
from energysim.graph.layers import LayerGraph
from energysim.graph.trace import graph_of_exported, trace


def load_pt2(path: Path) -> tuple[ExportedProgram, tuple[tuple[tuple[int, ...], str], ...]]:
    """The program, and (shape, type) of each tensor of its example input. Raises TraceError for any other file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.load(path)
    except Exception as error:
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise TraceError(
            f"not a torch.export program: {reason[0]}", where=Location(str(path)), hint="torch.export.save makes one"
        ) from error
    args, kwargs = program.example_inputs or ((), {})
    flat = torch.utils._pytree.tree_leaves((args, kwargs))
    tensors = [item for item in flat if isinstance(item, torch.Tensor)]
    return program, tuple((tuple(item.shape), str(item.dtype).removeprefix("torch.")) for item in tensors)


def pt2_graph(program: ExportedProgram, name: str, inputs: tuple[Any, ...] | None) -> LayerGraph:
    """The layer graph for the program's own example input, or for others, which its open sizes have to admit.

    Raises TraceError where they do not.
    """
    if inputs is None:
        return graph_of_exported(program, name)
    try:
        return trace(program.module(), inputs, name=name)
    except TraceError as error:
        raise TraceError(
            f"the exported program does not take this input: {error.what}",
            hint="export it with dynamic_shapes, or leave --input and --batch as exported",
        ) from error
