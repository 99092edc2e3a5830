"""The mapper: values and CPU seconds next to the peers', rates, whole networks, and how the time grows.

    python benchmarks/bench_search.py [a2] [timeloop] [rate] [networks] [growth] [enumeration]
                                      [--archs NAME,...] [--figure FILE.svg] [--seeds FIRST:LAST]

Without a name every part but the enumeration runs (some minutes, most of it tracing the networks). One process; CPU
seconds of searching only, after the kernels have been compiled. Peers: figures of AccelForge and timeloop-mapper,
measured on one core of a like machine (compare as ratios).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from energysim.arch.loader import list_archs, load_arch
from energysim.arch.spec import ArchSpec, Array, Compute, Memory
from energysim.cost.model import cost_model
from energysim.energy import estimate
from energysim.errors import InfeasibleError
from energysim.graph.problem import Role, TensorProblem
from energysim.mapping.cost_model import AccessCost, ActionCost, CostModel
from energysim.mapping.counts import Convention
from energysim.mapping.evaluate import evaluate
from energysim.mapping.search import EDP, ENERGY, Objective, SearchResult, search
from energysim.workload import resolve_workload

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "mapping"))
from golden import BEST_EDP, LAYERS, eyeriss, layer, simple3

ACCELFORGE_UJ = {"lightweight_cnn": 65.470, "resnet18 convolutions": 2468.5}
ACCELFORGE_CPU_S = {"lightweight_cnn": 185.0, "resnet18 convolutions": 624.0}
PARTS = ("a2", "timeloop", "rate", "networks", "growth")
NETWORKS = ("resnet50", "mobilenet_v2", "vit_b_16")


@dataclass(frozen=True)
class Timed:
    result: SearchResult
    cpu_s: float


def timed(
    problem: TensorProblem, arch: ArchSpec, costs: CostModel, objective: Objective, convention: Convention
) -> Timed:
    begin = time.process_time()
    result = search(problem, arch, costs, objective=objective, convention=convention)
    return Timed(result, time.process_time() - begin)


def layers_of(workload: str, bits: int) -> Iterator[tuple[str, str, TensorProblem]]:
    """(layer, operator, problem) of every layer with MACs."""
    for item in resolve_workload(workload, None, None).trace().layers:
        if item.problem is not None:
            yield item.name, item.op, item.problem.with_bits(dict.fromkeys(Role, bits))


def bench_a2() -> None:
    """Whole networks on A2 at 8 bits, padding counted as real words, against AccelForge's totals."""
    arch = load_arch("a2")
    energies = estimate(arch, "table")
    print("## A2, energy, Timeloop's convention\n")
    print("| work | energysim uJ | AccelForge uJ | energysim CPU s | AccelForge CPU s | largest gap |")
    print("|---|---|---|---|---|---|")
    for label, workload in (("lightweight_cnn", "lightweight_cnn"), ("resnet18 convolutions", "resnet18")):
        found: dict[TensorProblem, Timed] = {}
        energy_pj = 0.0
        for _, _, problem in layers_of(workload, 8):
            if label.endswith("convolutions") and problem.bounds["R"] * problem.bounds["P"] == 1:
                continue
            if problem not in found:
                found[problem] = timed(problem, arch, cost_model(problem, arch, energies), ENERGY, Convention.TIMELOOP)
            energy_pj += found[problem].result.value
        cpu_s = sum(one.cpu_s for one in found.values())
        gap = max(one.result.gap for one in found.values())
        print(
            f"| {label} | {energy_pj / 1e6:.2f} | {ACCELFORGE_UJ[label]:.2f} | {cpu_s:.2f} | "
            f"{ACCELFORGE_CPU_S[label]:.0f} | {gap:.1e} |"
        )
    print()


def used_leakage(arch: ArchSpec, costs: CostModel, found: Timed, problem: TensorProblem) -> float:
    """EDP with the leakage of the used instances only, as Timeloop charges it."""
    counts = evaluate(problem, arch, found.result.mapping, Convention.TIMELOOP)
    total = float(arch.instances(len(arch.nodes) - 1))
    leak_pj = costs.leak_pj_per_cycle * counts.cycles * (1 - counts.compute_instances / total)
    return (costs.energy_pj(problem, arch, counts, Convention.TIMELOOP) - leak_pj) * counts.cycles


