"""The tables of docs/compression_results.md: compression methods, cut overlaps, training energy, all really trained.

Run: python benchmarks/compression_tables.py [--runs DIR]     (resumable: finished runs are not repeated)
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from pathlib import Path

from energysim.cli import cli

TARGET = Path(__file__).parent.parent / "docs" / "compression_results.md"
HEAD = """# Compression, overlap and training energy on the digits

Written by `python benchmarks/compression_tables.py`: real runs on scikit-learn's handwritten digits (1,797 images,
resized to 32x32x3), energies by simulation. What the methods do and what the numbers mean:
[compression.md](compression.md).
"""


def sections(runs: Path) -> list[tuple[str, str]]:
    """Heading and command of every table."""
    compressed, distilled, swept = runs / "compressed", runs / "distilled", runs / "sweep"
    return [
        (
            "Compression",
            "compress lightweight_cnn --methods baseline,prune,magnitude,ptq,qat --epochs 12 --seeds 3 "
            f"--out {compressed}",
        ),
        (
            "Distillation from ResNet-18",
            "compress lightweight_cnn --methods baseline,distill --epochs 5 --teacher resnet18 --teacher-epochs 2 "
            f"--out {distilled}",
        ),
        (
            "Distillation into a small network",
            "compress sub_cnn --methods baseline,distill --epochs 12 --seeds 5 --teacher lightweight_cnn "
            f"--teacher-epochs 12 --out {runs / 'distilled_small'}",
        ),
        ("Too little overlap", f"overlap {compressed}/baseline/lightweight_cnn/seed0 --tiles 1,2,4,8,16,32"),
        (
            "Energy of training",
            f"training-sweep --base-width 8 --widths 4,16 --epochs 10 --every 3 --out {swept}",
        ),
    ]


def table(command: str) -> str:
    """What an energysim command writes with --markdown. Raises SystemExit where it fails."""
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "table.md"
        cli.main([*shlex.split(command), "--markdown", str(target)], standalone_mode=False)
        return target.read_text()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="directory of the training runs")
    runs = parser.parse_args().runs
    parts = [HEAD]
    for (heading, command), (_, shown) in zip(sections(runs), sections(Path("runs")), strict=True):
        print(f"{heading}: energysim {command}", file=sys.stderr)
        parts.append(f"## {heading}\n\n    energysim {shown}\n\n{table(command)}")
    TARGET.write_text("\n".join(parts))


if __name__ == "__main__":
    main()
