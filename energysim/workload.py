"""A workload: a model and its inputs, found by name, YAML path, ``package.module:factory``, .pt2 or .onnx file."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from energysim.errors import NotFoundError, did_you_mean
from energysim.inputs import InputSpec, parse_inputs, with_batch
from energysim.spec_files import SpecFile, SpecModel, checked, find_spec, list_specs, load_yaml, validate_model
from energysim.user_code import WorkloadError, build_model, factory_in

if TYPE_CHECKING:
    from torch import nn

    from energysim.graph.layers import LayerGraph

_SEED = 0


class WorkloadFile(SpecModel):
    """A workload's YAML.

    ``model`` is ``package.module:factory`` or ``file.py:factory`` (beside the YAML), ``arguments`` go to the factory,
    ``input`` gives the shapes ("1x3x32x32", several with commas, other types as "1x77:int64").
    """

    model: str
    input: Annotated[tuple[InputSpec, ...], BeforeValidator(checked(parse_inputs))]
    description: str = ""
    arguments: dict[str, Any] = Field(default_factory=dict)
    dataset: str | None = None


@dataclass(frozen=True)
class Workload:
    """A model and its inputs. ``build`` makes the model (None for an ONNX file), ``read`` the layer graph."""

    name: str
    origin: str
    inputs: tuple[InputSpec, ...]
    build: Callable[[], nn.Module] | None = field(repr=False)
    read: Callable[[], LayerGraph] = field(repr=False)
    description: str = ""
    dataset: str | None = None

    @property
    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        return tuple(spec.shape for spec in self.inputs)

    def model(self) -> nn.Module:
        """A fresh model with seeded weights. Raises WorkloadError where there is none or its factory fails."""
        if self.build is None:
            raise WorkloadError(f"{self.origin} is not a PyTorch model", hint="its layer graph can be simulated")
        return _seeded(self.build)

    def example_inputs(self) -> tuple[Any, ...]:
        """Tensors of the input shapes: seeded random numbers, zeros where integers are asked for."""
        return _tensors(self.inputs, "cpu")

    def trace(self) -> LayerGraph:
        """The layer graph. Raises TraceError, or WorkloadError where the model cannot be built."""
        return self.read()


def resolve_workload(
    spec: str, input_shape: str | None = None, batch: int | None = None, offered: Mapping[str, Any] | None = None
) -> Workload:
    """The workload that ``spec`` names; ``input_shape`` replaces its inputs, ``batch`` their first axis. ``offered``:
    arguments for factories that take them, such as ``num_classes`` (a YAML file's own give way to them).

    In this order: a ``.yaml``, ``.pt2`` or ``.onnx`` file; ``package.module:factory`` or ``path/file.py:factory`` (the
    current directory is importable); ``torchvision/NAME``; a name of the shipped workloads; a torchvision classifier.
    So ``resnet18`` is the CIFAR one and ``torchvision/resnet18`` or ``torchvision.models:resnet18`` torchvision's.

    Raises NotFoundError, SpecError or WorkloadError, each with what would be right.
    """
    given = None if input_shape is None else parse_inputs(input_shape)
    more = offered or {}
    suffix = Path(spec).suffix.lower()
    if suffix in (".yaml", ".yml"):
        return _from_yaml(find_spec("workloads", spec), given, batch, more)
    if suffix in (".pt2", ".onnx"):
        return _from_file(Path(spec), suffix, given, batch)
    if spec.startswith("torchvision/"):
        return _from_torchvision(spec.removeprefix("torchvision/"), given, batch, more)
    if ":" in spec:
        module, _, factory = spec.rpartition(":")
        if module == "torchvision.models" and factory in classifiers():
            return _from_torchvision(factory, given, batch, more)
        return _from_factory(spec, {}, None, given, batch, more)
    if spec in list_specs("workloads"):
        return _from_yaml(find_spec("workloads", spec), given, batch, more)
    if spec in classifiers():
        return _from_torchvision(spec, given, batch, more)
    known = sorted({*list_specs("workloads"), *classifiers()})
    forms = "a name of `energysim workload list`, a YAML path, package.module:factory, file.py:factory, .pt2 or .onnx"
    raise NotFoundError(f"no workload named {spec!r}", hint=did_you_mean(spec, known) or f"a workload is {forms}")


def workload_of(model: nn.Module, input_shape: str | None = None, batch: int | None = None) -> Workload:
    """The workload of a model in hand. Raises WorkloadError where ``input_shape`` is missing."""
    name = type(model).__name__
    inputs = _inputs(None if input_shape is None else parse_inputs(input_shape), None, batch, f"the model {name}")
    return Workload(name, name, inputs, lambda: model, lambda: _trace_built(lambda: model, inputs, name))


@functools.cache
def classifiers() -> tuple[str, ...]:
    """Names of torchvision's image classifiers, sorted."""
    import torchvision

    return tuple(sorted(torchvision.models.list_models(module=torchvision.models)))


def load_workload_file(path: Path) -> tuple[SpecFile, WorkloadFile]:
    """A workload's YAML, checked. Raises SpecError with file, line and key."""
    spec = load_yaml(path)
    return spec, validate_model(WorkloadFile, spec)


def _from_yaml(
    path: Path, given: tuple[InputSpec, ...] | None, batch: int | None, offered: Mapping[str, Any]
) -> Workload:
    if is_problems_file(path):
        return _from_problems(path, given, batch)
    spec, content = load_workload_file(path)
    module, _, factory = content.model.rpartition(":")
    if not module:
        raise spec.error(f"model {content.model!r} names no factory", ("model",), hint="package.module:factory")
    if module == "torchvision.models" and factory in classifiers() and not content.arguments:
        found = _from_torchvision(factory, given or content.input, batch, offered)
    else:
        text = f"{path.parent / module}:{factory}" if module.endswith(".py") else content.model
        found = _from_factory(text, content.arguments, content.input, given, batch, offered)
    return Workload(
        path.stem, str(content.model), found.inputs, found.build, found.read, content.description, content.dataset
    )


def is_problems_file(path: Path) -> bool:
    """Whether a workload's YAML writes its layers out as problems instead of naming a model."""
    content = load_yaml(path).plain
    return isinstance(content, Mapping) and "problems" in content


def _from_problems(path: Path, given: tuple[InputSpec, ...] | None, batch: int | None) -> Workload:
    """Layers written out as problems: there is no model, and the sizes are the file's own."""
    from energysim.graph.explicit import explicit_graph
    from energysim.graph.problem_file import ProblemsFile

    content = validate_model(ProblemsFile, load_yaml(path))
    if given is not None or batch is not None:
        raise WorkloadError(f"{path} writes its layers out, sizes included", hint="change the bounds there")
    graph = explicit_graph(path.stem, [(item.name, item.problem) for item in content.problems])
    inputs = tuple(InputSpec(graph.edges[name].shape) for name in graph.inputs)
    return Workload(path.stem, str(path), inputs, None, lambda: graph, content.description)


def _from_factory(
    text: str,
    arguments: Mapping[str, Any],
    default: tuple[InputSpec, ...] | None,
    given: tuple[InputSpec, ...] | None,
    batch: int | None,
    offered: Mapping[str, Any],
) -> Workload:
    factory = factory_in(text)
    inputs = _inputs(given, default, batch, repr(text))
    build = functools.partial(build_model, text, factory, {**arguments, **_taken(factory, offered)})
    name = text.rpartition(":")[2]
    own = text.startswith("energysim.nn.zoo")
    return Workload(name, text, inputs, build, lambda: _trace_built(build, inputs, name, initialize=not own))


def _taken(factory: Any, offered: Mapping[str, Any]) -> dict[str, Any]:
    """Of the offered arguments those that the factory takes by name."""
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return {}
    return {name: value for name, value in offered.items() if name in parameters}


def _from_torchvision(
    name: str, given: tuple[InputSpec, ...] | None, batch: int | None, offered: Mapping[str, Any]
) -> Workload:
    if name not in classifiers():
        hint = did_you_mean(name, classifiers())
        raise NotFoundError(f"torchvision has no classifier named {name!r}", hint=hint)
    inputs = _inputs(given or _torchvision_inputs(name), None, batch, name)
    build = functools.partial(_torchvision_model, name, offered)
    return Workload(
        name, f"torchvision.models:{name}", inputs, build, lambda: _trace_built(build, inputs, name, initialize=False)
    )


def _torchvision_inputs(name: str) -> tuple[InputSpec, ...]:
    """One image of the size that the first published weights were evaluated at (of a ViT: what it is built for)."""
    import torchvision

    weights = next(iter(torchvision.models.get_model_weights(name)))
    size = 224 if name.startswith("vit_") else weights.transforms.keywords["crop_size"]
    return (InputSpec((1, 3, size, size)),)


def _torchvision_model(name: str, offered: Mapping[str, Any]) -> nn.Module:
    """Without weights. The auxiliary classifiers of GoogLeNet are left out, as its published weights leave them out."""
    import torchvision

    options = {"googlenet": {"aux_logits": False, "init_weights": False}, "inception_v3": {"init_weights": False}}
    model: nn.Module = torchvision.models.get_model(name, weights=None, **options.get(name, {}), **offered)
    return model


def _from_file(path: Path, suffix: str, given: tuple[InputSpec, ...] | None, batch: int | None) -> Workload:
    if not path.is_file():
        raise NotFoundError(f"no file {str(path)!r}")
    if suffix == ".onnx":
        from energysim.graph.read_onnx import onnx_graph, onnx_inputs

        found = given or tuple(InputSpec(shape, dtype) for shape, dtype in onnx_inputs(path, batch or 1))
        inputs = _inputs(found, None, batch, str(path))
        return Workload(path.stem, str(path), inputs, None, lambda: onnx_graph(path, [spec.shape for spec in inputs]))
    from energysim.graph.read_pt2 import load_pt2, pt2_graph

    program, shapes = load_pt2(path)
    inputs = _inputs(given, tuple(InputSpec(shape, dtype) for shape, dtype in shapes), batch, str(path))
    changed = [(spec.shape, spec.dtype) for spec in inputs] != list(shapes)
    read = functools.partial(pt2_graph, program, path.stem)
    made = functools.partial(_tensors, inputs, "cpu") if changed else lambda: None
    return Workload(path.stem, str(path), inputs, program.module, lambda: read(made()))


def _inputs(
    given: tuple[InputSpec, ...] | None, default: tuple[InputSpec, ...] | None, batch: int | None, what: str
) -> tuple[InputSpec, ...]:
    chosen = given if given is not None else default
    if chosen is None:
        raise WorkloadError(f"{what} does not say what its input is", hint="give --input, for example 1x3x224x224")
    return chosen if batch is None else with_batch(chosen, batch)


def _seeded(build: Callable[[], nn.Module]) -> nn.Module:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return build()


def _trace_built(
    build: Callable[[], nn.Module], inputs: tuple[InputSpec, ...], name: str, initialize: bool = True
) -> LayerGraph:
    """Build and trace. Without ``initialize`` weights get no values: a layer graph does not depend on them."""
    from energysim.graph.trace import trace
    from energysim.user_code import without_initialization

    with contextlib.nullcontext() if initialize else without_initialization():
        model = _seeded(build)
    device = next((str(parameter.device) for parameter in model.parameters()), "cpu")
    return trace(model, _tensors(inputs, device), name=name)


def _tensors(inputs: tuple[InputSpec, ...], device: str) -> tuple[Any, ...]:
    """Seeded random numbers; zeros for integers and booleans, which are valid indices and masks."""
    import torch

    made = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        for spec in inputs:
            dtype = getattr(torch, spec.dtype)
            filled = torch.rand(spec.shape) if dtype.is_floating_point else torch.zeros(spec.shape)
            made.append(filled.to(device=device, dtype=dtype))
    return tuple(made)


__all__ = ["Workload", "WorkloadError", "resolve_workload", "workload_of"]
