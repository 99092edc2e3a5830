"""Which layers are local in the feature-map plane, and how their ofmap coordinates depend on those of each ifmap.

Feature maps are [N, C, H, W]. A layer that is not local there (softmax, a normalization over the plane, a linear layer,
a view, an operator whose axis the graph does not tell) is a barrier: it has no maps and cannot be part of a stack.
"""

from __future__ import annotations

from energysim.graph.layers import Edge, Layer, LayerGraph, LayerKind
from energysim.graph.ops import spelled
from energysim.graph.problem import Rank, TensorProblem
from energysim.schedule.axes import AxisMap

PlaneMaps = dict[str, tuple[AxisMap, AxisMap]]
"""Per feature map that a layer reads: the map of its rows and the map of its columns."""

# One element of the result depends on one element of each operand (or on one of a whole 1x1 plane), per image.
_ELEMENTWISE = spelled("""
    relu relu6 hardtanh hardswish hardsigmoid sigmoid tanh silu gelu leaky_relu elu selu celu mish softplus softsign
    softshrink hardshrink tanhshrink log_sigmoid prelu _prelu_kernel threshold clamp clamp_min clamp_max clip neg
    negative abs absolute exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal square sin cos tan erf floor ceil
    round trunc frac sign sgn logit cast copy fake_quantize_per_tensor_affine fake_quantize_per_channel_affine
    add sub subtract mul multiply div divide true_divide floor_divide rsub pow maximum minimum fmax fmin fmod remainder
    eq ne lt le gt ge logical_and logical_or logical_xor where masked_fill lerp addcmul addcdiv
    batch_norm _native_batch_norm_legit_no_training native_batch_norm cudnn_batch_norm cat concat concatenate
""")
# Where such an operator shortens an axis to one element, it reads the whole axis.
_REDUCTIONS = spelled("mean sum amax amin max min prod std var norm linalg_vector_norm any all logsumexp")
# Along the channels only: along an axis of the plane, pixels would change their place.
_CONCATENATIONS = frozenset({"cat", "concat", "concatenate"})
_NEAREST = frozenset({"upsample_nearest2d", "_upsample_nearest_exact2d"})


def axis_maps(layer: Layer, graph: LayerGraph) -> PlaneMaps | None:
    """The plane maps of every feature map that ``layer`` reads; None where the layer is a barrier."""
    if layer.kind in (LayerKind.VIEW, LayerKind.UNMODELLED) or len(layer.outputs) != 1 or not layer.inputs:
        return None
    result = graph.edges[layer.outputs[0]]
    sources = [graph.edges[name] for name in layer.inputs]
    if not all(_is_plane(edge, result, graph) for edge in (result, *sources)):
        return None
    if layer.problem is not None:
        return _convolution(layer, layer.problem, sources, result)
    if layer.op in _CONCATENATIONS and sum(source.shape[1] for source in sources) != result.shape[1]:
        return None
    maps: PlaneMaps = {}
    for source in sources:
        rows, columns = (_vector(layer, axis, source.shape[axis - 2], result.shape[axis - 2]) for axis in (0, 1))
        if rows is None or columns is None:
            return None
        maps[source.name] = rows, columns
    return maps


def _is_plane(edge: Edge, result: Edge, graph: LayerGraph) -> bool:
    """[N, C, H, W] with the N of the result, and no view that repeats words."""
    if len(edge.shape) != 4 or edge.shape[0] != result.shape[0]:
        return False
    return edge.words <= graph.edges[edge.storage].words


def _vector(layer: Layer, axis: int, size_in: int, size_out: int) -> AxisMap | None:
    if layer.window is not None:
        window = layer.window
        if len(window.kernel) != 2:
            return None
        return AxisMap(
            size_in,
            size_out,
            window.kernel[axis],
            window.stride[axis],
            window.padding[axis][0],
            window.dilation[axis],
        )
    if layer.op in _NEAREST:
        factor, rest = divmod(size_out, size_in)
        return AxisMap(size_in, size_out, upscale=factor) if rest == 0 else None
    if layer.op in _ELEMENTWISE:
        if size_in == size_out:
            return AxisMap(size_in, size_out)
        return AxisMap(size_in, size_out, whole=True) if size_in == 1 else None
    if layer.op in _REDUCTIONS:
        if size_in == size_out:
            return AxisMap(size_in, size_out)
        return AxisMap(size_in, size_out, whole=True) if size_out == 1 else None
    return None


def _convolution(layer: Layer, problem: TensorProblem, sources: list[Edge], result: Edge) -> PlaneMaps | None:
    if layer.op not in ("conv2d", "conv_transpose2d") or len(sources) != 1:
        return None
    if not problem.tensor("weights").is_parameter:
        return None
    transposed = layer.op == "conv_transpose2d"
    windows = problem.tensor("ofmap" if transposed else "ifmap").ranks[-2:]
    if any(len(rank.terms) != 2 for rank in windows):
        return None  # the gradient of a convolution, which runs it the other way
    (source,) = sources
    rows, columns = (
        _window(rank, problem, source.shape[axis - 2], result.shape[axis - 2], transposed)
        for axis, rank in enumerate(windows)
    )
    return {source.name: (rows, columns)}


def _window(rank: Rank, problem: TensorProblem, size_in: int, size_out: int, transposed: bool) -> AxisMap:
    """Of a rank ``position * stride + tap * dilation - before``."""
    (_, stride), (tap, dilation) = rank.terms
    return AxisMap(size_in, size_out, problem.bounds[tap], stride, -rank.offset, dilation, transposed)
