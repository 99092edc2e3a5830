"""CPU seconds of whole commands, and where those of `simulate` go. Run: python benchmarks/bench_commands.py"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from itertools import pairwise

from rich.console import Console
from rich.table import Table

os.environ["ENERGYSIM_CACHE"] = "off"  # the time of the searches, not of reading their results

COMMANDS = [
    ["--help"],
    ["arch", "list"],
    ["arch", "show", "eyeriss"],
    ["trace", "resnet18"],
    ["simulate", "lightweight_cnn", "--arch", "a2"],
    ["simulate", "resnet18", "--arch", "jetson_nano"],
    ["simulate", "mobilenet_v2", "--arch", "gemmini"],
]


def cpu_seconds(arguments: list[str]) -> float:
    """User and system seconds of one command, children included (compiled kernels are cached by a first run)."""
    before = os.times()
    subprocess.run([sys.executable, "-m", "energysim", *arguments], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def phases(workload: str, arch: str) -> dict[str, float]:
    """CPU seconds of importing torch, tracing, and mapping the distinct layers."""
    marks = {"start": time.process_time()}
    import torch  # noqa: F401
    import torchvision  # noqa: F401

    marks["import torch"] = time.process_time()
    import energysim
    from energysim.workload import resolve_workload

    graph = resolve_workload(workload).trace()
    marks["trace"] = time.process_time()
    energysim.simulate(graph, arch)
    marks["map and cost"] = time.process_time()
    names = list(marks)
    return {name: marks[name] - marks[before] for before, name in pairwise(names)}


def main() -> None:
    table = Table("command", "CPU s", title="whole commands (second run)")
    for arguments in COMMANDS:
        cpu_seconds(arguments)
        table.add_row("energysim " + " ".join(arguments), f"{cpu_seconds(arguments):.2f}")
    console = Console()
    console.print(table)
    parts = Table("phase of simulate resnet18 --arch jetson_nano", "CPU s")
    for name, seconds in phases("resnet18", "jetson_nano").items():
        parts.add_row(name, f"{seconds:.2f}")
    console.print(parts)


if __name__ == "__main__":
    main()
