"""Workloads: every way of naming one, inputs, and every way of getting it wrong."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from energysim.cli import cli
from energysim.errors import EnergySimError, NotFoundError, SpecError
from energysim.inputs import InputError, InputSpec, parse_inputs
from energysim.spec_files import find_spec, list_specs
from energysim.workload import WorkloadError, classifiers, load_workload_file, resolve_workload, workload_of

MODEL = """
    from torch import nn
    import sys

    def build(width=4):
        print("building")
        return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU())

    class Net(nn.Linear):
        def __init__(self):
            super().__init__(3, 4)

    ready = nn.Linear(3, 4)
    number = 3

    def fails():
        raise RuntimeError("no such checkpoint")

    def leaves():
        sys.exit(3)

    def text():
        return "resnet"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with a user's model in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "usermodel.py").write_text(textwrap.dedent(MODEL))
    monkeypatch.delitem(__import__("sys").modules, "usermodel", raising=False)
    return tmp_path


def test_every_shipped_workload_is_valid() -> None:
    assert {"lightweight_cnn", "resnet18", "mobilenet_v2", "vit_b_16", "resnet18_imagenet"} <= set(
        list_specs("workloads")
    )
    for name in list_specs("workloads"):
        workload = resolve_workload(name)
        assert workload.name == name
        assert workload.description
        assert workload.input_shapes[0][0] == 1


def test_names_prefer_shipped_workloads() -> None:
    assert resolve_workload("resnet18").input_shapes == ((1, 3, 32, 32),)
    for spec in ("torchvision/resnet18", "torchvision.models:resnet18", "resnet18_imagenet"):
        workload = resolve_workload(spec)
        assert workload.origin == "torchvision.models:resnet18"
        assert workload.input_shapes == ((1, 3, 224, 224),)


def test_torchvision_inputs_are_those_of_the_weights() -> None:
    assert resolve_workload("inception_v3").input_shapes == ((1, 3, 299, 299),)
    assert resolve_workload("efficientnet_b1").input_shapes == ((1, 3, 240, 240),)
    assert resolve_workload("vit_h_14").input_shapes == ((1, 3, 224, 224),)
    assert len(classifiers()) >= 80


# The smallest of every family and the odd ones; `make test-all` traces the others too.
_FAMILIES = {
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3",
    "maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18",
    "resnet50", "resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_0", "swin_t", "swin_v2_t", "vgg11", "vgg11_bn",
    "vit_b_32", "wide_resnet50_2",
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [name if name in _FAMILIES else pytest.param(name, marks=pytest.mark.slow) for name in classifiers()]
)
def test_every_classifier_matches_its_published_operations(name: str) -> None:
    import torchvision

    weights = next(iter(torchvision.models.get_model_weights(name)))
    graph = resolve_workload(f"torchvision/{name}").trace()
    assert graph.unmodelled == {}
    if name == "vit_h_14":  # published for 518 pixels, built for 224
        return
    # swin_v2's position bias is a small network of parameters alone, computed ahead of inference.
    assert graph.macs / 1e9 == pytest.approx(weights.meta["_ops"], abs=6e-4, rel=4e-3 if "swin_v2" in name else 1e-4)
    assert graph.parameters == weights.meta["num_params"]


