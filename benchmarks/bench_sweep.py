"""A sweep of 10,000 points: lightweight_cnn x tile x buffer x size of the feature-map memory, fused on meta_proto_df.

Run: python benchmarks/bench_sweep.py [--points 10000] [--jobs 2] [--cache]

Prints points per CPU second (as the store notes it for every point: without the start of processes), the wall time, and
the memory of every process as the sweep goes on. Mappings are kept on disk in a directory of its own, which starts
empty; --cache takes the user's.
Compare --jobs 1 and --jobs 2 for the speed-up. With --profile one process runs the points under cProfile.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import sys
import tempfile
import time
from pathlib import Path

TILES, BUFFERS, CAPACITIES = 32, 20, 16
EXPERIMENT = """\
sweep:
  workload: lightweight_cnn
  arch: meta_proto_df
  variant: full
  tile: {from: 1, to: 32}
  buffer: {from: 4 KiB, to: 80 KiB, step: 4 KiB}
  arch.LB_IO.capacity: {from: 32 KiB, to: 512 KiB, step: 32 KiB}
search: {method: random, points: POINTS, seed: 0}
"""


def memory_mib() -> list[int]:
    """Resident memory of this process and its descendants."""
    found, processes = [], [os.getpid()]
    while processes:
        process = processes.pop()
        try:
            status = Path(f"/proc/{process}/status").read_text()
            processes += map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())
        except OSError:
            continue
        found += [int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmRSS")]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=TILES * BUFFERS * CAPACITIES)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cache", action="store_true", help="the user's cache of mappings, not an empty one")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        if not options.cache:
            os.environ["ENERGYSIM_CACHE"] = str(Path(directory) / "cache")
        from energysim.sweep import Store, run_sweep

        file = Path(directory) / "bench.yaml"
        file.write_text(EXPERIMENT.replace("POINTS", str(options.points)))
        step = max(1, options.points // 10)
        began = time.perf_counter()

        def told(done: int, total: int, _what: str) -> None:
            if done and done % step == 0:
                print(f"{done:6} of {total}: {time.perf_counter() - began:7.1f} s, MiB {memory_mib()}", flush=True)

        profile = cProfile.Profile()
        if options.profile:
            profile.enable()
        result = run_sweep(
            file, Path(directory) / "bench.db", jobs=1 if options.profile else options.jobs, progress=told
        )
        profile.disable()
        wall_s = time.perf_counter() - began
        with Store.open(Path(directory) / "bench.db") as store:
            cpu_s = float(store.to_pandas()["cpu_s"].sum())
        size_mib = (Path(directory) / "bench.db").stat().st_size / 2**20
        print(f"{result.computed} points, {result.infeasible} infeasible, {result.failed} failed, {options.jobs} jobs")
        print(
            f"{wall_s:.1f} s wall, {cpu_s:.1f} CPU s, {result.computed / cpu_s:.1f} points per CPU s, "
            f"{size_mib:.0f} MiB of store"
        )
        if options.profile:
            pstats.Stats(profile, stream=sys.stdout).sort_stats("cumulative").print_stats(40)


if __name__ == "__main__":
    main()
