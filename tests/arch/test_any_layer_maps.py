"""Every shipped device holds every kind of layer: at worst with all loops at the DRAM."""

import pytest

from energysim.arch.loader import list_archs, load_arch
from energysim.arch.spec import Memory
from energysim.engines.native import evaluate
from energysim.graph.problem import TensorProblem
from energysim.graph.problems import Operand, convolution_problem, matmul_problem
from energysim.mapping.nest import Loop, Mapping


def conv(bits: int, channels: tuple[int, int], kernel: int, stride: int, groups: int = 1) -> TensorProblem:
    size, word = 9, Operand(bits)
    out = (size - 1) // stride + 1
    pair = (kernel, kernel)
    return convolution_problem(
        batch=2, groups=groups, in_channels=channels[0], out_channels=channels[1], in_size=(size, size),
        out_size=(out, out), kernel=pair, stride=(stride, stride), padding_before=(kernel // 2, kernel // 2),
        dilation=(1, 1), weights=word, ifmap=word, ofmap=word,
    )  # fmt: skip


def problems(bits: int) -> dict[str, TensorProblem]:
    word = Operand(bits)
    return {
        "3x3": conv(bits, (3, 5), 3, 1),
        "7x7 stride 2": conv(bits, (3, 4), 7, 2),
        "1x1": conv(bits, (6, 5), 1, 1),
        "depthwise": conv(bits, (4, 4), 3, 1, groups=4),
        "linear": matmul_problem(batch=1, rows=1, columns=10, reduced=12, weights=word, ifmap=word, ofmap=word),
        "attention": matmul_problem(batch=3, rows=5, columns=5, reduced=4, weights=word, ifmap=word, ofmap=word),
    }


@pytest.mark.parametrize("name", list_archs())
@pytest.mark.parametrize("layer", list(problems(8)))
def test_a_mapping_exists(name: str, layer: str) -> None:
    arch = load_arch(name)
    problem = problems(arch.default_bits)[layer]
    loops = tuple(Loop(dim, bound, 0, bound) for dim, bound in problem.dims if bound > 1)
    kept = tuple(
        frozenset(t.name for t in problem.tensors if isinstance(node, Memory) and node.holds(t.name, t.role))
        for node in arch.nodes
    )
    counts = evaluate(problem, arch, Mapping(loops, kept))
    assert counts.macs == problem.macs
    assert counts.cycles >= problem.macs / arch.compute.throughput(arch.default_bits)
