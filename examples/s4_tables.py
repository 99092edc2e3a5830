"""System S4's tables from the store of its sweep, as Markdown: a table per device, a row per condition.

energysim sweep sweep_s4 --out sweep_s4.db
python examples/s4_tables.py sweep_s4.db > s4_tables.md
"""

from __future__ import annotations

import argparse

import pandas as pd

from energysim.errors import EnergySimError
from energysim.sweep.store import Store

SIZES = (32, 64, 128)
TILES = (16, 32, 64)


def models(points: pd.DataFrame) -> dict[str, str]:
    """Cells of one column: DRAM traffic in MB by model. ``*``: the device has no room for so large a buffer."""
    cells = {}
    for variant in ("plain", "layerwise"):
        cells[variant] = cell(points, variant)
    for tile in TILES:
        cells[f"tiled {tile}x{tile}"] = cell(points, "tiled", tile)
    for size in SIZES:
        cells[f"buffered {size} ch"] = cell(points, "buffered", None, size)
    for tile in TILES:
        for size in SIZES:
            cells[f"full {tile}x{tile}, {size} ch"] = cell(points, "full", tile, size)
    floor = points[points.workload_name == "lightweight_cnn"].dram_floor_bytes
    cells["floor"] = megabytes(floor.iloc[0]) if len(floor) else "-"
    cells["resnet18, layerwise"] = cell(points, "layerwise", network="resnet18")
    return cells


def cell(
    points: pd.DataFrame,
    variant: str,
    tile: int | None = None,
    channels: int | None = None,
    network: str = "lightweight_cnn",
) -> str:
    found = points[(points.workload_name == network) & (points.variant == variant)]
    if tile is not None:
        found = found[found.tile_rows == tile]
    if channels is None:
        return megabytes(found.dram_bytes.iloc[0]) if len(found) else "-"
    asked = found[found.buffer_channels == channels]
    cut = found[found.buffer_channels.isna()]  # `fit_buffers` gave this one in bytes
    if len(asked):
        return megabytes(asked.dram_bytes.iloc[0])
    return megabytes(cut.dram_bytes.iloc[0]) + "*" if len(cut) else "-"


def megabytes(value: float) -> str:
    return f"{value / 1e6:,.3f}" if value < 1e8 else f"{value / 1e6:,.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", help="what `energysim sweep sweep_s4 --out` wrote")
    try:
        with Store.open(parser.parse_args().store) as store:
            points = store.to_pandas()
    except EnergySimError as error:
        parser.error(str(error))
    points = points[points.status == "ok"]
    sides = points.input.str.split("x")
    points["image"] = sides.str[3] + "x" + sides.str[2]  # width x height, as the write-up says it
    points["pixels"] = sides.str[3].astype(int) * sides.str[2].astype(int)
    for device, of_device in points.groupby("arch_name"):
        columns = {
            f"{image}, batch {batch}, {bits} bits": models(chosen)
            for (_, image, batch, bits), chosen in of_device.groupby(["pixels", "image", "batch", "bits"])
        }
        table = pd.DataFrame(columns).T
        print(f"## {device}\n\nDRAM traffic of one batch in MB (10^6 bytes).\n")
        print("| condition | " + " | ".join(table.columns) + " |")
        print("|:--|" + "--:|" * len(table.columns))
        for condition, row in table.iterrows():
            print(f"| {condition} | " + " | ".join(row) + " |")
        print()


if __name__ == "__main__":
    main()
