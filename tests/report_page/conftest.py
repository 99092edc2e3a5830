"""A small residual network, simulated once: a skip connection, two variants, layers that move words only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import energysim
from energysim.report.page import Sources, report_page
from energysim.simulation import stored_result

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
def texts(data: dict[str, Any], hostile: dict[str, Any]) -> dict[str, str]:
    """The page of each, with all its plots."""
    return {
        name: report_page(Sources((stored_result(plain, "result.json"),)))
        for name, plain in (("plain", data), ("hostile", hostile))
    }


@pytest.fixture(scope="session")
def result_file(data: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("results") / "result.json"
    path.write_text(json.dumps(data))
    return path
