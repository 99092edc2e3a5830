"""Calls that stand for a layer which is only a part of one operator of the traced program.

The layer graph splits fused attention into two products and a softmax, and takes what a gather picks as a view of its
source; each part is an operator of its own here.
"""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

from energysim.graph.ir import Call, Value
from energysim.graph.layers import Layer

_ATTENTION = "scaled_dot_product_attention"


def substitute(layer: Layer, call: Call, inputs: dict[str, Value], output: Value) -> tuple[Call, ...]:
    """The calls of ``layer``, a part of ``call``; ``inputs`` by name. Empty where none are known."""
    if layer.op == "pick":
        return (replace(call, outputs=(output,)),)
    picked = next((value for value in inputs.values() if value.name.endswith(".picked")), None)
    if picked is not None:
        return (Call("clone", {"self": picked}, (output,), "aten.clone"),)
    if call.op == _ATTENTION and not call.get("enable_gqa", False) and not call.get("is_causal", False):
        return _attention(layer, call, inputs, output)
    return ()


def _attention(layer: Layer, call: Call, inputs: dict[str, Value], output: Value) -> tuple[Call, ...]:
    query, key, value, mask = (call.optional(name) for name in ("query", "key", "value", "attn_mask"))
    assert query is not None and key is not None and value is not None
    if layer.op == "softmax":
        scores = next(item for item in inputs.values() if item != mask)
        calls: tuple[Call, ...] = ()
        if mask is not None and mask.bits != scores.bits:
            return ()  # a mask of booleans
        if mask is not None:
            masked = replace(scores, name=f"{scores.name}.masked")
            calls = (Call("add", {"self": scores, "other": mask}, (masked,), "aten.add"),)
            scores = masked
        return (*calls, Call("softmax", {"self": scores, "dim": -1}, (output,), "aten.softmax"))
    if "scale" in layer.folded:
        turned = replace(key, name=f"{key.name}.turned", shape=(*key.shape[:-2], key.shape[-1], key.shape[-2]))
        product = replace(output, name=f"{output.name}.unscaled")
        scale = call.get("scale") or 1 / sqrt(query.shape[-1])
        return (
            Call("transpose", {"self": key, "dim0": -2, "dim1": -1}, (turned,), "aten.transpose"),
            Call("matmul", {"self": query, "other": turned}, (product,), "aten.matmul"),
            Call("mul", {"self": product, "other": scale}, (output,), "aten.mul"),
        )
    weights = next(item for item in inputs.values() if item != value)
    return (Call("matmul", {"self": weights, "other": value}, (output,), "aten.matmul"),)
