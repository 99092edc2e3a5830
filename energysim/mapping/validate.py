"""Whether a given mapping fits its problem and architecture; every refusal says what is wrong and would be right."""

from __future__ import annotations

from math import prod

from energysim.arch.spec import ArchSpec, Array, Memory
from energysim.errors import MappingError, UnavailableError, did_you_mean
from energysim.graph.problem import Tensor, TensorProblem
from energysim.mapping.access import Nest, tensor_plan, tile_size
from energysim.mapping.counts import Convention
from energysim.mapping.nest import Mapping


def validate(problem: TensorProblem, arch: ArchSpec, mapping: Mapping, convention: Convention) -> Nest:
    """Raise MappingError unless the mapping is complete and fits; return its nest.

    Checked: the problem (ranks with disjoint dimensions and positive coefficients), places and order of the loops,
    factor products with residuals, x/y fan-outs, what may be kept or bypassed where, capacities.
    UnavailableError where the architecture asks for link transfers, which this engine does not model.
    """
    _check_problem(problem)
    _check_loops(problem, arch, mapping)
    _check_kept(problem, arch, mapping)
    nest = Nest(problem, arch, mapping)
    _check_capacities(problem, arch, mapping, convention, nest)
    return nest


def _check_problem(problem: TensorProblem) -> None:
    for tensor in problem.tensors:
        terms = [term for rank in tensor.ranks for term in rank.terms]
        if len({dim for dim, _ in terms}) != len(terms):
            raise MappingError(
                f"tensor {tensor.name!r} uses a dimension in two terms", hint="each dimension may move one rank once"
            )
        for dim, coefficient in terms:
            if dim not in problem.bounds:
                raise MappingError(f"tensor {tensor.name!r} is indexed by unknown dimension {dim!r}")
            if coefficient < 1:
                raise MappingError(
                    f"tensor {tensor.name!r}: coefficient {coefficient} of {dim!r}", hint="coefficients are 1 or more"
                )


def _check_loops(problem: TensorProblem, arch: ArchSpec, mapping: Mapping) -> None:
    sizes = dict.fromkeys(problem.bounds, 1)
    fan_out: dict[tuple[int, str], int] = {}
    previous = 0
    for loop in mapping.loops:
        if loop.dim not in sizes:
            raise MappingError(f"loop over unknown dimension {loop.dim!r}", hint=did_you_mean(loop.dim, sizes))
        if not 0 <= loop.node < len(arch.nodes):
            raise MappingError(f"loop over {loop.dim!r} at node {loop.node}, but there are {len(arch.nodes)} nodes")
        node = arch.nodes[loop.node]
        if loop.node < previous:
            raise MappingError(f"loop over {loop.dim!r} at {node.name!r} stands inside a loop of a node further in")
        if not 1 <= loop.last <= loop.bound:
            raise MappingError(
                f"loop over {loop.dim!r} at {node.name!r}: last {loop.last} of bound {loop.bound}",
                hint="1 <= last <= bound",
            )
        if not isinstance(node, Memory if loop.axis is None else Array):
            kind = "temporal loops stand at memories" if loop.axis is None else "spatial loops stand at arrays"
            raise MappingError(f"loop over {loop.dim!r} at {node.name!r}", hint=kind)
        previous = loop.node
        sizes[loop.dim] = (sizes[loop.dim] - 1) * loop.bound + loop.last
        if loop.axis is not None:
            fan_out[loop.node, loop.axis] = fan_out.get((loop.node, loop.axis), 1) * loop.bound
    for dim, bound in problem.bounds.items():
        if sizes[dim] != bound:
            raise MappingError(f"the factors of {dim!r} make {sizes[dim]}, the problem has {bound}")
    for (index, axis), used in fan_out.items():
        array = arch.nodes[index]
        assert isinstance(array, Array)
        available = array.x if axis == "x" else array.y
        if used > available:
            raise MappingError(f"{array.name!r} is split {used} ways along {axis}, it has {available} children there")
    for array in arch.nodes:
        if isinstance(array, Array) and array.link_transfers:
            raise UnavailableError(
                f"array {array.name!r}: engine 'native' does not model link transfers", hint="link_transfers: false"
            )


def _check_kept(problem: TensorProblem, arch: ArchSpec, mapping: Mapping) -> None:
    if len(mapping.kept) != len(arch.nodes):
        raise MappingError(f"'kept' describes {len(mapping.kept)} nodes, {arch.name!r} has {len(arch.nodes)}")
    names = {tensor.name for tensor in problem.tensors}
    for node, kept in zip(arch.nodes, mapping.kept, strict=True):
        for name in sorted(kept - names):
            raise MappingError(f"{node.name!r} keeps unknown tensor {name!r}", hint=did_you_mean(name, names))
        if not isinstance(node, Memory):
            if kept:
                raise MappingError(f"{node.name!r} is no memory and cannot keep {', '.join(sorted(kept))}")
            continue
        for tensor in problem.tensors:
            if tensor.name in kept and not node.holds(tensor.name, tensor.role):
                raise MappingError(f"{node.name!r} cannot keep {tensor.name!r}", hint="its spec bypasses that tensor")
            must = node.holds(tensor.name, tensor.role) and not node.bypassable(tensor.name, tensor.role)
            if must and tensor.name not in kept:
                raise MappingError(
                    f"{node.name!r} must keep {tensor.name!r}", hint="list the tensor in 'may_bypass' to bypass it"
                )
    for name in sorted(names - frozenset().union(*mapping.kept)):
        raise MappingError(f"no memory keeps {name!r}")


def word_bits(memory: Memory, tensor: Tensor) -> int:
    """Width of a word of the tensor in this memory."""
    return memory.bits_of(tensor.bits, tensor.is_output)


def _check_capacities(
    problem: TensorProblem, arch: ArchSpec, mapping: Mapping, convention: Convention, nest: Nest
) -> None:
    for index, memory in enumerate(arch.nodes):
        if not isinstance(memory, Memory) or memory.capacity_bits is None:
            continue
        available = memory.capacity_bits / memory.multiple_buffering
        needed: list[tuple[str, int]] = []
        for tensor in problem.tensors:
            if tensor.name in mapping.kept[index]:
                words = tile_size(nest, tensor_plan(tensor, problem.dims, convention), index)
                needed.append((tensor.name, words * word_bits(memory, tensor)))
        if sum(bits for _, bits in needed) > available:
            tiles = ", ".join(f"{name} {bits / 8:g} B" for name, bits in needed)
            raise MappingError(
                f"{memory.name!r} is too small: {tiles} need {sum(bits for _, bits in needed) / 8:g} B, "
                f"{available / 8:g} B are available",
                hint="make the tiles smaller or bypass a tensor",
            )


def temporal_steps(problem: TensorProblem, mapping: Mapping, nest: Nest, convention: Convention) -> int:
    """Steps that the busiest compute unit works: of the full bounds (Timeloop), or those that exist (exact)."""
    if convention is Convention.TIMELOOP:
        return prod(loop.bound for loop in mapping.loops if loop.axis is None)
    count = len(nest.loops)
    return nest.count(count, [i for i in range(count) if nest.loops[i].axis is None])
