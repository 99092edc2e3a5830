"""A layer on a rectangle of its ofmap: which ifmap coordinates it reads, and its operators carried out on just these.

Coordinates are found by walking over the taps of every output coordinate, independently of the closed forms of
:mod:`energysim.schedule`. Where a window leaves the plane, the padding is put there explicitly and the operator runs
without padding of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from energysim.graph.ir import Call, Value
from energysim.graph.layers import Layer, LayerKind
from energysim.graph.ops import spelled
from energysim.nn.executor.program import ExecutableProgram, ExecutionError

Span = tuple[int, int]
"""First coordinate and the one after the last; may reach beyond the plane."""

Fetch = Callable[[str, Span, Span, float], Tensor]
"""(edge, rows, columns, padding value) -> that rectangle of the feature map, [N, C, rows, columns]."""

CONVOLUTIONS = frozenset({"conv2d", "convolution"})
_TRANSPOSED = frozenset({"conv_transpose2d"})
_MAX_POOLS = frozenset({"max_pool2d", "max_pool2d_with_indices"})
_ADAPTIVE = frozenset({"adaptive_avg_pool2d", "_adaptive_avg_pool2d", "adaptive_max_pool2d"})
_NEAREST = frozenset({"upsample_nearest2d", "_upsample_nearest_exact2d"})
_STRICT_VIEWS = frozenset({"view", "_unsafe_view", "unsafe_view", "_reshape_alias"})
_JOINS = frozenset({"cat", "concat", "concatenate"})
# Their stored operands have one element per channel.
_PER_CHANNEL = spelled("""
    batch_norm _native_batch_norm_legit_no_training native_batch_norm cudnn_batch_norm prelu _prelu_kernel
""")
# One element of the result from one element of each operand at the same place, or a reduction of whole axes.
_DIRECT = spelled("""
    relu relu6 hardtanh hardswish hardsigmoid sigmoid tanh silu gelu leaky_relu elu selu celu mish softplus softsign
    softshrink hardshrink tanhshrink log_sigmoid prelu _prelu_kernel threshold clamp clamp_min clamp_max clip neg
    negative abs absolute exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal square sin cos tan erf floor ceil
    round trunc frac sign sgn logit to _to_copy type_as add sub subtract mul multiply div divide true_divide
    floor_divide rsub pow maximum minimum fmax fmin fmod remainder eq ne lt le gt ge logical_and logical_or logical_xor
    where masked_fill lerp addcmul addcdiv batch_norm _native_batch_norm_legit_no_training native_batch_norm
    cudnn_batch_norm mean sum amax amin prod std var
