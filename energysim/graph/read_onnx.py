"""Layer graphs of ONNX files, through the same operator table as PyTorch's. Needs the extra ``onnx``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from energysim.errors import Location, TraceError, UnavailableError
from energysim.graph.build import build_graph
from energysim.graph.ir import Call, Value
from energysim.graph.layers import LayerGraph, TensorKind
from energysim.graph.onnx_ops import Node, calls_of

_LARGEST_LITERAL = 64  # elements; longer constants are data, not pads or axes


def onnx_inputs(path: Path, batch: int) -> tuple[tuple[tuple[int, ...], str], ...]:
    """(shape, type) of each input; an open first axis is ``batch``. Raises TraceError for another open axis."""
    found = []
    for info in _graph_inputs(_load(path).graph):
        tensor = info.type.tensor_type
        sizes = [dim.dim_value if dim.HasField("dim_value") else 0 for dim in tensor.shape.dim]
        if sizes and sizes[0] == 0:
            sizes[0] = batch
        if 0 in sizes:
            names = "x".join(
                str(size) if size else (dim.dim_param or "?") for size, dim in zip(sizes, tensor.shape.dim, strict=True)
            )
            raise TraceError(
                f"input {info.name!r} has the open shape {names}",
                where=Location(str(path)),
                hint="give --input, for example 1x3x224x224",
            )
        found.append((tuple(sizes), _dtype(tensor.elem_type)))
    return tuple(found)


def onnx_graph(path: Path, shapes: Sequence[Sequence[int]]) -> LayerGraph:
    """The layer graph of an ONNX file for inputs of the given shapes.

    Raises UnavailableError without the package onnx, TraceError for a damaged file or inputs that do not fit.
    """
    model = _load(path)
    inputs = _graph_inputs(model.graph)
    if len(shapes) != len(inputs):
        names = ", ".join(info.name for info in inputs)
        raise TraceError(
            f"{len(shapes)} inputs for the {len(inputs)} of this network ({names})", where=Location(str(path))
        )
    before = [_static_shape(info) for info in inputs]
    # What the file declares holds for the inputs that it declares; it serves where inference finds nothing.
    unchanged = before == [tuple(shape) for shape in shapes]
    declared = _shapes((*model.graph.value_info, *model.graph.output)) if unchanged else {}
    for info, shape in zip(inputs, shapes, strict=True):
        _set_shape(info, shape, path)
    reader = _Reader(_inferred(model, path), path, shapes=declared)
    calls = reader.calls()
    parameters = sum(value.words for value in reader.values.values() if value.kind is TensorKind.PARAMETER)
    given = [reader.values[info.name] for info in inputs]
    results = [reader.value(output.name) for output in model.graph.output]
    return build_graph(path.stem, calls, given, results, parameters)


@dataclass
class _Reader:
    model: Any
    path: Path
    values: dict[str, Value] = field(default_factory=dict)
    shapes: dict[str, tuple[tuple[int, ...], int]] = field(default_factory=dict)
    literals: dict[str, list[Any]] = field(default_factory=dict)

    def calls(self) -> tuple[Call, ...]:
        graph = self.model.graph
        self.shapes.update(_shapes((*graph.value_info, *graph.output, *graph.input)))
        self._stored(graph)
        for info in _graph_inputs(graph):
            self.values[info.name] = Value(f"%{info.name}", *self.shapes[info.name], TensorKind.INPUT)
        return tuple(call for node in graph.node for call in self._node(node))

    def value(self, name: str) -> Value:
        """Raises TraceError where shape inference found no shape."""
        if name not in self.values:
            if name not in self.shapes:
                raise TraceError(
                    f"the shape of {name!r} cannot be inferred",
                    where=Location(str(self.path)),
                    hint="run onnx.shape_inference or onnxsim on the file first",
                )
            self.values[name] = Value(f"%{name}", *self.shapes[name])
        return self.values[name]

    def _stored(self, graph: Any) -> None:
        """Floating-point initializers are parameters; BatchNorm's statistics, single numbers and integers constants."""
        statistics = {name for node in graph.node if node.op_type == "BatchNormalization" for name in node.input[3:5]}
        for tensor in graph.initializer:
            shape = tuple(tensor.dims)
            trained = (
                shape and tensor.name not in statistics and _dtype(tensor.data_type).startswith(("float", "bfloat"))
            )
            kind = TensorKind.PARAMETER if trained else TensorKind.CONSTANT
            self.values[tensor.name] = Value(tensor.name, shape, _bits(tensor.data_type), kind)
            self._remember(tensor.name, tensor)

    def _remember(self, name: str, tensor: Any) -> None:
        from onnx import numpy_helper

        if prod(tensor.dims) <= _LARGEST_LITERAL and not tensor.external_data:
            self.literals[name] = numpy_helper.to_array(tensor).ravel().tolist()

    def _node(self, node: Any) -> Iterable[Call]:
        from onnx import helper

        attributes = {a.name: _text(helper.get_attribute_value(a)) for a in node.attribute}
        if node.op_type == "Constant":
            self._constant(node.output[0], attributes)
            return ()
        inputs = tuple(self.value(name) if name else None for name in node.input)
        outputs = tuple(self.value(name) for name in node.output if name)
        literals = {i: self.literals[name] for i, name in enumerate(node.input) if name in self.literals}
        return calls_of(Node(node.op_type, node.name, inputs, outputs, attributes, literals))

    def _constant(self, name: str, attributes: dict[str, Any]) -> None:
        tensor = attributes.get("value")
        if tensor is not None:
            self.values[name] = Value(f"%{name}", tuple(tensor.dims), _bits(tensor.data_type), TensorKind.CONSTANT)
            self._remember(name, tensor)
            return
        given = next(iter(attributes.values()))
        listed = given if isinstance(given, list) else [given]
        shape = (len(listed),) if isinstance(given, list) else ()
        self.values[name] = Value(f"%{name}", shape, 64 if isinstance(listed[0], int) else 32, TensorKind.CONSTANT)
        self.literals[name] = listed


