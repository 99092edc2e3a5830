"""A layer graph of problems that are written out: independent layers, each with its own input and result."""

from __future__ import annotations

from collections.abc import Sequence

from energysim.graph.layers import Edge, Layer, LayerGraph, LayerKind, TensorKind, Window
from energysim.graph.problem import Rank, Tensor, TensorProblem
from energysim.graph.problems import Operand, convolution_problem

_NOTE = "layers are given as problems: each reads its ifmap from and writes its ofmap to main memory"
_PARTS = {"weights": "GKCRS", "ofmap": "NGKPQ", "ifmap": "NGC"}
_Shapes = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


def explicit_graph(name: str, problems: Sequence[tuple[str, TensorProblem]]) -> LayerGraph:
    """``problems``: (layer, problem with the tensors weights, ifmap and ofmap).

    One that is a convolution or a matrix product becomes the layer that a traced one would be, so that every variant
    can run it; any other is mapped on its own.
    """
    layers: list[Layer] = []
    edges: dict[str, Edge] = {}
    for layer, problem in problems:
        op, found, window, shapes = _recognized(problem) or ("einsum", problem, None, _shapes(problem))
        names = tuple(f"{layer}.{tensor}" for tensor in ("weights", "ifmap", "ofmap"))
        kinds = (TensorKind.PARAMETER, TensorKind.INPUT, TensorKind.OUTPUT)
        for edge, kind, shape in zip(names, kinds, shapes, strict=True):
            edges[edge] = Edge(edge, shape, kind, edge)
        weights, ifmap, ofmap = names
        layers.append(
            Layer(
                name=layer,
                op=op,
                kind=LayerKind.MAC,
                inputs=(ifmap,),
                outputs=(ofmap,),
                parameters=(weights,),
                problem=found,
                operands=(("weights", weights), ("ifmap", ifmap), ("ofmap", ofmap)),
                window=window,
            )
        )
    inputs, outputs = tuple(x.inputs[0] for x in layers), tuple(x.outputs[0] for x in layers)
    parameters = sum(edges[layer.parameters[0]].words for layer in layers)
    return LayerGraph(name, tuple(layers), edges, inputs, outputs, parameters, notes=(_NOTE,))


def _recognized(problem: TensorProblem) -> tuple[str, TensorProblem, Window | None, _Shapes] | None:
    """A 2-d convolution, or a matrix product where there is neither plane nor kernel; None for anything else."""
    planes = [_axis(problem, position, tap) for position, tap in ("PR", "QS")]
    plain = {
        tensor.name: [rank for rank in tensor.ranks if not {dim for dim, _ in rank.terms} & set("PQRS")]
        if tensor.name == "ifmap"
        else list(tensor.ranks)
        for tensor in problem.tensors
    }
    if None in planes or not all(_is_plain(problem, problem.tensor(name), ranks) for name, ranks in plain.items()):
        return None
    rows, columns = (plane for plane in planes if plane is not None)
    bound = dict.fromkeys("GNKCPQRS", 1) | problem.bounds
    strides, dilations = (rows[0], columns[0]), (rows[1], columns[1])
    kernel, plane = (bound["R"], bound["S"]), (bound["P"], bound["Q"])
    size = tuple(
        _extent(axis[2], p, r, stride, hole)
        for axis, p, r, stride, hole in zip((rows, columns), plane, kernel, strides, dilations, strict=True)
    )
    before = tuple(0 if axis[2] is None or axis[2].extent is None else -axis[2].offset for axis in (rows, columns))
    weights, ifmap, ofmap = (problem.tensor(name) for name in ("weights", "ifmap", "ofmap"))
    whole = convolution_problem(
        batch=bound["N"],
        groups=bound["G"],
        out_channels=bound["G"] * bound["K"],
        in_channels=bound["G"] * bound["C"],
        in_size=size,
        out_size=plane,
        kernel=kernel,
        stride=strides,
        padding_before=before,
        dilation=dilations,
        weights=Operand(weights.bits, weights.is_parameter),
        ifmap=Operand(ifmap.bits),
        ofmap=Operand(ofmap.bits),
    )
    channels, filters = bound["G"] * bound["C"], bound["G"] * bound["K"]
    if not set(problem.bounds) & set("PQRS"):
        shapes = (filters, bound["C"]), (bound["N"], channels), (bound["N"], filters)
        return "linear", whole, None, shapes
    after = tuple(
        max(0, stride * (p - 1) + hole * (r - 1) + 1 - pad - n)
        for stride, p, hole, r, pad, n in zip(strides, plane, dilations, kernel, before, size, strict=True)
    )
    window = Window(kernel, strides, tuple(zip(before, after, strict=True)), dilations)
    shapes_2d = (filters, bound["C"], *kernel), (bound["N"], channels, *size), (bound["N"], filters, *plane)
    return "conv2d", whole, window, shapes_2d


def _axis(problem: TensorProblem, position: str, tap: str) -> tuple[int, int, Rank | None] | None:
    """(stride, dilation, rank) of an ifmap axis; (1, 1, None) where there is none; None where it is no window."""
    found = [rank for rank in problem.tensor("ifmap").ranks if {position, tap} & {dim for dim, _ in rank.terms}]
    if not found:
        return None if {position, tap} & set(problem.bounds) else (1, 1, None)
    terms = dict(found[0].terms)
    if len(found) > 1 or set(terms) - {position, tap} or found[0].offset > 0:
        return None
    return terms.get(position, 1), terms.get(tap, 1), found[0]


def _is_plain(problem: TensorProblem, tensor: Tensor, ranks: Sequence[Rank]) -> bool:
    """Whether the axes are exactly the dimensions of the tensor's part, one each."""
    expected = {dim for dim in _PARTS[tensor.name] if dim in problem.bounds}
    simple = all(len(rank.terms) == 1 and rank.terms[0][1] == 1 and not rank.offset for rank in ranks)
    return (
        simple and all(rank.extent is None for rank in ranks) and {dim for r in ranks for dim, _ in r.terms} == expected
    )


def _extent(rank: Rank | None, position: int, tap: int, stride: int, dilation: int) -> int:
    """Elements of the axis: stated, or all that the loops reach."""
    if rank is not None and rank.extent is not None:
        return rank.extent
    return stride * (position - 1) + dilation * (tap - 1) + 1


def _shapes(problem: TensorProblem) -> _Shapes:
    def size(rank: Rank) -> int:
        reach = 1 + sum(coefficient * (problem.bounds[dim] - 1) for dim, coefficient in rank.terms)
        return reach if rank.extent is None else rank.extent

    weights, ifmap, ofmap = (
        tuple(size(rank) for rank in problem.tensor(name).ranks) for name in ("weights", "ifmap", "ofmap")
    )
    return weights, ifmap, ofmap