@pytest.mark.parametrize("spec", ["usermodel:build", "usermodel.py:build", "./usermodel.py:build"])
def test_user_factory(here: Path, spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    workload = resolve_workload(spec, "1x3x8x8")
    assert workload.trace().macs == 4 * 27 * 36
    assert workload.name == "build"
    assert capsys.readouterr().out == ""  # what the factory prints must not mix with JSON on stdout


def test_module_class_and_instance_are_factories(here: Path) -> None:
    assert resolve_workload("usermodel:Net", "2x3").trace().macs == 24
    assert resolve_workload("usermodel:ready", "2x3").trace().macs == 24


def test_yaml_beside_the_model(here: Path) -> None:
    (here / "mine.yaml").write_text("model: usermodel.py:build\narguments: {width: 8}\ninput: 2x3x8x8\n")
    workload = resolve_workload("mine.yaml")
    assert workload.name == "mine"
    assert workload.trace().macs == 2 * 8 * 27 * 36


def test_weights_are_seeded() -> None:
    first, second = (resolve_workload("lightweight_cnn").model() for _ in range(2))
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert any(parameter.std() > 0 for parameter in first.parameters())


def test_tracing_leaves_pytorchs_initializers_in_place() -> None:
    resolve_workload("squeezenet1_0").trace()
    weight = torch.zeros(100)
    nn.init.normal_(weight)
    assert weight.std() > 0.5


def test_model_in_hand() -> None:
    model = nn.Linear(3, 4)
    assert workload_of(model, "5x3").trace().macs == 60
    assert workload_of(model, "5x3", batch=2).trace().macs == 24
    assert workload_of(model, "5x3").model() is model
    with pytest.raises(WorkloadError, match=r"Linear does not say what its input is.*--input"):
        workload_of(model)


def test_inputs() -> None:
    assert parse_inputs("1x3x4, 2x77:int64") == (InputSpec((1, 3, 4)), InputSpec((2, 77), "int64"))
    assert [str(spec) for spec in parse_inputs("1x3x4,2x77:int64")] == ["1x3x4", "2x77:int64"]
    assert resolve_workload("resnet18", "2x3x64x64", batch=4).input_shapes == ((4, 3, 64, 64),)


@pytest.mark.parametrize(("text", "message"), [
    ("1x3xx4", "no input shape"), ("", "no input shape"), ("1,3,", "no input shape"), ("-1x3", "no input shape"),
    ("1x0x4", "axis of size 0"), ("1x3:int65", "did you mean 'int64'"), ("1x3.5", "no input shape"),
])  # fmt: skip
def test_bad_inputs(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve_workload("resnet18", text)


def test_bad_batch() -> None:
    with pytest.raises(InputError, match="batch of 0"):
        resolve_workload("resnet18", batch=0)


@pytest.mark.parametrize(("spec", "kind", "message"), [
    ("resnet19", NotFoundError, "no workload named 'resnet19'.*did you mean 'resnet18'"),
    ("something_else_entirely", NotFoundError, "a workload is a name of"),
    ("torchvision/resnet19", NotFoundError, "no classifier named 'resnet19'.*did you mean"),
    ("nowhere:build", NotFoundError, "no module named 'nowhere'"),
    ("torch.nowhere:build", NotFoundError, "no module named 'torch.nowhere'"),
    ("nowhere.py:build", NotFoundError, "no file 'nowhere.py'"),
    ("usermodel:bild", NotFoundError, "usermodel has no 'bild'.*did you mean 'build'"),
    ("usermodel:number", WorkloadError, "is a int, not a function"),
    ("usermodel:fails", WorkloadError, r"usermodel.py:17.*fails failed: RuntimeError: no such checkpoint"),
    ("usermodel:leaves", WorkloadError, "leaves failed: SystemExit: 3"),
    ("usermodel:text", WorkloadError, "returned a str.*torch.nn.Module is right"),
    ("torch.nn:Linear", WorkloadError, "missing 2 required positional arguments"),
    ("broken:build", WorkloadError, r"broken.py:1: importing broken failed: SyntaxError"),
    ("broken.py:build", WorkloadError, r"broken.py:1: running broken.py failed: SyntaxError"),
    ("imports:build", WorkloadError, "importing imports failed: ModuleNotFoundError: No module named 'notinstalled'"),
    ("missing.pt2", NotFoundError, "no file 'missing.pt2'"),
    ("missing.onnx", NotFoundError, "no file 'missing.onnx'"),
    ("missing.yaml", NotFoundError, "no file 'missing.yaml'"),
])  # fmt: skip
def test_wrong_workloads(here: Path, spec: str, kind: type[EnergySimError], message: str) -> None:
    (here / "broken.py").write_text("def build(:\n")
    (here / "imports.py").write_text("import notinstalled\n")
    with pytest.raises(kind, match=message):
        resolve_workload(spec, "1x3x8x8").trace()


def test_a_factory_without_input_is_told_what_to_do(here: Path) -> None:
    with pytest.raises(WorkloadError, match=r"'usermodel:build' does not say what its input is.*--input"):
        resolve_workload("usermodel:build")


@pytest.mark.parametrize(("text", "message"), [
    ("model: a:b\ninptu: 1x3\n", r"bad.yaml:2: inptu: unknown key 'inptu' \(did you mean 'input'\?\)"),
    ("model: a:b\ninput: 1xx3\n", r"bad.yaml:2: input: '1xx3' is no input shape"),
    ("input: 1x3\n", "missing key 'model'"),
    ("model: resnet\ninput: 1x3\n", "bad.yaml:1: model: model 'resnet' names no factory"),
])  # fmt: skip
def test_bad_yaml(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=message):
        resolve_workload(str(path))


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_trace_command_prints_a_table() -> None:
    text = invoke("trace", "lightweight_cnn", "--batch", "2")
    assert "features.0.0" in text
    assert "2x16x16x16" in text
    assert "31,507,456 MACs, 258,292 parameters" in text
    assert "flatten" not in text
    assert "flatten" in invoke("trace", "lightweight_cnn", "--views")


def test_trace_command_writes_json(tmp_path: Path) -> None:
    data: dict[str, Any] = json.loads(invoke("trace", "lightweight_cnn", "--json", "-"))
    assert (data["macs"], data["parameters"]) == (15_753_728, 258_292)
    assert sum(layer["macs"] for layer in data["layers"]) == data["macs"]
    assert data["layers"][0]["dims"] == {"G": 1, "N": 1, "K": 16, "C": 3, "P": 16, "Q": 16, "R": 3, "S": 3}
    file = tmp_path / "graph.json"
    invoke("trace", "lightweight_cnn", "--json", str(file))
    assert json.loads(file.read_text()) == data


def test_trace_command_lists_what_is_not_modelled(here: Path) -> None:
    (here / "lstm.py").write_text("from torch import nn\nbuild = lambda: nn.LSTM(3, 4)\n")
    text = invoke("trace", "lstm.py:build", "--input", "5x2x3")
    assert "not modelled: aten.lstm, 1 x" in text


def test_workload_commands() -> None:
    assert "torchvision/alexnet" in invoke("workload", "list", "--torchvision")
    names = [row["name"] for row in json.loads(invoke("workload", "list", "--json", "-"))]
    assert names == list(list_specs("workloads"))
    shown = json.loads(invoke("workload", "show", "resnet18", "--json", "-"))
    assert (shown["macs"], shown["parameters"], shown["input"]) == (555_468_800, 11_220_132, "1x3x32x32")
    assert "555,468,800" in invoke("workload", "show", "resnet18")


def test_shipped_files_name_their_data_set() -> None:
    for name in list_specs("workloads"):
        _, content = load_workload_file(find_spec("workloads", name))
        # super-resolution has no data set here
        assert content.dataset in ("cifar10", "cifar100", "imagenet") or name == "fsrcnn"