def _load(path: Path) -> Any:
    try:
        import onnx
    except ImportError:
        raise UnavailableError(
            "reading ONNX needs the package onnx", hint="pip install 'energysim-edge[onnx]'"
        ) from None
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:
        raise TraceError(f"not an ONNX model: {error}", where=Location(str(path))) from error
    if not model.graph.node:
        raise TraceError("the ONNX model has no nodes", where=Location(str(path)))
    return model


def _graph_inputs(graph: Any) -> list[Any]:
    """Inputs proper: old files list initializers as inputs too."""
    stored = {tensor.name for tensor in graph.initializer}
    return [info for info in graph.input if info.name not in stored]


def _static_shape(info: Any) -> tuple[int, ...] | None:
    tensor = info.type.tensor_type
    if not tensor.HasField("shape") or not all(dim.HasField("dim_value") for dim in tensor.shape.dim):
        return None
    return tuple(dim.dim_value for dim in tensor.shape.dim)


def _shapes(infos: Iterable[Any]) -> dict[str, tuple[tuple[int, ...], int]]:
    """Name -> (shape, bits) of every tensor whose shape is all numbers."""
    found = ((info, _static_shape(info)) for info in infos)
    return {i.name: (shape, _bits(i.type.tensor_type.elem_type)) for i, shape in found if shape is not None}


def _set_shape(info: Any, shape: Sequence[int], path: Path) -> None:
    dims = info.type.tensor_type.shape.dim
    fixed = [dim.dim_value for dim in dims]
    # The first axis is the batch, which may be chosen; an axis of 0 is open.
    if len(fixed) != len(shape) or any(want not in (0, got) for want, got in zip(fixed[1:], shape[1:], strict=True)):
        wanted = "x".join(str(dim.dim_value or dim.dim_param or "?") for dim in dims)
        raise TraceError(
            f"input {info.name!r} is {wanted}, not {'x'.join(map(str, shape))}",
            where=Location(str(path)),
            hint="only open axes and the batch can be chosen",
        )
    for dim, size in zip(dims, shape, strict=True):
        dim.dim_value = size


def _inferred(model: Any, path: Path) -> Any:
    """The model with every shape that onnx can infer; stored shapes go, for they may be those of another input."""
    from onnx import shape_inference

    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    try:
        return shape_inference.infer_shapes(model, strict_mode=False, data_prop=True)
    except Exception as error:
        raise TraceError(f"shapes do not fit: {error}", where=Location(str(path))) from error


def _dtype(elem_type: int) -> str:
    from onnx import helper

    return str(helper.tensor_dtype_to_np_dtype(elem_type).name)


def _bits(elem_type: int) -> int:
    from onnx import helper

    return int(helper.tensor_dtype_to_np_dtype(elem_type).itemsize) * 8


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
