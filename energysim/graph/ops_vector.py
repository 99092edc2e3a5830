"""Operators that move words and do arithmetic, but no multiply-accumulates: VECTOR steps.

``ops`` are elementary operations (one per add, multiply, compare, exponential ...), an order of magnitude for a vector
unit, not a cycle count; words moved are exact.
"""

from __future__ import annotations

from math import prod
from typing import Any

from energysim.graph.ir import Call, Step, Value
from energysim.graph.layers import LayerKind, Window
from energysim.graph.ops import identity, operator, spelled
from energysim.graph.ops_mac import padding_pairs, per_axis

_UNARY = spelled("""
    relu relu6 hardtanh hardswish hardsigmoid sigmoid tanh silu gelu leaky_relu elu selu celu mish softplus softsign
    softshrink hardshrink tanhshrink log_sigmoid prelu _prelu_kernel rrelu threshold clamp clamp_min clamp_max clip
    neg negative abs absolute exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal square sin cos tan asin acos
    atan sinh cosh asinh acosh atanh erf erfc floor ceil round trunc frac sign sgn logical_not bitwise_not isnan isinf
    isfinite nan_to_num logit fake_quantize_per_tensor_affine fake_quantize_per_channel_affine
""")
_BINARY = spelled("""
    add sub subtract mul multiply div divide true_divide floor_divide rsub pow float_power maximum minimum fmax fmin
    fmod remainder atan2 eq ne lt le gt ge logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor where
    masked_fill lerp addcmul addcdiv hypot ldexp xlogy copysign heaviside
""")
_REDUCTIONS = spelled("""
    mean sum nansum amax amin aminmax max min argmax argmin prod std var std_mean var_mean norm linalg_vector_norm any
    all cumsum cumprod logsumexp median count_nonzero
""")
# The words read are those that arrive in the result, not the whole source.
_GATHERS = spelled("index index_select gather embedding take take_along_dim masked_select")
_MOVES = spelled("""
    cat concat concatenate hstack vstack dstack stack repeat repeat_interleave tile constant_pad_nd reflection_pad1d
    reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d im2col col2im scatter
    scatter_add fill zero index_put index_copy index_add index_fill slice_scatter select_scatter tril triu one_hot
    block_diag meshgrid upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d
    _upsample_nearest_exact2d _upsample_nearest_exact3d
""")
_NORMALIZATIONS = spelled("""
    layer_norm native_layer_norm group_norm native_group_norm instance_norm rms_norm _fused_rms_norm local_response_norm
""")
# Multiplies and adds per result element of an interpolation: 2^n or 4^n neighbours.
_INTERPOLATIONS = {
    "upsample_linear1d": 2,
    "upsample_bilinear2d": 4,
    "_upsample_bilinear2d_aa": 4,
    "upsample_trilinear3d": 8,
    "upsample_bicubic2d": 16,
    "_upsample_bicubic2d_aa": 16,
}


def _vector(call: Call, ops: int, **more: Any) -> tuple[Step, ...]:
    return (Step(call.op, LayerKind.VECTOR, call.tensors, call.outputs, ops=ops, **more),)


@operator(*_UNARY)
def unary(call: Call) -> tuple[Step, ...]:
    """One operation per element; parameters (PReLU's slope) ride along."""
    return _vector(call, call.outputs[0].words, pointwise=True, hosts=True)


@operator("to", "_to_copy", "type_as", "_autocast_to_reduced_precision", "_autocast_to_full_precision")
def cast(call: Call) -> tuple[Step, ...]:
    """A change of the data type is pointwise; a change of device or none at all is nothing."""
    if call.outputs[0].bits == call.tensors[0].bits:
        return identity(call)
    return (Step("cast", LayerKind.VECTOR, call.tensors[:1], call.outputs, pointwise=True, hosts=True),)


@operator(*_BINARY)
def elementwise(call: Call) -> tuple[Step, ...]:
    """One operation per result element; pointwise where all but one operand are numbers or single stored elements."""
    result = call.outputs[0]
    arrays = [value for value in call.tensors if not (value.is_stored and value.words == 1)]
    alone = len(arrays) == 1 and arrays[0].shape == result.shape and _tensor_operands(call) == 1
    return _vector(call, result.words, pointwise=alone, hosts=True)


def _tensor_operands(call: Call) -> int:
    """How many operands are tensors of more than one stored element; x * x has two."""
    found = [value for value in call.arguments.values() if isinstance(value, Value)]
    return sum(not (value.is_stored and value.words == 1) for value in found)


@operator(*_REDUCTIONS)
def reduction(call: Call) -> tuple[Step, ...]:
    """One operation per element read. max(a, b) of two tensors is elementwise."""
    if isinstance(call.arguments.get("other"), Value):
        return elementwise(call)
    return _vector(call, call.tensors[0].words)


@operator(*_GATHERS)
def gather(call: Call) -> tuple[Step, ...]:
    """Reads only what it delivers: the source enters as a view of the result's shape; the indices are read as well."""
    result, (source, *indices) = call.outputs[0], call.tensors
    source = call.optional("weight") or call.optional("self") or source
    indices = [value for value in call.tensors if value.name != source.name]
    picked = Value(f"{result.name}.picked", result.shape, source.bits, source.kind, source.root)
    step = Step(call.op, LayerKind.VECTOR, (picked, *indices), call.outputs)
    if source.is_stored:
        return (step,)
    return (Step("pick", LayerKind.VIEW, (source,), (picked,), suffix=".pick"), step)