def bench_timeloop() -> None:
    """EDP on the golden architectures against the best of all runs of timeloop-mapper (18 to 140 s per layer)."""
    print("## Golden architectures, EDP, Timeloop's convention\n")
    for name, make in (("eyeriss", eyeriss), ("simple3", simple3)):
        arch, costs = make()
        print(f"### {name}\n")
        print("| layer | EDP pJ x cycles | timeloop-mapper's best | ratio | gap | CPU s |")
        print("|---|---|---|---|---|---|")
        total = resnet = 0.0
        for label, shape in LAYERS.items():
            problem = layer(*shape)
            found = timed(problem, arch, costs, EDP, Convention.TIMELOOP)
            total += found.cpu_s
            resnet += found.cpu_s if label.startswith("r18c") else 0.0
            value, best = used_leakage(arch, costs, found, problem), BEST_EDP[name][label]
            print(
                f"| {label} | {value:.4g} | {best:.4g} | {value / best:.3f} | {found.result.gap:.1e} | "
                f"{found.cpu_s:.2f} |"
            )
        print(f"\nall layers {total:.1f} CPU s, of which CIFAR ResNet-18's twelve {resnet:.1f}\n")


def bench_rate() -> None:
    """Partial mappings whose cost is computed, per CPU second."""
    print("## Rate\n")
    print("| layer | arch | objective | partial mappings costed | CPU s | per CPU s | mapspace |")
    print("|---|---|---|---|---|---|---|")
    for name, make in (("eyeriss", eyeriss), ("simple3", simple3)):
        arch, costs = make()
        for label in ("r18c_l1", "r18i_l2b"):
            found = timed(layer(*LAYERS[label]), arch, costs, EDP, Convention.TIMELOOP)
            count = found.result.evaluated
            print(
                f"| {label} | {name} | edp | {count:,} | {found.cpu_s:.2f} | {count / found.cpu_s:,.0f} | "
                f"{found.result.mapspace_size:.1e} |"
            )
    print()


def bench_networks(archs: list[str]) -> None:
    """ImageNet networks on every shipped device, exact convention."""
    print("## Networks, energy, exact convention\n")
    print("| arch | network | layers mapped | CPU s | slowest layer CPU s | proven | largest gap |")
    print("|---|---|---|---|---|---|---|")
    traced = {workload: list(layers_of(workload, 8)) for workload in NETWORKS}
    for name in archs:
        arch = load_arch(name)
        energies = estimate(arch, "table")
        for workload, items in traced.items():
            bits = dict.fromkeys(Role, arch.default_bits)
            found: dict[TensorProblem, Timed] = {}
            refused = 0
            for problem in dict.fromkeys(problem.with_bits(bits) for _, _, problem in items):
                try:
                    found[problem] = timed(problem, arch, cost_model(problem, arch, energies), ENERGY, Convention.EXACT)
                except InfeasibleError:
                    refused += 1
            proven = sum(one.result.optimal for one in found.values())
            seconds = [one.cpu_s for one in found.values()]
            gap = max(one.result.gap for one in found.values())
            note = f" ({refused} do not fit)" if refused else ""
            print(
                f"| {name} | {workload} | {len(found)}{note} | {sum(seconds):.2f} | {max(seconds):.2f} | "
                f"{proven} | {gap:.1e} |",
                flush=True,
            )
    print()


