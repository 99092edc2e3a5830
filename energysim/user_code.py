"""Factories in the user's own code: imported, called, and every way of failing told in one error."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from energysim.errors import EnergySimError, Location, NotFoundError, did_you_mean

if TYPE_CHECKING:
    from torch import nn


class WorkloadError(EnergySimError):
    """A workload's model cannot be built."""


def factory_in(text: str) -> Any:
    """What ``package.module:factory`` or ``path/file.py:factory`` names (nested as ``Class.method``).

    Raises NotFoundError where module, file or name do not exist, WorkloadError where importing them fails.
    """
    module_name, _, path = text.rpartition(":")
    if not module_name or not path:
        raise NotFoundError(f"{text!r} names no factory", hint="package.module:factory or path/file.py:factory")
    module = _module_in_file(Path(module_name)) if module_name.endswith(".py") else _module(module_name)
    found: Any = module
    for part in path.split("."):
        if not hasattr(found, part):
            public = [name for name in dir(found) if not name.startswith("_")]
            raise NotFoundError(f"{module_name} has no {path!r}", hint=did_you_mean(part, public))
        found = getattr(found, part)
    return found


def build_model(text: str, factory: Any, arguments: Mapping[str, Any]) -> nn.Module:
    """The model that a factory returns, or the factory itself where it is a model.

    Raises WorkloadError where it is not callable, fails, or returns something else.
    """
    from torch import nn

    if isinstance(factory, nn.Module):
        return factory
    if not callable(factory):
        raise WorkloadError(f"{text} is a {type(factory).__name__}, not a function that returns a model")
    with _told(f"{text} failed"):
        model = factory(**arguments)
    if not isinstance(model, nn.Module):
        raise WorkloadError(f"{text} returned a {type(model).__name__}", hint="a torch.nn.Module is right")
    return model


@contextmanager
def without_initialization() -> Iterator[None]:
    """Weights made within get memory but no values: for models whose layer graph alone is wanted.

    torch.nn.init's functions do nothing meanwhile, which makes building a large network many times faster.
    """
    from torch.nn import init

    fillers = {name: getattr(init, name) for name in dir(init) if name.endswith("_") and not name.startswith("_")}
    for name in fillers:
        setattr(init, name, _leave)
    try:
        yield
    finally:
        for name, filler in fillers.items():
            setattr(init, name, filler)


def _leave(tensor: Any, *_args: Any, **_kwargs: Any) -> Any:
    return tensor


def _module(name: str) -> ModuleType:
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        with _told(f"importing {name} failed"):
            return importlib.import_module(name)
    except WorkloadError as error:
        missing = error.__cause__
        # The module itself or a package above it, not something that it imports in turn.
        if isinstance(missing, ModuleNotFoundError) and missing.name and f"{name}.".startswith(f"{missing.name}."):
            hint = "a module on the Python path or in the current directory, or path/file.py:factory"
            raise NotFoundError(f"no module named {missing.name!r}", hint=hint) from None
        raise


def _module_in_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise NotFoundError(f"no file {str(path)!r}")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = f"energysim_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise NotFoundError(f"{str(path)!r} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with _told(f"running {path} failed"):
        spec.loader.exec_module(module)
    return module


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Any failure within, also an exit, becomes one WorkloadError with the user's own line; what is printed goes to
    stderr, for stdout may carry JSON."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except EnergySimError:
        raise
    except (Exception, SystemExit) as error:
        from energysim.graph.diagnose import user_line

        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        where = Location(error.filename or "", error.lineno) if isinstance(error, SyntaxError) else user_line(error)
        raise WorkloadError(f"{what}: {reason}", where=where) from error