@operator(*_MOVES)
def move(call: Call) -> tuple[Step, ...]:
    """Words are read and written, nothing is computed."""
    return _vector(call, 0)


@operator("copy")
def copy(call: Call) -> tuple[Step, ...]:
    """What was in the destination is not read; pointwise, for the producer of the source can write there itself."""
    source = call.value("src", "other")
    alike = source.shape == call.outputs[0].shape
    return (Step("copy", LayerKind.VECTOR, (source,), call.outputs, pointwise=alike, hosts=True),)


@operator("pad")
def pad(call: Call) -> tuple[Step, ...]:
    """Padding by nothing is the source itself; else a copy (lowering folds zeros into a convolution that follows)."""
    return identity(call) if not any(call.get("pad", ())) else move(call)


@operator(*_INTERPOLATIONS)
def interpolation(call: Call) -> tuple[Step, ...]:
    """A multiply and an add per neighbour."""
    return _vector(call, 2 * _INTERPOLATIONS[call.op] * call.outputs[0].words)


@operator("softmax", "log_softmax", "_softmax", "_log_softmax", "softmin")
def softmax(call: Call) -> tuple[Step, ...]:
    """Maximum, subtraction, exponential, sum, division: five operations per element."""
    return _vector(call, 5 * call.outputs[0].words)


@operator("glu")
def gated(call: Call) -> tuple[Step, ...]:
    """a * sigmoid(b): two operations per result element."""
    return _vector(call, 2 * call.outputs[0].words)


@operator("batch_norm", "_native_batch_norm_legit_no_training", "native_batch_norm", "cudnn_batch_norm")
def batch_norm(call: Call) -> tuple[Step, ...]:
    """At inference y = x * scale + shift: two operations per element. Folds into a MAC step before it, see ``fold``."""
    operands = (call.value("input"), *(v for v in (call.optional("weight"), call.optional("bias")) if v is not None))
    statistics = tuple(v for v in (call.optional("running_mean"), call.optional("running_var")) if v is not None)
    result = call.outputs[:1]
    return (
        Step("batch_norm", LayerKind.VECTOR, (*operands, *statistics), result, ops=2 * result[0].words, hosts=True),
    )


@operator(*_NORMALIZATIONS)
def normalization(call: Call) -> tuple[Step, ...]:
    """Per element: one operation for the mean, two for the variance, two to normalize, two to scale and shift."""
    result = call.outputs[0]
    return (Step(call.op, LayerKind.VECTOR, call.tensors, (result,), ops=7 * result.words, hosts=True),)


def pooling_window(
    source: Value,
    result: Value,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: Any,
    dilation: tuple[int, ...],
) -> Window:
    """The window with the padding that the result's size implies after the last axis element (``ceil_mode``)."""
    axes = len(kernel)
    pairs = []
    for (before, after), size, out, k, step, hole in zip(
        padding_pairs(padding, kernel, dilation),
        source.shape[-axes:],
        result.shape[-axes:],
        kernel,
        stride,
        dilation,
        strict=True,
    ):
        reach = (out - 1) * step + (k - 1) * hole + 1 - before
        pairs.append((before, max(after, reach - size)))
    return Window(kernel, stride, tuple(pairs), dilation)


def _pooling(call: Call, axes: int) -> tuple[Step, ...]:
    source, result = call.tensors[0], call.outputs[0]
    kernel = per_axis(call.arguments["kernel_size"], axes)
    stride = per_axis(call.get("stride") or kernel, axes)
    window = pooling_window(
        source, result, kernel, stride, call.get("padding", 0), per_axis(call.get("dilation", 1), axes)
    )
    return (Step(call.op, LayerKind.VECTOR, (source,), call.outputs, window=window, ops=prod(kernel) * result.words),)


@operator("max_pool1d", "avg_pool1d", "max_pool1d_with_indices")
def pooling_1d(call: Call) -> tuple[Step, ...]:
    """One operation per element of each window."""
    return _pooling(call, 1)


@operator("max_pool2d", "avg_pool2d", "max_pool2d_with_indices")
def pooling_2d(call: Call) -> tuple[Step, ...]:
    """One operation per element of each window."""
    return _pooling(call, 2)


@operator("max_pool3d", "avg_pool3d", "max_pool3d_with_indices")
def pooling_3d(call: Call) -> tuple[Step, ...]:
    """One operation per element of each window."""
    return _pooling(call, 3)


@operator(
    *(f"{prefix}_pool{axes}d" for prefix in ("adaptive_avg", "_adaptive_avg", "adaptive_max") for axes in (1, 2, 3))
)
def adaptive_pooling(call: Call) -> tuple[Step, ...]:
    """A plain window where the input is a multiple of the output; otherwise windows differ in size: no Window."""
    source, result = call.tensors[0], call.outputs[0]
    axes = int(call.op[-2])
    pairs = list(zip(source.shape[-axes:], result.shape[-axes:], strict=True))
    if source.shape == result.shape:
        return identity(call)
    window = None
    if all(size % out == 0 for size, out in pairs):
        kernel = tuple(size // out for size, out in pairs)
        window = Window(kernel, kernel, ((0, 0),) * axes, (1,) * axes)
    return (
        Step(call.op, LayerKind.VECTOR, (source,), call.outputs, window=window, ops=max(source.words, result.words)),
    )
