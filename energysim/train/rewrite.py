"""The graph of a network taken apart with torch.fx: BatchNorm folded, quantizers put behind every feature map."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp, TensorMetadata
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from energysim.errors import EnergySimError
from energysim.graph.ops import spelled
from energysim.nn import MemoryOptimizedConv2d
from energysim.train.quantizers import QuantizedConv2d, QuantizedLinear, Quantizer, check_bits

# One element in, one element out: inside its producer, so that only its result is rounded.
_POINTWISE = spelled("relu relu6 hardtanh sigmoid hardsigmoid silu hardswish gelu tanh leaky_relu clamp")
# No new values: the quantizer of what they select from holds for them.
_SELECTING = ("max_pool", "adaptive_max_pool")
# Neither words nor values are new.
_VIEWS = spelled("""
    flatten view reshape transpose permute contiguous chunk split getitem squeeze unsqueeze identity dropout unflatten
    expand detach clone
""")


class RewriteError(EnergySimError):
    """A network whose graph cannot be taken apart, or that has no quantized form."""


def folded_and_quantized(model: nn.Module, image_shape: tuple[int, ...], bits: int) -> fx.GraphModule:
    """The model (in evaluation mode; its layers are used) with BatchNorm folded and everything that moves quantized.

    Raises RewriteError where control flow depends on data, or a layer only approximates a convolution.
    """
    check_bits(bits)
    for name, module in model.named_modules():
        if isinstance(module, MemoryOptimizedConv2d) and not module.is_exact:
            raise RewriteError(f"{name!r} has less overlap than it needs: quantized, it would be another layer")
    network = _graph_of(model)
    _fold_batch_norm(network)
    _quantize_layers(network, bits)
    example = torch.zeros(1, *image_shape, device=next(model.parameters()).device)
    with torch.no_grad():
        ShapeProp(network).propagate(example)
    _quantize_maps(network, bits)
    network.delete_all_unused_submodules()
    network.recompile()
    return network


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.Conv2d | nn.Linear) or super().is_leaf_module(m, module_qualified_name)


def _graph_of(model: nn.Module) -> fx.GraphModule:
    if isinstance(model, fx.GraphModule):
        return model
    tracer = _Tracer()
    try:
        graph = tracer.trace(model)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise RewriteError(
            f"{type(model).__name__} cannot be taken apart: {reason}", hint="torch.fx follows no control flow on data"
        ) from error
    return fx.GraphModule(tracer.root, graph, type(model).__name__)


def _fold_batch_norm(network: fx.GraphModule) -> None:
    modules: dict[str, Any] = dict(network.named_modules())
    for node in list(network.graph.nodes):
        source = node.args[0] if node.args else None
        if not _calls(node, modules, nn.modules.batchnorm._BatchNorm) or not isinstance(source, fx.Node):
            continue
        if not _calls(source, modules, nn.Conv2d | nn.Linear) or len(source.users) != 1:
            continue
        layer, norm = modules[str(source.target)], modules[str(node.target)]
        fuse: Any = fuse_conv_bn_eval if isinstance(layer, nn.Conv2d) else fuse_linear_bn_eval
        fused = fuse(layer, norm).requires_grad_(True)  # a bias that only BatchNorm's shift made would be frozen
        _replace_module(network, str(source.target), fused)
        modules = dict(network.named_modules())
        node.replace_all_uses_with(source)
        network.graph.erase_node(node)


def _quantize_layers(network: fx.GraphModule, bits: int) -> None:
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Conv2d):
            _replace_module(network, name, QuantizedConv2d.of(module, bits))
        elif isinstance(module, nn.Linear):
            _replace_module(network, name, QuantizedLinear.of(module, bits))


def _quantize_maps(network: fx.GraphModule, bits: int) -> None:
    """A quantizer behind every node that makes a feature map; what only selects values shares its source's."""
    network.add_module("quantizers", nn.ModuleDict())
    used: dict[fx.Node, str] = {}
    for node in list(network.graph.nodes):
        if not isinstance(node.meta.get("tensor_meta"), TensorMetadata) or not _makes_values(node, network):
            continue
        if len(node.users) == 1 and _kind(next(iter(node.users)), network) in _POINTWISE:
            continue
        source = node.args[0] if node.args else None
        shared = used.get(source) if isinstance(source, fx.Node) else None
        if shared is None or not _kind(node, network).startswith(_SELECTING):
            shared = f"quantizers.{node.name}"
            network.get_submodule("quantizers").add_module(node.name, Quantizer(bits))
        with network.graph.inserting_after(node):
            rounded = network.graph.call_module(shared, (node,))
        node.replace_all_uses_with(rounded, delete_user_cb=lambda user, made=rounded: user is not made)
        used[rounded] = shared


def _makes_values(node: fx.Node, network: fx.GraphModule) -> bool:
    if node.op == "placeholder":
        return True
    return node.op in ("call_module", "call_function", "call_method") and _kind(node, network) not in _VIEWS


def _kind(node: fx.Node, network: fx.GraphModule) -> str:
    """What a node does, by the name that functions, methods and modules share: relu, max_pool2d, flatten ..."""
    if node.op == "call_module":
        name = type(network.get_submodule(str(node.target))).__name__.lower()
        return {"maxpool2d": "max_pool2d", "dropout2d": "dropout"}.get(name, name)
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    return name.strip("_") if node.op in ("call_function", "call_method") else node.op


def _calls(node: fx.Node, modules: dict[str, Any], kind: Any) -> bool:
    return node.op == "call_module" and isinstance(modules.get(str(node.target)), kind)


def _replace_module(network: fx.GraphModule, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)
