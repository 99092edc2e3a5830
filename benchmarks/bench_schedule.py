"""CPU seconds, peak memory and result of the variant `optimal`, one process per row.

Run: python benchmarks/bench_schedule.py [WORKLOAD ARCH OBJECTIVE]...   (all rows below where none is named)
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time

from rich.console import Console
from rich.table import Table

ROWS = [
    (workload, arch, objective)
    for workload in ("resnet18", "resnet18_imagenet", "mobilenet_v2")
    for arch in ("meta_proto_df", "jetson_nano", "a2")
    for objective in ("dram", "energy", "latency", "edp")
]


def measure(workload: str, arch: str, objective: str) -> dict[str, float]:
    """In this process: tracing, then all variants with `optimal` last (searches are not remembered between runs)."""
    import energysim
    from energysim.workload import resolve_workload

    graph = resolve_workload(workload).trace()
    traced_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.process_time()
    result = energysim.simulate(graph, arch, variant="optimal", objective=objective)
    best = result.variants[0]
    return {
        "cpu_s": time.process_time() - start,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "traced_mib": traced_mib,
        "energy_uj": best.energy.value / 1e6,
        "latency_ms": best.latency_s * 1e3,
        "dram_bytes": best.dram_bytes,
        "floor_bytes": best.dram_floor_bytes,
        "gap": best.gap,
    }


def main() -> None:
    arguments = sys.argv[1:]
    if arguments[:1] == ["--one"]:
        print(json.dumps(measure(*arguments[1:])))
        return
    rows = list(zip(*[iter(arguments)] * 3, strict=True)) or ROWS
    table = Table(
        "workload",
        "device",
        "objective",
        "CPU s",
        "peak MiB",
        "of it tracing",
        "uJ",
        "ms",
        "DRAM bytes",
        "floor",
        "gap",
    )
    environment = {**os.environ, "ENERGYSIM_CACHE": "off"}
    for workload, arch, objective in rows:
        command = [sys.executable, __file__, "--one", workload, arch, objective]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        found = json.loads(done.stdout.splitlines()[-1])
        table.add_row(
            workload,
            arch,
            objective,
            f"{found['cpu_s']:.1f}",
            f"{found['peak_mib']:.0f}",
            f"{found['traced_mib']:.0f}",
            f"{found['energy_uj']:.1f}",
            f"{found['latency_ms']:.3f}",
            f"{found['dram_bytes']:,.0f}",
            f"{found['floor_bytes']:,.0f}",
            f"{found['gap']:.2%}",
        )
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
