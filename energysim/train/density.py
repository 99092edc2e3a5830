"""Zeros of a trained network, measured, on its layer graph: what a device that skips or gates them can save."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from energysim.graph.layers import LayerGraph, TensorKind


def with_densities(graph: LayerGraph, model: nn.Module, images: Tensor | None = None) -> LayerGraph:
    """The graph with the share of words that are not zero, of every weight and, given ``images`` [N, C, H, W], of every
    feature map that a module of the model multiplies.

    It changes a simulation only on devices whose spec says that zeros save something (``gates_zeros``).
    """
    found = {
        name: _share(model.get_parameter(name).detach())
        for name, edge in graph.edges.items()
        if edge.kind is TensorKind.PARAMETER and name in dict(model.named_parameters())
    }
    if images is not None:
        found |= _of_feature_maps(graph, model, images)
    edges = {name: replace(edge, density=found[name]) if name in found else edge for name, edge in graph.edges.items()}
    return replace(graph, edges=edges)


def _of_feature_maps(graph: LayerGraph, model: nn.Module, images: Tensor) -> dict[str, float]:
    modules, found = dict(model.named_modules()), dict[str, float]()
    handles = []
    for layer in graph.layers:
        if layer.problem is None or layer.module not in modules:
            continue
        edge = dict(layer.operands)["ifmap"]

        def note(_module: nn.Module, inputs: tuple[Tensor, ...], edge: str = edge) -> None:
            found[edge] = _share(inputs[0])

        handles.append(modules[layer.module].register_forward_pre_hook(note))
    training = {module: module.training for module in modules.values()}
    model.eval()
    try:
        with torch.no_grad():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in training.items():
            module.training = mode
    return found


def _share(tensor: Tensor) -> float:
    return int(tensor.count_nonzero()) / tensor.numel()
