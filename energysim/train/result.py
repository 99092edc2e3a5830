"""What a finished run says of itself, as values and as the JSON in its directory."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from energysim.errors import Location, NotFoundError
from energysim.train.checkpoint import CheckpointError
from energysim.train.evaluate import Metrics
from energysim.train.hooks import EpochRecord


@dataclass(frozen=True)
class RunResult:
    """A finished run. ``validation_accuracy`` is that of the weights kept, which ``test`` belongs to; ``about`` is what
    the caller said of model and data; ``seconds`` is the time of all epochs, over all the processes that ran them,
    and of the runs that this one starts from (``about["seconds_before"]``); ``ensemble`` is what the ``snapshots``, if
    the recipe keeps some, reach together on the test images."""

    directory: str
    seed: int
    history: tuple[EpochRecord, ...]
    best_epoch: int
    validation_accuracy: float
    test: Metrics
    parameters: int
    seconds: float
    stopped_early: bool
    device: str
    about: dict[str, Any] = field(default_factory=dict)
    ensemble: Metrics | None = None
    snapshots: int = 0

    def to_json(self) -> str:
        return json.dumps({"schema": 1, "kind": "training run", **asdict(self)}, indent=1)


def read_result(path: Path) -> RunResult:
    """From ``result.json``. Raises NotFoundError, or CheckpointError where it is no such file."""
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        plain = {name: value for name, value in plain.items() if name not in ("schema", "kind")}
        history = tuple(EpochRecord(**record) for record in plain.pop("history"))
        test, together = Metrics.from_dict(plain.pop("test")), plain.pop("ensemble", None)
        ensemble = None if together is None else Metrics.from_dict(together)
        return RunResult(history=history, test=test, ensemble=ensemble, **plain)
    except FileNotFoundError:
        raise NotFoundError(f"no file {str(path)!r}", hint="a finished run has one") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"no result of a training run: {error}", where=Location(str(path))) from None
