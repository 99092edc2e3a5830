"""What a point is, as a digest: equal work has one key, and whatever could change a number changes the key."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import energysim
from energysim.spec_files import find_spec, list_specs, load_yaml
from energysim.sweep.point import Point
from energysim.sweep.resolve import arch_digest, with_whole_input, workload_of
from energysim.user_code import factory_in
from energysim.version import __version__

SCHEMA = 1

# The code that a number depends on; what only prints, stores or trains is not among it.
_BEHIND = (
    "arch", "cost", "energy", "engines", "graph", "mapping", "nn", "schedule", "simulation",
    "inputs.py", "units.py", "user_code.py", "workload.py",
)  # fmt: skip
# Libraries whose own version changes a number, by what asks for them.
_ESTIMATED_BY = {"hwcomponents": ("hwcomponents", "hwcomponents-cacti", "hwcomponents-library")}


def key_of(point: Point) -> str:
    """SHA-256 over what defines the point's result: sizes, network, device, tables, and the code that computes it.

    Raises NotFoundError, SpecError or WorkloadError where network, device or a file do not exist.
    """
    point = with_whole_input(point.canonical())
    plain = asdict(point)
    for name in ("workload", "arch", "overrides", "batch", "ert", "art"):
        del plain[name]
    identity = {
        "schema": SCHEMA,
        "energysim": __version__,
        "code": code_digest(),
        "workload": [workload_of(point.workload, point.input, None).name, workload_digest(point.workload)],
        "arch": [arch_digest(point.arch), point.overrides],
        "tables": [[_file_digest(file) for file in files] for files in (point.ert, point.art)],
        "libraries": _versions(_ESTIMATED_BY.get(point.estimator, ())),
        **plain,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


@cache
def workload_digest(text: str) -> str:
    """Digest of what defines a network: its YAML, the source file of its factory, its .pt2 or .onnx file.

    Modules that the factory's own file imports are not looked into, except energysim's.
    """
    suffix = Path(text).suffix.lower()
    if suffix in (".pt2", ".onnx"):
        return _file_digest(text)
    if suffix in (".yaml", ".yml") or text in list_specs("workloads"):
        path = find_spec("workloads", text)
        model = load_yaml(path).at(("model",))
        parts: tuple[Any, ...] = (_file_digest(str(path)),)
        if isinstance(model, str) and ":" in model:
            module, _, factory = model.rpartition(":")
            parts += (_factory_digest(f"{path.parent / module}:{factory}" if module.endswith(".py") else model),)
        return _digest(parts)
    if ":" in text:
        return _digest((text.rpartition(":")[2], _factory_digest(text)))
    return _digest((text.removeprefix("torchvision/"), _versions(("torchvision",))))


def _factory_digest(text: str) -> object:
    """Of the file that the factory is defined in; of a library's, its version."""
    module, _, _ = text.rpartition(":")
    package = module.partition(".")[0]
    if package == "torchvision":
        return (text, _versions((package,)))
    if package == "energysim":  # among the code
        return text
    file = inspect.getsourcefile(inspect.unwrap(factory_in(text))) if not module.endswith(".py") else module
    return (text.rpartition(":")[2], None if file is None else _file_digest(file))


@cache
def code_digest() -> str:
    """Of energysim's own code behind every number, as it was when first asked for."""
    root = Path(energysim.__file__).parent
    files = [file for name in _BEHIND for file in sorted((root / name).rglob("*.py")) or [root / name]]
    return _digest([(str(file.relative_to(root)), _file_digest(str(file))) for file in files])


@cache
def _file_digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


@cache
def _versions(packages: tuple[str, ...]) -> tuple[str, ...]:
    found = []
    for package in packages:
        try:
            found.append(importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            found.append("")
    return tuple(found)


def forget_files() -> None:
    """Read files anew: they may have changed since the last sweep of this process."""
    workload_digest.cache_clear()
    _file_digest.cache_clear()
