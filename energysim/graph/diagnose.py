"""Why a model could not be traced: which layer wanted what, or which line decides by data."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from energysim.errors import Location, TraceError

_PACKAGE = Path(__file__).resolve().parent.parent
_LIBRARY = str(Path(torch.__file__).resolve().parent)
_PYTHON = sysconfig.get_paths()["stdlib"]
_REFUSALS = (RuntimeError, ValueError, AssertionError, IndexError)


def explain(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], cause: Exception) -> TraceError:
    """One TraceError for what torch.export raised; runs the model again, on tensors without data, to find the layer."""
    failing, inside = _first_failure(model, args, kwargs)
    if failing is None:
        return _control_flow(cause)
    if inside is None:
        return TraceError(f"the model cannot be run: {first_line(failing)}", where=user_line(failing))
    path, module, inputs = inside
    text = _misfit(path, module, inputs) or f"{path or type(module).__name__}: {first_line(failing)}"
    return TraceError(text, where=user_line(failing), hint=_remedy(failing))


def _control_flow(cause: Exception) -> TraceError:
    """The model runs but cannot be traced."""
    kind = type(cause).__name__
    if "DataDependent" in kind or "data-dependent" in str(cause) or "tracing tensor" in str(cause):
        return TraceError(
            "the model decides by the data which operators to run, so it has no one layer graph",
            where=user_line(cause),
            hint="trace the branch that matters as a module of its own, or replace the condition with torch.where",
        )
    return TraceError(f"torch.export: {kind}: {first_line(cause)}", where=user_line(cause))


def _first_failure(
    model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Exception | None, tuple[str, nn.Module, tuple[Any, ...]] | None]:
    """The exception of a run on data-less tensors, and the innermost module that it came from, with its inputs."""
    from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode

    paths = {id(module): path for path, module in model.named_modules()}
    entered: list[tuple[str, nn.Module, tuple[Any, ...]]] = []

    def enter(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        entered.append((paths.get(id(module), ""), module, inputs))

    def leave(_module: nn.Module, _inputs: Any, _output: Any) -> None:
        entered.pop()

    # Global hooks: the user's model gets none of its own.
    hooks = (
        nn.modules.module.register_module_forward_pre_hook(enter),
        nn.modules.module.register_module_forward_hook(leave),
    )
    try:
        with FakeTensorMode(allow_non_fake_inputs=True) as mode, torch.no_grad():
            fake = torch.utils._pytree.tree_map_only(torch.Tensor, mode.from_tensor, (args, dict(kwargs)))
            model(*fake[0], **fake[1])
    except (DataDependentOutputException, DynamicOutputShapeException):
        return None, None
    except Exception as error:
        return error, (entered[-1] if entered else None)
    finally:
        for hook in hooks:
            hook.remove()
    return None, None


def _misfit(path: str, module: nn.Module, inputs: tuple[Any, ...]) -> str | None:
    """What a torch.nn layer expects of its input's channel axis, where that is what is wrong."""
    source = inputs[0] if inputs and isinstance(inputs[0], torch.Tensor) else None
    if source is None:
        return None
    shape = tuple(source.shape)
    text = "x".join(str(size) for size in shape)
    label = path or type(module).__name__
    if isinstance(module, nn.modules.conv._ConvNd):
        axes = len(module.kernel_size)
        if len(shape) not in (axes + 1, axes + 2):
            return (
                f"{label} expects an input of {axes + 2} axes (batch, channels, {axes} in space), its input is {text}"
            )
        if shape[-axes - 1] != module.in_channels:
            return f"{label} expects {module.in_channels} input channels, its input {text} has {shape[-axes - 1]}"
        if module.transposed:
            return None
        return f"{label} has a kernel of {tuple(module.kernel_size)}, too large for its padded input {text}"
    if isinstance(module, nn.Linear) and shape[-1] != module.in_features:
        return f"{label} expects {module.in_features} input features, its input {text} has {shape[-1]}"
    if isinstance(module, nn.modules.batchnorm._BatchNorm) and len(shape) > 1 and shape[1] != module.num_features:
        return f"{label} expects {module.num_features} channels, its input {text} has {shape[1]}"
    return None


def user_line(error: BaseException) -> Location | None:
    """The innermost line outside PyTorch and this package, of the error or of what caused it."""
    seen: BaseException | None = error
    while seen is not None:
        for frame in reversed(traceback.extract_tb(seen.__traceback__)):
            if not frame.filename.startswith((_LIBRARY, "<")) and not _is_own(frame.filename):
                return Location(frame.filename, frame.lineno, frame.name)
        seen = seen.__cause__ or seen.__context__
    return None


def _is_own(file: str) -> bool:
    """A line of this package or of Python itself is no user's line; one in this package's models is."""
    path = Path(file)
    if file.startswith(_PYTHON) and "site-packages" not in path.parts:
        return True
    return path.is_relative_to(_PACKAGE) and not path.is_relative_to(_PACKAGE / "nn")


def _remedy(failing: Exception) -> str | None:
    """What would help: another shape where an operator refused, other inputs where forward did; nothing for a bug."""
    if isinstance(failing, TypeError):
        return "inputs are separated with commas: --input 1x3x224x224,1x10"
    return "give an input of another shape" if isinstance(failing, _REFUSALS) else None


def first_line(error: BaseException) -> str:
    """What an exception says, without the advice that PyTorch appends."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
