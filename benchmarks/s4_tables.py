"""Memory access of the S4 models: which of the write-up's claims hold on which device, image, batch and word width.

Run: python benchmarks/s4_tables.py [--quick] > docs/s4_memory_access.md
Every number is DRAM traffic in MB (10^6 bytes) of one batch, with the objective `dram`; claims are shown as claims.
"""

from __future__ import annotations

import argparse
import sys
import time

import energysim
from energysim.errors import InfeasibleError
from energysim.graph.layers import LayerGraph
from energysim.workload import resolve_workload

ARCHS = ("jetson_nano", "meta_proto_df")
IMAGES = ((32, 32), (224, 224), (480, 640))
BATCHES = (1, 128)
BITS = (8, 16, 32)
TILES = (16, 32, 64)
CHANNELS = (32, 64, 128)
CLAIMED = {
    "ResNet-18": 12.4,
    "lightweight (plain)": 3.2,
    "tiling 32x32": 1.8,
    "buffering 64ch": 1.5,
    "full 32x32, 64ch": 1.0,
    "tiling 16x16": 1.2,
    "tiling 64x64": 1.8,
    "buffering 32ch": 1.4,
    "buffering 128ch": 0.9,
}
_LIMIT_S = 5.0


def dram_mb(graph: LayerGraph, arch: str, bits: int, variant: str, **sizes: object) -> float | None:
    """None where the device cannot run the variant."""
    try:
        result = energysim.simulate(
            graph, arch, bits=bits, variant=variant, objective="dram", time_limit_s=_LIMIT_S, **sizes
        )
    except InfeasibleError:
        return None
    return result.variants[0].dram_bytes / 1e6


def models(arch: str, image: tuple[int, int], batch: int, bits: int) -> dict[str, float | None]:
    """DRAM traffic of every model of the write-up's tables, in MB."""
    shape = f"{batch}x3x{image[0]}x{image[1]}"
    resnet = resolve_workload("resnet18", shape).trace()
    light = resolve_workload("lightweight_cnn", shape).trace()
    found = {
        "ResNet-18": dram_mb(resnet, arch, bits, "layerwise"),
        "lightweight (plain)": dram_mb(light, arch, bits, "plain"),
        "lightweight (layerwise)": dram_mb(light, arch, bits, "layerwise"),
    }
    for tile in TILES:
        found[f"tiling {tile}x{tile}"] = dram_mb(light, arch, bits, "tiled", tile=(tile, tile))
    for channels in CHANNELS:
        found[f"buffering {channels}ch"] = dram_mb(light, arch, bits, "buffered", buffer_channels=channels)
    full = {"tile": (32, 32), "buffer_channels": 64, "overlap": "cache"}
    found["full 32x32, 64ch"] = dram_mb(light, arch, bits, "full", **full)
    floor = energysim.simulate(light, arch, bits=bits, objective="dram", time_limit_s=_LIMIT_S).variants[0]
    found["floor (lightweight)"] = floor.dram_floor_bytes / 1e6
    return found


def _cell(value: float | None) -> str:
    return "does not fit" if value is None else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="only 32x32, batch 1, 8 bits")
    quick = parser.parse_args().quick
    images, batches, widths = (IMAGES[:1], (1,), (8,)) if quick else (IMAGES, BATCHES, BITS)
    reductions: list[tuple[float, str]] = []
    for arch in ARCHS:
        for image in images:
            columns = {(batch, bits): models(arch, image, batch, bits) for batch in batches for bits in widths}
            heads = " | ".join(f"batch {batch}, {bits} bits" for batch, bits in columns)
            print(f"\n## {arch}, {image[1]}x{image[0]} image\n")
            print(f"| DRAM traffic, MB | claimed | {heads} |")
            print("|---|---|" + "---|" * len(columns))
            for name in next(iter(columns.values())):
                cells = " | ".join(_cell(found[name]) for found in columns.values())
                print(f"| {name} | {CLAIMED.get(name, '')} | {cells} |")
            for (batch, bits), found in columns.items():
                plain, full = found["lightweight (plain)"], found["full 32x32, 64ch"]
                if plain is not None and full is not None:
                    where = f"{arch}, {image[1]}x{image[0]}, batch {batch}, {bits} bits"
                    reductions.append((plain / full, where))
            sys.stdout.flush()
            print(f"done: {arch} {image}, {time.process_time():.0f} CPU s", file=sys.stderr)
    print("\n## The claim of 3.2x less memory access (plain / full)\n")
    for ratio, where in sorted(reductions, reverse=True):
        print(f"- {ratio:.2f}x: {where} - {'holds' if ratio >= 3.2 else 'does not hold'}")


if __name__ == "__main__":
    main()
