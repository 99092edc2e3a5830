"""Operators that move no word: views, identities at inference, and results that do not depend on the input's values.

Layout is free: a loop nest reads and writes its tensors in any order, so a transpose, a reshape, a channel shuffle or
a cyclic shift is a matter of addresses, also where PyTorch copies. How many words PyTorch would copy is noted.
"""

from __future__ import annotations

from energysim.graph.ir import Call, Step
from energysim.graph.layers import LayerKind
from energysim.graph.ops import identity, operator, spelled

VIEWS = spelled("""
    view reshape flatten unflatten permute transpose swapaxes swapdims movedim moveaxis t numpy_T mT mH adjoint
    squeeze unsqueeze slice select narrow split split_with_sizes unsafe_split unsafe_chunk chunk tensor_split hsplit
    vsplit unbind expand expand_as view_as reshape_as diagonal unfold as_strided ravel unsafe_view _unsafe_view
    _reshape_alias roll flip rot90 fliplr flipud pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle
    broadcast_to atleast_1d atleast_2d atleast_3d real item squeeze_copy view_copy
""")

IDENTITIES = spelled("""
    dropout feature_dropout alpha_dropout feature_alpha_dropout native_dropout detach detach_ alias contiguous clone
    lift_fresh lift_fresh_copy positive identity resolve_conj resolve_neg requires_grad scalar_tensor
""")

# Results whose values do not depend on the values of a feature map: known before the network runs.
CREATORS = spelled("""
    zeros ones full empty arange linspace logspace eye tensor rand randn randint zeros_like ones_like
    full_like empty_like rand_like randn_like new_zeros new_ones new_full new_empty new_empty_strided tril_indices
    triu_indices hann_window hamming_window empty_strided shape_of
""")

_MOVES_AXES = spelled("""
    permute transpose swapaxes swapdims movedim moveaxis t numpy_T mT mH adjoint
""")

# Views of which PyTorch makes a copy whatever the strides.
ALWAYS_COPIED = spelled("""
    roll flip rot90 fliplr flipud pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle
""")


@operator(*VIEWS)
def view(call: Call) -> tuple[Step, ...]:
    """Results share the first tensor's words. A result of the same shape is the source itself, unless axes moved."""
    source = call.tensors[0]
    reorders = call.op in _MOVES_AXES or call.op in ALWAYS_COPIED
    if not reorders and len(call.outputs) == 1 and call.outputs[0].shape == source.shape:
        return identity(call)
    return (Step(call.op, LayerKind.VIEW, (source,), call.outputs),)


operator(*IDENTITIES)(identity)
