"""Trace time per network, and how much of it is torch.export's own. Prints a table; `--json FILE` keeps it.

python benchmarks/bench_trace.py [NAME ...]
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

import torch

from energysim.graph.trace import trace
from energysim.user_code import without_initialization
from energysim.workload import resolve_workload

NAMES = (
    "lightweight_cnn", "resnet18", "resnet18_imagenet", "resnet50", "mobilenet_v2", "efficientnet_b0", "densenet121",
    "vgg16", "vit_b_16", "swin_t",
)  # fmt: skip


def measure(name: str, repeats: int) -> dict[str, float | int | str]:
    """Best of ``repeats``, in CPU seconds: building, torch.export alone, the whole trace."""
    workload = resolve_workload(name)
    assert workload.build is not None
    start = time.process_time()
    with without_initialization():
        model = workload.build().eval()
    build_s = time.process_time() - start
    inputs = tuple(torch.zeros(shape) for shape in workload.input_shapes)
    export_s = trace_s = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        with torch.no_grad():
            torch.export.export(model, inputs, strict=False)
        middle = time.process_time()
        graph = trace(model, inputs)
        export_s, trace_s = min(export_s, middle - start), min(trace_s, time.process_time() - middle)
    return {
        "name": name,
        "layers": len(graph.layers),
        "build_s": build_s,
        "export_s": export_s,
        "trace_s": trace_s,
        "own_s": trace_s - export_s,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = [measure(name, options.repeats) for name in options.names]
    print(f"{'network':20} {'layers':>6} {'build s':>8} {'export s':>9} {'trace s':>8} {'own s':>7}")
    for row in rows:
        times = " ".join(
            f"{row[key]:>{width}.2f}" for key, width in (("build_s", 8), ("export_s", 9), ("trace_s", 8), ("own_s", 7))
        )
        print(f"{row['name']:20} {row['layers']:>6} {times}")
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
