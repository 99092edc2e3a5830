"""Evaluations per CPU second of the native engine, each mapping different, next to timeloop-model's 10-14 per second.

    python benchmarks/bench_evaluate.py [--mappings 2000] [--seed 1]

Draws random valid mappings of ResNet-18 layers (about half of the tries with remainders), clears every cache, and
evaluates them one by one in one process. The reference is timeloop-model (commit 4cf6d4cd), which evaluates one
mapping per process: 10-14 per second of one core on layers and architectures like these.
"""

from __future__ import annotations

import argparse
import random
import time
from math import ceil

from energysim.arch.spec import ArchSpec, Array, Compute, Memory
from energysim.engines.native import evaluate, validate
from energysim.errors import MappingError
from energysim.graph.problem import Rank, Role, Tensor, TensorProblem
from energysim.mapping import access, footprint
from energysim.mapping.counts import Convention
from energysim.mapping.nest import Loop, Mapping

TIMELOOP_PER_S = (10, 14)
ROLES = frozenset(Role)
KIB = 8 * 1024


def conv(k: int, c: int, plane: int, kernel: int, stride: int = 1) -> TensorProblem:
    """A padded 'same' convolution; ``plane`` is the ofmap's height and width."""
    pad, size = kernel // 2, plane * stride

    def one(*dims: str) -> tuple[Rank, ...]:
        return tuple(Rank(((dim, 1),)) for dim in dims)

    rows, columns = (Rank(((o, stride), (w, 1)), -pad, size) for o, w in (("P", "R"), ("Q", "S")))
    return TensorProblem(
        (("K", k), ("C", c), ("P", plane), ("Q", plane), ("R", kernel), ("S", kernel)),
        (
            Tensor("W", Role.WEIGHTS, one("K", "C", "R", "S")),
            Tensor("I", Role.IFMAP, (*one("C"), rows, columns)),
            Tensor("O", Role.OFMAP, one("K", "P", "Q")),
        ),
    )


LAYERS = {
    "conv1 7x7/2 112": conv(64, 3, 112, 7, 2),
    "layer1 3x3 56": conv(64, 64, 56, 3),
    "layer2 3x3/2 28": conv(128, 64, 28, 3, 2),
    "layer3 1x1/2 14": conv(256, 128, 14, 1, 2),
    "layer4 3x3 7": conv(512, 512, 7, 3),
}


def memory(name: str, kib: float, *roles: Role) -> Memory:
    return Memory(name, "sram", frozenset(), frozenset(roles) or ROLES, capacity_bits=int(kib * KIB))


DRAM = Memory("DRAM", "dram", ROLES)
MAC = Compute("MAC", "int", 8)
ARCHS = (
    ArchSpec("DRAM-GLB-8x8-RF", (DRAM, memory("GLB", 128), Array("PE", 8, 8), memory("RF", 0.25), MAC), clock_hz=1e9),
    ArchSpec(
        "row stationary 14x12",
        (
            DRAM,
            memory("GLB", 128, Role.IFMAP, Role.OFMAP),
            Array("columns", 14, 1),
            Array("rows", 1, 12),
            memory("ifmap spad", 12 / 512, Role.IFMAP),
            memory("weight spad", 192 / 512, Role.WEIGHTS),
            memory("psum spad", 16 / 512, Role.OFMAP),
            MAC,
        ),
        clock_hz=1e9,
    ),
)


def random_mapping(problem: TensorProblem, arch: ArchSpec, remainders: bool, rng: random.Random) -> Mapping:
    """Factors from the inside outwards, small ones more often; the rest of every dimension stays at the DRAM."""
    at: list[list[Loop]] = [[] for _ in arch.nodes]
    room = {(i, a): getattr(n, a) for i, n in enumerate(arch.nodes) if isinstance(n, Array) for a in ("x", "y")}
    for dim, size in rng.sample(problem.dims, len(problem.dims)):
        left, chain = size, []
        for node in range(len(arch.nodes) - 2, 0, -1):
            axis = rng.choice("xy") if isinstance(arch.nodes[node], Array) else None
            most = min(left, room.get((node, axis), 8))
            options = [f for f in range(1, most + 1) if remainders or left % f == 0]
            bound = rng.choice(options) if rng.random() < 0.5 else 1
            if bound > 1:
                chain.append((node, axis, bound))
                left = ceil(left / bound)
                if axis is not None:
                    room[node, axis] //= bound
        rest = size - 1
        for node, axis, bound in chain:
            at[node].append(Loop(dim, bound, node, rest % bound + 1, axis))
            rest //= bound
        if left > 1:
            at[0].append(Loop(dim, left, 0, left))
    loops = [loop for here in at for loop in rng.sample(here, len(here))]
    kept = [
        frozenset(t.name for t in problem.tensors if isinstance(node, Memory) and node.holds(t.name, t.role))
        for node in arch.nodes
    ]
    return Mapping(tuple(loops), tuple(kept))


def draw(problem: TensorProblem, arch: ArchSpec, number: int, seed: int) -> list[Mapping]:
    rng = random.Random(seed)
    found: dict[Mapping, None] = {}
    for attempt in range(500 * number):
        mapping = random_mapping(problem, arch, attempt % 2 == 0, rng)
        try:
            for convention in Convention:
                validate(problem, arch, mapping, convention)
        except MappingError:
            continue
        found[mapping] = None
        if len(found) == number:
            break
    return list(found)


def clear_caches() -> None:
    for module in (access, footprint):
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mappings", type=int, default=2000, help="different mappings per layer and architecture")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"{'architecture':22} {'layer':18} {'convention':10} {'mappings':>8} {'per CPU s':>9}  x timeloop-model")
    for arch in ARCHS:
        for name, problem in LAYERS.items():
            mappings = draw(problem, arch, options.mappings, options.seed)
            for convention in Convention:
                clear_caches()
                start = time.process_time()
                for mapping in mappings:
                    evaluate(problem, arch, mapping, convention)
                rate = len(mappings) / (time.process_time() - start)
                low, high = (rate / reference for reference in reversed(TIMELOOP_PER_S))
                print(
                    f"{arch.name:22} {name:18} {convention:10} {len(mappings):8} {rate:9.0f}  {low:.0f}-{high:.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