""")


@dataclass(frozen=True, slots=True)
class Reads:
    """Along one axis: the coordinates of an ifmap of ``size_in`` behind one coordinate of the ofmap."""

    size_in: int
    behind: Callable[[int], Iterable[int]]

    def __call__(self, outs: Iterable[int]) -> set[int]:
        """Existing coordinates behind any of ``outs``: padding is not among them."""
        return {at for out in outs for at in self.behind(out) if 0 <= at < self.size_in}


def carry_out(call: Call, tensors: Mapping[str, Tensor], program: ExecutableProgram) -> list[Tensor]:
    """The call's results on ``tensors`` (by value name); what is not among them is a stored value.

    Raises ExecutionError for an operator that PyTorch does not have under this name.
    """
    if call.op in _STRICT_VIEWS:
        # Copies into another layout are dropped from the layer graph, so strides may differ from the traced ones.
        call = replace(call, op="reshape", arguments={"self": call.value("self"), "shape": call.arguments["size"]})
    namespace, _, name = call.op.rpartition(".")
    packet = getattr(getattr(torch.ops, namespace or "aten"), name, None)
    if packet is None or not all(key.isidentifier() for key in call.arguments):
        raise ExecutionError(f"operator {call.op!r} cannot be executed", hint="only operators of PyTorch's own table")

    def filled(item: Any) -> Any:
        if isinstance(item, Value):
            return tensors[item.name] if item.name in tensors else program.stored(item)
        return [filled(entry) for entry in item] if isinstance(item, list | tuple) else item

    result = packet(**{key: filled(item) for key, item in call.arguments.items()})
    return [result] if isinstance(result, Tensor) else [item for item in result if isinstance(item, Tensor)]


def folded(calls: Iterable[Call], tensors: dict[str, Tensor], program: ExecutableProgram) -> None:
    """Carry out ``calls`` one after the other; results join ``tensors``."""
    for call in calls:
        for value, result in zip(call.outputs, carry_out(call, tensors, program), strict=False):
            tensors[value.name] = result


def local_reads(layer: Layer, program: ExecutableProgram) -> dict[str, tuple[Reads, Reads]] | None:
    """For each feature map that ``layer`` reads, the reads of its rows and of its columns.

    None where the layer is not local in the plane of [N, C, H, W] feature maps: it runs as a whole.
    """
    if layer.kind in (LayerKind.VIEW, LayerKind.UNMODELLED) or len(layer.outputs) != 1 or not layer.inputs:
        return None
    shapes = {edge: program.graph.edges[edge].shape for edge in (*layer.inputs, *layer.outputs)}
    result = shapes[layer.outputs[0]]
    if any(len(shape) != 4 or shape[0] != result[0] for shape in shapes.values()):
        return None
    call = program.calls(layer)[0]
    reads: dict[str, tuple[Reads, Reads]] = {}
    for edge in layer.inputs:
        axes = [_axis_reads(layer, call, axis, shapes[edge][axis], result[axis]) for axis in (2, 3)]
        if axes[0] is None or axes[1] is None:
            return None
        reads[edge] = (axes[0], axes[1])
    return reads


def _axis_reads(layer: Layer, call: Call, axis: int, size_in: int, size_out: int) -> Reads | None:
    index = axis - 2
    if call.op in _TRANSPOSED or (call.op == "convolution" and call.get("transposed")):
        kernel = call.value("weight").shape[axis]
        stride, before, hole = (_per_axis(call, key)[index] for key in ("stride", "padding", "dilation"))
        return Reads(size_in, lambda x: _scattered_from(x + before, kernel, stride, hole))
    if layer.window is not None and len(layer.window.kernel) == 2:
        window = layer.window
        kernel, stride, hole = window.kernel[index], window.stride[index], window.dilation[index]
        before = window.padding[index][0]
        return Reads(size_in, lambda x: (x * stride - before + tap * hole for tap in range(kernel)))
    if call.op in _NEAREST and size_out % size_in == 0:
        factor = size_out // size_in
        return Reads(size_in, lambda x: (x // factor,))
    if call.op in _JOINS and call.get("dim", 0) % 4 == 1 and size_in == size_out:
        return Reads(size_in, lambda x: (x,))
    if call.op in _DIRECT:
        if size_in == size_out:
            return Reads(size_in, lambda x: (x,))
        if 1 in (size_in, size_out):
            return Reads(size_in, lambda x: range(size_in))
    return None


def _scattered_from(place: int, kernel: int, stride: int, hole: int) -> list[int]:
    """Ifmap coordinates y with ``y * stride + tap * hole == place`` for some tap."""
    return [(place - tap * hole) // stride for tap in range(kernel) if (place - tap * hole) % stride == 0]


def _per_axis(call: Call, key: str) -> tuple[int, int]:
    setting = call.arguments[key]
    numbers = (setting, setting) if isinstance(setting, int) else tuple(setting) * (2 // len(setting))
    return numbers[0], numbers[1]


def run_region(layer: Layer, program: ExecutableProgram, rows: Span, columns: Span, fetch: Fetch) -> Tensor:
    """The ofmap of ``layer`` on the rectangle ``rows`` x ``columns``, from what ``fetch`` delivers."""
    first, *rest = program.calls(layer)
    if call_is_transposed(first):
        made = _transposed(layer, first, program, rows, columns, fetch)
    elif first.op in CONVOLUTIONS:
        made = _convolution(layer, first, program, rows, columns, fetch)
    elif layer.window is not None:
        made = _pooling(layer, first, program, rows, columns, fetch)
    elif first.op in _NEAREST:
        made = _nearest(layer, program, rows, columns, fetch)
    else:
        made = _direct(layer, first, program, rows, columns, fetch)
    tensors = {first.outputs[0].name: made}
    folded(rest, tensors, program)
    names = program.edges_of(layer)
    return next(tensors[name] for name, edge in names.items() if edge == layer.outputs[0])


def call_is_transposed(call: Call) -> bool:
    return call.op in _TRANSPOSED or (call.op == "convolution" and bool(call.get("transposed")))


def _window_rectangle(
    layer: Layer, program: ExecutableProgram, rows: Span, columns: Span, fetch: Fetch, fill: float
) -> Tensor:
    """The ifmap under all windows of the rectangle, with ``fill`` outside the plane."""
    assert layer.window is not None
    spans = [
        (lo * stride - before, (hi - 1) * stride - before + (kernel - 1) * hole + 1)
        for (lo, hi), kernel, stride, (before, _), hole in zip(
            (rows, columns),
            layer.window.kernel,
            layer.window.stride,
            layer.window.padding,
            layer.window.dilation,
            strict=True,
        )
    ]
    return fetch(layer.inputs[0], spans[0], spans[1], fill)


def _convolution(
    layer: Layer, call: Call, program: ExecutableProgram, rows: Span, columns: Span, fetch: Fetch
) -> Tensor:
    assert layer.window is not None
    bias = call.optional("bias")
    return F.conv2d(
        _window_rectangle(layer, program, rows, columns, fetch, 0.0),
        program.stored(call.value("weight")),
        None if bias is None else program.stored(bias),
        layer.window.stride,
        0,
        layer.window.dilation,
        call.get("groups", 1),
    )


def _transposed(
    layer: Layer, call: Call, program: ExecutableProgram, rows: Span, columns: Span, fetch: Fetch
) -> Tensor:
    """The ifmap pixels that reach the rectangle scatter onto a plane of their own, of which the rectangle is cut."""
    weight, bias = call.value("weight"), call.optional("bias")
    source = program.graph.edges[layer.inputs[0]].shape
    stride, padding, hole = (_per_axis(call, key) for key in ("stride", "padding", "dilation"))
    spans, starts = [], []
    for index, (lo, hi) in enumerate((rows, columns)):
        behind = functools.partial(
            _scattered_from, kernel=weight.shape[2 + index], stride=stride[index], hole=hole[index]
        )
        reach = Reads(source[2 + index], behind)(range(lo + padding[index], hi + padding[index]))
        spans.append((min(reach), max(reach) + 1) if reach else (0, 0))
        starts.append(spans[-1][0] * stride[index] - padding[index])
    channels = program.graph.edges[layer.outputs[0]].shape[1]
    made = torch.zeros(1, channels, rows[1] - rows[0], columns[1] - columns[0], dtype=program.stored(weight).dtype)
    if all(hi > lo for lo, hi in spans):
        pixels = fetch(layer.inputs[0], spans[0], spans[1], 0.0)
        groups = call.get("groups", 1)
        spread = F.conv_transpose2d(pixels, program.stored(weight), None, stride, 0, 0, groups, dilation=hole)
        cuts = [
            (slice(max(lo, at) - lo, min(hi, at + size) - lo), slice(max(lo, at) - at, min(hi, at + size) - at))
            for (lo, hi), at, size in zip((rows, columns), starts, spread.shape[2:], strict=True)
        ]
        made[:, :, cuts[0][0], cuts[1][0]] = spread[:, :, cuts[0][1], cuts[1][1]]
    return made if bias is None else made + program.stored(bias)[:, None, None]


def _pooling(layer: Layer, call: Call, program: ExecutableProgram, rows: Span, columns: Span, fetch: Fetch) -> Tensor:
    assert layer.window is not None
    window = layer.window
    if call.op in _MAX_POOLS:
        pixels = _window_rectangle(layer, program, rows, columns, fetch, -torch.inf)
        return F.max_pool2d(pixels, window.kernel, window.stride, 0, window.dilation)
    pixels = _window_rectangle(layer, program, rows, columns, fetch, 0.0)
    if call.op in _ADAPTIVE:
        size = (rows[1] - rows[0], columns[1] - columns[0])
        if call.op == "adaptive_max_pool2d":
            return F.max_pool2d(pixels, window.kernel, window.stride)
        return F.adaptive_avg_pool2d(pixels, size)
    sums = F.avg_pool2d(pixels, window.kernel, window.stride, divisor_override=1)
    fixed = call.get("divisor_override")
    return sums / (_pixels_under(layer, call, program, rows, columns).to(sums) if fixed is None else fixed)


def _pixels_under(layer: Layer, call: Call, program: ExecutableProgram, rows: Span, columns: Span) -> Tensor:
    """What each average is divided by: pixels of its window on the plane, padding included if the operator says so (but
    never what ``ceil_mode`` adds after that)."""
    assert layer.window is not None
    shape = program.graph.edges[layer.inputs[0]].shape
    sides = []
    for index, (lo, hi) in enumerate((rows, columns)):
        size, kernel, stride = shape[2 + index], layer.window.kernel[index], layer.window.stride[index]
        margin = _per_axis(call, "padding")[index]
        low, high = (-margin, size + margin) if call.get("count_include_pad", True) else (0, size)
        starts = [x * stride - margin for x in range(lo, hi)]
        sides.append(torch.tensor([min(at + kernel, high) - max(at, low) for at in starts]))
    return sides[0][:, None] * sides[1][None, :]


def _nearest(layer: Layer, program: ExecutableProgram, rows: Span, columns: Span, fetch: Fetch) -> Tensor:
    edge = layer.inputs[0]
    source, result = program.graph.edges[edge].shape, program.graph.edges[layer.outputs[0]].shape
    picks = [[x // (result[axis] // source[axis]) for x in range(*span)] for axis, span in ((2, rows), (3, columns))]
    spans = [(pick[0], pick[-1] + 1) for pick in picks]
    pixels = fetch(edge, spans[0], spans[1], 0.0)
    at = [torch.tensor(pick) - pick[0] for pick in picks]
    return pixels.index_select(2, at[0]).index_select(3, at[1])


def _direct(layer: Layer, call: Call, program: ExecutableProgram, rows: Span, columns: Span, fetch: Fetch) -> Tensor:
    """The operator itself on the same rectangle of each operand; of an operand of another size, the whole axis."""
    result = program.graph.edges[layer.outputs[0]].shape
    tensors: dict[str, Tensor] = {}
    for name, edge in program.edges_of(layer).items():
        if edge in layer.inputs:
            shape = program.graph.edges[edge].shape
            spans = [
                span if shape[axis] == result[axis] else (0, shape[axis]) for axis, span in ((2, rows), (3, columns))
            ]
            tensors[name] = fetch(edge, spans[0], spans[1], 0.0)
    if call.op not in _PER_CHANNEL:
        for value in call.tensors:
            if value.is_stored:
                tensors[value.name] = _cut(program.stored(value), result, rows, columns)
    return carry_out(call, tensors, program)[0]


def _cut(stored: Tensor, result: tuple[int, ...], rows: Span, columns: Span) -> Tensor:
    """The rectangle of a stored operand that varies over the plane (operands are aligned at their last axis)."""
    if stored.dim() > 0 and stored.shape[-1] == result[-1] > 1:
        stored = stored[..., slice(*columns)]
    if stored.dim() > 1 and stored.shape[-2] == result[-2] > 1:
        stored = stored[..., slice(*rows), :]
    return stored
