"""Every way in which a run can go wrong ends in one clear error, with no process and no file left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import small_cases as small

from energysim import programs
from energysim.cost.model import cost_model
from energysim.energy import estimate
from energysim.engines.protocol import MappedLayer
from energysim.engines.registry import get_engine
from energysim.engines.timeloop_run import runs
from energysim.engines.timeloop_run.inputs import RunInput, model_input
from energysim.errors import EnergySimError, InfeasibleError, ProgramError, UnavailableError
from energysim.mapping.counts import Convention
from energysim.mapping.search import Objective

Patch = pytest.MonkeyPatch


def _input() -> RunInput:
    return model_input(small.PLAIN[0], small.arch(), small.PLAIN[1])


def _search(time_limit_s: float | None = None) -> MappedLayer:
    arch, problem = small.arch(), small.PLAIN[0]
    costs = cost_model(problem, arch, estimate(arch))
    engine = get_engine("timeloop")
    return engine.search(problem, arch, costs, Objective.parse("energy"), Convention.TIMELOOP, time_limit_s)


def test_missing(timeloop: Path, monkeypatch: Patch) -> None:
    (timeloop / "timeloop-model").unlink()
    with pytest.raises(UnavailableError, match=r"timeloop-model is not installed.*https://timeloop") as caught:
        get_engine("timeloop")
    assert runs.VARIABLE in str(caught.value)


def test_missing_mapper(timeloop: Path) -> None:
    (timeloop / "timeloop-mapper").unlink()
    with pytest.raises(UnavailableError, match="timeloop-mapper is not installed"):
        _search()


def test_prefix_that_is_missing(timeloop: Path, monkeypatch: Patch) -> None:
    monkeypatch.setenv(runs.VARIABLE, "no_such_docker run image")
    with pytest.raises(UnavailableError, match="ENERGYSIM_TIMELOOP starts with 'no_such_docker'"):
        get_engine("timeloop")


def test_prefix_that_is_no_command(timeloop: Path, monkeypatch: Patch) -> None:
    monkeypatch.setenv(runs.VARIABLE, "docker run 'image")
    with pytest.raises(UnavailableError, match=r"is no command: No closing quotation.*docker run --rm --init"):
        get_engine("timeloop")


def test_prefix(timeloop: Path, tmp_path: Path, monkeypatch: Patch) -> None:
    """A prefix runs the program elsewhere: it gets the directory of the run, and the switches as words."""
    container = tmp_path / "container"
    container.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\ncd "$1" && shift && exec env -i PATH="$PATH" "$@"\n'
    )
    container.chmod(0o755)
    monkeypatch.setenv(runs.VARIABLE, f"{container} {{dir}}")
    get_engine("timeloop")
    directory, *words = (tmp_path / "calls").read_text().split()
    assert directory.startswith(str(tmp_path / "tmp"))
    assert words[0] == "env"
    assert "TIMELOOP_DISABLE_LINK_TRANSFERS=1" in words
    assert words[-2:] == ["timeloop-model", "input.yaml"]


def test_other_version(timeloop: Path, monkeypatch: Patch) -> None:
    monkeypatch.setenv("FAKE_TIMELOOP", "more")
    with pytest.raises(
        UnavailableError, match=r"counts otherwise than version 4cf6d4c.*reads, fills, updates of W at DRAM"
    ):
        get_engine("timeloop")


def test_version_that_cannot_evaluate(timeloop: Path, monkeypatch: Patch) -> None:
    monkeypatch.setenv("FAKE_TIMELOOP", "crash")
    with pytest.raises(UnavailableError, match="cannot evaluate a small problem as version 4cf6d4c"):
        get_engine("timeloop")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("crash", r"timeloop-model failed \(1\): ERROR: couldn't map level GLB: mapped tile size 9"),
        ("abort", "timeloop-model was ended by signal 6"),
        ("empty", r"timeloop-model.map\+stats.xml: the statistics are empty"),
        ("garbage", r"timeloop-model.map\+stats.xml: holds no complete element 'engine'"),
        ("unwritten", r"timeloop-model.map\+stats.xml: Timeloop wrote no statistics"),
    ],
)
def test_model_that_fails(timeloop: Path, monkeypatch: Patch, fault: str, message: str) -> None:
    monkeypatch.setenv("FAKE_TIMELOOP", fault)
    with pytest.raises(ProgramError, match=message):
        runs.run_model(_input())


def test_other_xml(timeloop: Path, tmp_path: Path) -> None:
    """An archive of another layout names what is missing."""
    path = tmp_path / "x.xml"
    path.write_text("<engine><topology_><levels_><item><px></px></item></levels_></topology_></engine>")
    with pytest.raises(ProgramError, match=r"x.xml: is not what .* expects of Timeloop: .*holds no"):
        runs.read_result(path, ["weights"])


@pytest.mark.parametrize("fault", ["nothing", "empty"])
def test_mapper_that_finds_nothing(timeloop: Path, monkeypatch: Patch, fault: str) -> None:
    """It exits with 0 and empty files."""
    monkeypatch.setenv("FAKE_TIMELOOP", fault)
    monkeypatch.setenv("FAKE_TIMELOOP_FOR", "timeloop-mapper")
    reason = "0 fanout, 100000 capacity" if fault == "nothing" else "--engine native"
    with pytest.raises(InfeasibleError, match=f"timeloop-mapper found no valid mapping.*{reason}"):
        _search()


@pytest.mark.parametrize("fault", ["hang", "deaf"])
def test_model_time_limit(timeloop: Path, monkeypatch: Patch, fault: str) -> None:
    monkeypatch.setenv("FAKE_TIMELOOP", fault)
    monkeypatch.setattr(programs, "_GRACE_S", 0.3)
    with pytest.raises(ProgramError, match=r"timeloop-model did not end within 1 s"):
        runs.run_model(_input(), limit_s=1.0)
    assert not programs._children


def test_mapper_that_does_not_listen(timeloop: Path, monkeypatch: Patch) -> None:
    monkeypatch.setenv("FAKE_TIMELOOP", "deaf")
    monkeypatch.setattr(programs, "_GRACE_S", 0.3)
    with pytest.raises(ProgramError, match=r"did not end 0.5 s after its time limit of 1 s"):
        runs.run_mapper(_input(), limit_s=1.0, ask_s=0.5)


def test_directory_that_cannot_be_written(timeloop: Path, tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(EnergySimError, match=r"no directory for a Timeloop run: No such file.*set TMPDIR"):
        runs.run_model(_input())


def test_exact_convention(timeloop: Path) -> None:
    engine = get_engine("timeloop")
    with pytest.raises(UnavailableError, match="--convention timeloop, or --engine native"):
        engine.evaluate(*small.PLAIN[:1], small.arch(), small.PLAIN[1], Convention.EXACT)


def test_ctrl_c(timeloop: Path, tmp_path: Path) -> None:
    """An interrupted simulation stops its searches, says so in one word, and leaves nothing half-written."""
    environment = os.environ | {"FAKE_TIMELOOP": "deaf", "FAKE_TIMELOOP_FOR": "timeloop-mapper"}
    words = [
        "simulate",
        "lightweight_cnn",
        "-a",
        "simple3",
        "--engine",
        "timeloop",
        "--json",
        str(tmp_path / "out.json"),
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "energysim", *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, text=True,
    ) as child:  # fmt: skip
        running = _wait_for(tmp_path / "tmp", child)
        child.send_signal(signal.SIGINT)
        output = child.communicate(timeout=60)[0]
    assert child.returncode == 130
    assert output.strip().splitlines()[-1] == "interrupted"
    assert "Traceback" not in output
    assert running
    assert not [pid for pid in running if Path(f"/proc/{pid}").exists()]
    assert not (tmp_path / "out.json").exists()


def _wait_for(directory: Path, child: subprocess.Popen[str]) -> list[int]:
    """Until a mapper searches; the processes that work in one of its directories."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and child.poll() is None:
        if any("searching" in path.read_text() for path in directory.glob("*/output.txt")):
            break
        time.sleep(0.1)
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cwd").readlink().is_relative_to(directory):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
