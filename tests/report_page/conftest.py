"""A small residual network, simulated once: a skip connection, two variants, layers that move words only."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import energysim
from energysim.report.page import Sources, read_sources, report_page
from energysim.simulation import stored_result
from energysim.train.evaluate import Metrics
from energysim.train.hooks import EpochRecord
from energysim.train.result import RunResult

HOSTILE = """<script>document.title='owned'</script>"'&"""


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.inner = nn.Conv2d(8, 8, 3, padding=1)
        self.wide = nn.Conv2d(8, 32, 3, stride=2, padding=1)
        self.head = nn.Linear(32, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        stem = torch.relu(self.stem(images))
        maps = torch.relu(self.wide(stem + self.inner(stem)))
        return self.head(maps.mean(dim=(2, 3)))


@pytest.fixture(scope="session")
def data() -> dict[str, Any]:
    """What `simulate --json` writes of it."""
    options: dict[str, Any] = {"input": "1x3x16x16", "tile": (8, 8)}
    found = [energysim.simulate(Residual(), "jetson_nano", variant=name, **options) for name in ("layerwise", "full")]
    plain, other = (json.loads(result.to_json()) for result in found)
    return {**plain, **{part: plain[part] + other[part] for part in ("variants", "occupancy")}}


@pytest.fixture(scope="session")
def hostile(data: dict[str, Any]) -> dict[str, Any]:
    """The same with names that would break a page which trusts them."""
    text = json.dumps(data).replace('"inner', json.dumps(HOSTILE)[:-1])
    plain: dict[str, Any] = json.loads(text.replace('"Residual"', json.dumps(f"Residual {HOSTILE}")))
    plain["notes"].append(HOSTILE)
    return plain


@pytest.fixture(scope="session")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished runs of the network, two seeds, and of another one, whose validation accuracies are 0.5, 0.6, ..."""
    directory = tmp_path_factory.mktemp("runs")
    for name, seeds in (("Residual", 2), ("other", 1)):
        for seed in range(seeds):
            history = tuple(
                EpochRecord(epoch, "all", 0.1, 1.0 / epoch, 0.7, 1.0 / epoch, 0.4 + 0.1 * epoch, 1.0, {})
                for epoch in range(1, 4)
            )
            metrics = Metrics(100, 0.5, 0.7, 0.9, (0.7,), ((100,),), 0.01)
            run = directory / name / f"seed{seed}"
            about = {"name": name, "data": "digits"}
            run.mkdir(parents=True)
            result = RunResult(str(run), seed, history, 3, 0.7, metrics, 10, 1.0, False, "cpu", about)
            (run / "result.json").write_text(result.to_json())
    return directory


@pytest.fixture(scope="session")
def texts(data: dict[str, Any], hostile: dict[str, Any], run_directory: Path) -> dict[str, str]:
    """The page of each, with all its plots; the first with training runs."""
    plain, other = ((stored_result(found, "result.json"),) for found in (data, hostile))
    return {
        "plain": report_page(replace(read_sources([run_directory]), results=plain)),
        "hostile": report_page(Sources(other)),
    }


@pytest.fixture(scope="session")
def result_file(data: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("results") / "result.json"
    path.write_text(json.dumps(data))
    return path
