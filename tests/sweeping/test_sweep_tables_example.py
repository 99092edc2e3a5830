"""The example that prints system S4's tables from a store: the store's figures, in the cells they belong to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from energysim.sweep import Store, load_experiment, run_sweep

ROOT = Path(__file__).parents[2]
PART = """\
sweep:
  workload: lightweight_cnn
  arch: jetson_nano
  variant: [plain, tiled, buffered]
  tile: 16
  buffer: [32ch, 128ch]
  input: 1x3x32x32
  batch: [1, 2]
  bits: 16
  objective: dram
fit_buffers: true
"""


def test_cells_are_the_stores_figures(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text(PART)
    run_sweep(load_experiment(str(tmp_path / "part.yaml")), tmp_path / "part.db", jobs=1)
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "s4_tables.py", tmp_path / "part.db"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "## jetson_nano"
    head, first, second = ([cell.strip() for cell in line.split("|")[1:-1]] for line in (lines[4], *lines[6:8]))
    assert first[0] == "32x32, batch 1, 16 bits" and second[0] == "32x32, batch 2, 16 bits"
    with Store.open(tmp_path / "part.db") as store:
        points = store.to_pandas()
    for batch, row in ((1, first), (2, second)):
        cells = dict(zip(head, row, strict=True))
        of_batch = points[points.batch == batch]
        for variant, column in (("plain", "plain"), ("tiled", "tiled 16x16")):
            (value,) = of_batch[of_batch.variant == variant].dram_bytes
            assert cells[column] == f"{value / 1e6:.3f}"
        buffered = of_batch[of_batch.variant == "buffered"]
        (asked,) = buffered[buffered.buffer_channels == 32].dram_bytes
        (cut,) = buffered[buffered.buffer_channels.isna()].dram_bytes
        assert cells["buffered 32 ch"] == f"{asked / 1e6:.3f}"
        assert cells["buffered 128 ch"] == f"{cut / 1e6:.3f}*"
        assert cells["floor"] == f"{of_batch.dram_floor_bytes.iloc[0] / 1e6:.3f}"
        assert cells["layerwise"] == cells["full 16x16, 32 ch"] == cells["resnet18, layerwise"] == "-"
