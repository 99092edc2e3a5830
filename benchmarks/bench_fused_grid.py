"""DeFiNES' case study: FSRCNN, 36 tiles x 3 overlap modes on meta_proto_df, energy and latency, in one process.

Run: python benchmarks/bench_fused_grid.py      (prints every point and the CPU seconds of all of them)

CPU seconds count tracing, planning, mapping and costing of all points; nothing is read from disk, and the kernels are
compiled before. DeFiNES' own figures (Mei et al., HPCA 2023, run on the same grid) stand beside where recorded.
"""

from __future__ import annotations

import os
import time
from itertools import product

from rich.console import Console
from rich.table import Table

os.environ["ENERGYSIM_CACHE"] = "off"

DEFINES_CPU_S = 473
# (columns, rows) -> uJ for recompute, cache_columns, cache
DEFINES_UJ = {
    (1, 1): (47295, 9616, 5505),
    (4, 4): (5993, 2790, 1917),
    (16, 18): (2339, 1993, 1823),
    (4, 72): (3490, 1851, 1814),
    (60, 72): (2383, 2242, 2176),
}
COLUMNS, ROWS = (1, 4, 16, 60, 240, 960), (1, 4, 18, 72, 270, 540)
OVERLAPS = ("recompute", "cache_columns", "cache")


def main() -> None:
    import energysim
    from energysim.arch.loader import load_arch
    from energysim.workload import resolve_workload

    energysim.simulate("lightweight_cnn", "meta_proto_df")
    table = Table("overlap", "columns x rows", "stacks", "GMAC", "M DRAM words", "uJ", "DeFiNES uJ", "ms", "gap")
    start = time.process_time()
    arch, graph = load_arch("meta_proto_df"), resolve_workload("fsrcnn").trace()
    points = 0
    for mode, columns, rows in product(OVERLAPS, COLUMNS, ROWS):
        cost = energysim.simulate(graph, arch, variant="full", tile=(rows, columns), overlap=mode, bits=8).variants[0]
        points += 1
        theirs = DEFINES_UJ.get((columns, rows))
        table.add_row(
            mode,
            f"{columns} x {rows}",
            str(len({layer.stack for layer in cost.layers})),
            f"{cost.macs_executed / 1e9:.2f}",
            f"{cost.dram_bytes / 1e6:.2f}",
            f"{cost.energy.value / 1e6:,.0f}",
            "" if theirs is None else f"{theirs[OVERLAPS.index(mode)]:,}",
            f"{cost.latency_s * 1e3:.2f}",
            f"{max(layer.gap for layer in cost.layers):.1%}",
        )
    spent = time.process_time() - start
    console = Console(width=120)
    console.print(table)
    console.print(f"{points} points in {spent:.1f} CPU s (DeFiNES: {DEFINES_CPU_S})")


if __name__ == "__main__":
    main()
