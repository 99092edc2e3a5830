"""The engine `accelforge` on recorded results of the real package, and its refusals."""

from __future__ import annotations

import hashlib
import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).parents[1] / "timeloop_run"))
import small_cases as small

from energysim.engines import accelforge, native
from energysim.engines.registry import get_check, get_engine
from energysim.errors import NotFoundError, ProgramError, SpecError, UnavailableError
from energysim.mapping.counts import Convention
from energysim.mapping.search import ENERGY

_RUNS = Path(__file__).parent / "accelforge_runs.json"  # of accelforge 1.0.467
CASES = {name: getattr(small, name) for name in ("PLAIN", "BOTH_AXES", "NEIGHBOURS", "WRAPS", "STRIDED", "DIRECT")}
TIMELOOP = Convention.TIMELOOP


def key_of(text: str) -> str:
    """A run by the content of its input: problem, memories and nest."""
    yaml = YAML(typ="safe")
    for tag in ("!Memory", "!Container", "!Compute", "!Storage", "!Temporal", "!Spatial"):
        yaml.constructor.add_constructor(
            tag, lambda loader, node: [str(node.tag), loader.construct_mapping(node, True)]
        )
    return hashlib.sha256(json.dumps(yaml.load(text), sort_keys=True).encode()).hexdigest()[:16]


class _Spec:
    """Stands in for ``accelforge.Spec``: answers what the real one answered."""

    def __init__(self, text: str) -> None:
        self.text = text

    @classmethod
    def from_yaml(cls, path: str) -> _Spec:
        return cls(Path(path).read_text())

    def evaluate_mapping(self) -> _Spec:
        return self

    def to_dict(self) -> dict[str, Any]:
        numbers: dict[str, Any] = json.loads(_RUNS.read_text())[key_of(self.text)]
        return {**numbers, "layer<SEP>mapping": object()}


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> type[_Spec]:
    module = types.ModuleType("accelforge")
    module.Spec = _Spec  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "accelforge", module)
    return _Spec


def test_counts(package: type[_Spec]) -> None:
    """Operands without sliding windows are counted alike; all writes of results are updates."""
    problem, mapping = small.PLAIN
    theirs = get_engine("accelforge").evaluate(problem, small.arch(), mapping, TIMELOOP)
    ours = native.evaluate(problem, small.arch(), mapping, TIMELOOP)
    assert theirs.macs == ours.macs == problem.macs
    assert theirs.compute_cycles == ours.compute_cycles
    for mine in ours.accesses:
        other = theirs.at(mine.level, mine.tensor)
        assert other is not None
        assert other.instances == mine.instances
        assert other.fills + other.updates == mine.fills + mine.updates or mine.tensor == "ifmap"
        if mine.tensor == "weights":
            assert (other.reads, other.fills) == (mine.reads, mine.fills)


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("PLAIN", {accelforge.WINDOWS, accelforge.DRAINED}),
        ("BOTH_AXES", {accelforge.WINDOWS, accelforge.DRAINED}),
        ("NEIGHBOURS", {accelforge.STAYS}),
        ("WRAPS", {accelforge.STAYS}),
        ("STRIDED", {accelforge.DRAINED}),
        ("DIRECT", {accelforge.WINDOWS, accelforge.DRAINED}),
    ],
)
def test_every_difference_has_its_reason(package: type[_Spec], name: str, reasons: set[str]) -> None:
    problem, mapping = CASES[name]
    arch = small.arch(bypass=name == "DIRECT")
    ours = native.evaluate(problem, arch, mapping, TIMELOOP)
    found = accelforge.check(problem, arch, mapping, None).explain(problem, arch, mapping, ours, TIMELOOP)  # type: ignore[arg-type]
    assert {difference.reason for difference in found} == reasons


def test_tampered_numbers_have_no_reason(package: type[_Spec], monkeypatch: pytest.MonkeyPatch) -> None:
    real = _Spec.to_dict

    def more(self: _Spec) -> dict[str, Any]:
        return {key: value + 1 if key.endswith("read") else value for key, value in real(self).items()}

    monkeypatch.setattr(_Spec, "to_dict", more)
    problem, mapping = small.PLAIN
    arch = small.arch()
    ours = native.evaluate(problem, arch, mapping, TIMELOOP)
    found = accelforge.check(problem, arch, mapping, None).explain(problem, arch, mapping, ours, TIMELOOP)  # type: ignore[arg-type]
    assert {difference.place.what for difference in found if difference.reason is None} == {"reads"}


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "accelforge", None)
    for ask in (get_engine, get_check):
        with pytest.raises(UnavailableError, match=r"needs accelforge.*pip install energysim-edge\[accelforge\]"):
            ask("accelforge")


def test_evaluates_only(package: type[_Spec]) -> None:
    engine, (problem, mapping) = get_engine("accelforge"), small.PLAIN
    with pytest.raises(UnavailableError, match="evaluates given mappings only"):
        engine.search(problem, small.arch(), None, ENERGY, TIMELOOP)  # type: ignore[arg-type]
    with pytest.raises(UnavailableError, match="knows no padding"):
        engine.evaluate(problem, small.arch(), mapping, Convention.EXACT)


def test_imperfect_factors(package: type[_Spec]) -> None:
    problem, mapping = small.UNEVEN
    with pytest.raises(SpecError, match="perfect factors only: P has 4, 3"):
        get_engine("accelforge").evaluate(problem, small.arch(), mapping, TIMELOOP)


def test_refusal(package: type[_Spec], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: _Spec) -> _Spec:
        raise ValueError("first line\nno such rank variable")

    monkeypatch.setattr(_Spec, "evaluate_mapping", refuse)
    with pytest.raises(ProgramError, match="AccelForge refuses the mapping: no such rank variable"):
        get_engine("accelforge").evaluate(small.PLAIN[0], small.arch(), small.PLAIN[1], TIMELOOP)


def test_other_result(package: type[_Spec], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Spec, "to_dict", lambda self: {})
    with pytest.raises(
        ProgramError, match="AccelForge's result has no 'layer<SEP>action<SEP>DRAM<SEP>weights<SEP>read'"
    ):
        get_engine("accelforge").evaluate(small.PLAIN[0], small.arch(), small.PLAIN[1], TIMELOOP)


def test_unknown_engine() -> None:
    with pytest.raises(NotFoundError, match="did you mean 'accelforge'"):
        get_check("acelforge")