def chain(memories: int) -> tuple[ArchSpec, CostModel]:
    """DRAM and ``memories - 1`` ever smaller memories that may bypass nothing, 8 x 8 MACs below the second."""
    roles = frozenset({"weights", "ifmap", "ofmap"})
    nodes: list[Memory | Array | Compute] = [Memory("M0", "dram", roles)]
    for level in range(1, memories):
        nodes.append(Memory(f"M{level}", "sram", roles, capacity_bits=8 * 65536 // 16 ** (level - 1)))
        if level == 1:
            nodes.append(Array("PE", 8, 8))
    if memories == 1:
        nodes.append(Array("PE", 8, 8))
    nodes.append(Compute("MAC", "int", 8))
    costs: list[tuple[AccessCost, ...]] = []
    level = 0
    for node in nodes:
        pj = ActionCost(64.0 / 8**level)
        costs.append((AccessCost(pj, pj, pj),) * 3 if isinstance(node, Memory) else ())
        level += isinstance(node, Memory)
    return ArchSpec("chain", tuple(nodes), 1e9), CostModel(tuple(costs), 0.3)


def bench_growth(figure: Path | None) -> None:
    """Search time as memories, dimensions and divisors grow, one at a time."""
    print("## Growth\n")
    series: dict[str, list[tuple[float, float]]] = {}
    plain = layer(64, 64, 28, 3)
    arch, costs = chain(3)
    timed(plain, arch, costs, ENERGY, Convention.EXACT)
    runs: list[tuple[str, float, TensorProblem, tuple[ArchSpec, CostModel]]] = []
    for memories in (1, 2, 3, 4, 5):
        runs.append(("memories", memories, plain, chain(memories)))
    for count, shape in enumerate(((64, 1, 1, 1), (64, 64, 1, 1), (64, 64, 28, 1), (64, 64, 28, 3)), start=0):
        runs.append(("dimensions", (1, 2, 4, 6)[count], layer(*shape), chain(3)))
    for channels in (13, 32, 60, 64, 96, 120, 192, 240, 360, 480, 720):
        problem = layer(channels, 64, 14, 3)
        divisors = sum(channels % d == 0 for d in range(1, channels + 1))
        runs.append(("divisors of K", divisors, problem, chain(3)))
    print("| grows | value | CPU s | partial mappings | optimal |")
    print("|---|---|---|---|---|")
    for label, x, problem, (arch, costs) in runs:
        found = timed(problem, arch, costs, ENERGY, Convention.EXACT)
        series.setdefault(label, []).append((x, found.cpu_s))
        print(f"| {label} | {x:g} | {found.cpu_s:.3f} | {found.result.evaluated:,} | {found.result.optimal} |")
    print()
    if figure is not None:
        figure.write_text(drawn(series))


def drawn(series: dict[str, list[tuple[float, float]]]) -> str:
    """The series side by side as one SVG: CPU seconds (log axis) over each growing number."""
    width, height, margin = 250, 220, 45
    low, high = 1e-3, 10.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * len(series)}" height="{height + 40}" '
        'font-family="sans-serif" font-size="11">'
    ]

    def place(value: float) -> float:
        from math import log10

        share = (log10(min(max(value, low), high)) - log10(low)) / (log10(high) - log10(low))
        return height - margin - share * (height - 1.5 * margin)

    for number, (label, points) in enumerate(series.items()):
        left = number * width + margin
        most = max(x for x, _ in points)
        ordered = sorted(points)
        dots = [(left + x / most * (width - 1.5 * margin), place(y)) for x, y in ordered]
        for tick in (1e-3, 1e-2, 1e-1, 1.0, 10.0):
            parts.append(f'<text x="{left - 6}" y="{place(tick) + 4:.0f}" text-anchor="end">{tick:g}</text>')
            parts.append(
                f'<line x1="{left}" y1="{place(tick):.1f}" x2="{left + width - 1.5 * margin}" y2="{place(tick):.1f}" '
                'stroke="#ddd"/>'
            )
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in dots)
        parts.append(f'<polyline points="{path}" fill="none" stroke="#2266aa"/>')
        parts.extend(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#2266aa"/>' for x, y in dots)
        for (x, _), (px, _) in zip(ordered, dots, strict=True):
            parts.append(f'<text x="{px:.1f}" y="{height - margin + 16}" text-anchor="middle">{x:g}</text>')
        middle = left + (width - 1.5 * margin) / 2
        parts.append(f'<text x="{middle:.0f}" y="{height - margin + 34}" text-anchor="middle">{label}</text>')
        if number == 0:
            parts.append(f'<text x="{left - 38}" y="14">CPU seconds per search</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def bench_enumeration(seeds: range) -> None:
    """The search against every mapping of small random problems and architectures, for six objectives."""
    from test_enumeration import OBJECTIVES, compare, small

    print("## Enumeration\n")
    begin = time.process_time()
    cases = mappings = 0
    for seed in seeds:
        found = small(seed, 24)
        if found is not None:
            mappings += compare(found)  # raises where the search is not right
            cases += 1
    print(
        f"seeds {seeds.start} to {seeds.stop - 1}: {cases:,} cases x {len(OBJECTIVES)} objectives, {mappings:,} "
        f"mappings evaluated, no difference; {time.process_time() - begin:.0f} CPU s\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, "enumeration", []])
    parser.add_argument("--archs", help="of the networks (default: all that are shipped)")
    parser.add_argument("--figure", type=Path, help="where the growth is drawn")
    parser.add_argument("--seeds", default="20000:21000", metavar="FIRST:LAST", help="of the enumeration")
    options = parser.parse_args()
    parts = options.parts or PARTS
    arch, costs = chain(2)
    search(layer(4, 4, 4, 3), arch, costs, objective=EDP)  # compiles, or loads what was compiled
    if "a2" in parts:
        bench_a2()
    if "timeloop" in parts:
        bench_timeloop()
    if "rate" in parts:
        bench_rate()
    if "networks" in parts:
        bench_networks(options.archs.split(",") if options.archs else list(list_archs()))
    if "growth" in parts:
        bench_growth(options.figure)
    if "enumeration" in parts:
        bench_enumeration(range(*map(int, options.seeds.split(":"))))


if __name__ == "__main__":
    main()
