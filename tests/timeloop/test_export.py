"""`energysim export timeloop`: complete, readable again with equal counts, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from energysim.arch.loader import load_arch
from energysim.cli import cli
from energysim.energy import estimate
from energysim.engines.native import evaluate
from energysim.engines.registry import get_engine
from energysim.engines.timeloop import read_timeloop
from energysim.engines.timeloop_run.results import read_result
from energysim.errors import EnergySimError
from energysim.mapping.counts import Convention
from energysim.mapping.search import Objective
from energysim.schedule.values import Overlap
from energysim.simulation.setting import Setting
from energysim.simulation.variants import Request, run_variants
from energysim.simulation.work import work_of
from energysim.workload import resolve_workload

LAYERS = """
problems:
  - name: conv1
    dims: {N: 1, K: 8, C: 3, P: 12, Q: 12, R: 3, S: 3}
    weights: [K, C, R, S]
    ifmap: [N, C, P + R - 1 < 12, Q + S - 1 < 12]
    ofmap: [N, K, P, Q]
  - name: again/conv1
    dims: {N: 1, K: 8, C: 3, P: 12, Q: 12, R: 3, S: 3}
    weights: [K, C, R, S]
    ifmap: [N, C, P + R - 1 < 12, Q + S - 1 < 12]
    ofmap: [N, K, P, Q]
  - name: fc
    dims: {N: 1, K: 10, C: 32}
    weights: [K, C]
    ifmap: [N, C]
    ofmap: [N, K]
"""


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    (tmp_path / "layers.yaml").write_text(LAYERS)
    return tmp_path / "layers.yaml"


def _export(layers: Path, target: Path, *options: str, arch: str = "meta_proto_df") -> Result:
    arguments = ["export", "timeloop", str(layers), "--arch", arch, "-o", str(target), *options]
    return CliRunner().invoke(cli, arguments)


def _index(target: Path) -> Any:
    return json.loads((target / "index.json").read_text())


@pytest.mark.parametrize(
    ("arch", "options"),
    [
        ("meta_proto_df", ()),
        ("a2", ("--variant", "tiled", "--tile", "5")),
        ("eyeriss", ("--variant", "plain")),
        ("jetson_nano", ("--variant", "full", "--tile", "6", "--buffer", "2KiB", "--bits", "16")),
        ("meta_proto_df", ("--variant", "optimal", "--tile", "6", "--objective", "dram,energy")),
    ],
)
def test_every_case_reads_back_with_the_counts_that_it_states(
    layers: Path, tmp_path: Path, arch: str, options: tuple[str, ...]
) -> None:
    target = tmp_path / "out"
    done = _export(layers, target, *options, arch=arch)
    assert done.exit_code == 0, done.output
    index = _index(target)
    assert {row["layer"] for case in index["cases"] for row in case["layers"]} == {"conv1", "again/conv1", "fc"}
    macs = {"conv1": 0, "again/conv1": 0, "fc": 0}
    for case in index["cases"]:
        directory = target / case["case"]
        names = ("architecture", "problem", "mapping", "ERT", "ART")
        given = read_timeloop([directory / f"{name}.yaml" for name in names])
        assert not given.warnings
        counts = evaluate(given.need_problem(), given.arch, given.need_mapping(), Convention.TIMELOOP)
        assert {(a.level, a.tensor): (a.reads, a.fills, a.updates, a.instances) for a in counts.accesses} == {
            (row["level"], row["tensor"]): (row["reads"], row["fills"], row["updates"], row["instances"])
            for row in case["expected"]["levels"]
        }
        # The mapper's files are an architecture of their own where constraints need other levels.
        own = directory / "architecture.mapper.yaml"
        arch_file = own if own.exists() else directory / "architecture.yaml"
        files = [arch_file, directory / "problem.yaml", directory / "constraints.yaml", target / "mapper.yaml"]
        read = read_timeloop(files)
        assert read.mapper["optimization_metrics"]
        nodes = [directory / "architecture.v4.yaml", directory / "problem.yaml"]
        assert [m.name for m in read_timeloop(nodes).arch.memories] == [m.name for m in given.arch.memories]
        for row in case["layers"]:
            macs[row["layer"]] += row["repeats"] * case["expected"]["macs"]
    assert macs["fc"] == 320
    assert macs["conv1"] == macs["again/conv1"] == 8 * 3 * 144 * 9


def test_equal_layers_are_one_case(layers: Path, tmp_path: Path) -> None:
    assert _export(layers, tmp_path / "out").exit_code == 0
    index = _index(tmp_path / "out")
    assert [case["case"] for case in index["cases"]] == ["1_conv1", "2_fc"]
    assert index["cases"][0]["layers"] == [
        {"layer": "conv1", "repeats": 1},
        {"layer": "again/conv1", "repeats": 1},
    ]
    assert os.access(tmp_path / "out" / "run.sh", os.X_OK)


def test_an_earlier_export_is_replaced_only_when_told_and_other_files_never(layers: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    assert _export(layers, target).exit_code == 0
    (target / "1_conv1" / "model").mkdir()
    again = _export(layers, target)
    assert isinstance(again.exception, EnergySimError) and "--force replaces it" in str(again.exception)
    assert (target / "1_conv1" / "model").exists()
    assert _export(layers, target, "--force", "--variant", "plain").exit_code == 0
    assert _index(target)["variant"] == "plain" and not (target / "1_conv1" / "model").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "index.json").write_text('{"pages": []}')
    kept = _export(layers, other, "--force")
    assert isinstance(kept.exception, EnergySimError) and "holds other files" in str(kept.exception)
    assert [path.name for path in other.iterdir()] == ["index.json"]
    file = _export(layers, layers)
    assert isinstance(file.exception, EnergySimError) and "is a file" in str(file.exception)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_what_cannot_be_written_leaves_nothing(layers: Path, tmp_path: Path) -> None:
    done = _export(layers, tmp_path / "out", arch="ethos_u55")
    assert isinstance(done.exception, EnergySimError)
    assert "layer 'conv1': ethos_u55 cannot be written for Timeloop: SHRAM keeps words of" in str(done.exception)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["layers.yaml"]
    assert _export(layers, tmp_path / "out", "--variant", "all").exit_code == 2


def test_a_place_that_cannot_be_written_to(layers: Path, tmp_path: Path) -> None:
    done = _export(layers, layers / "out")
    assert isinstance(done.exception, EnergySimError) and "cannot write" in str(done.exception)


def _stand_in(directory: Path, stats: str) -> None:
    """A program that writes its arguments and the statistics that it is told to."""
    for name in ("timeloop-model", "timeloop-mapper"):
        path = directory / name
        path.write_text(
            '#!/bin/sh\nout=\nfor a; do [ "$out" = next ] && out=$a; [ "$a" = -o ] && out=next; done\n'
            f'echo "$TIMELOOP_HIDE_INCONSEQUENTIAL_STATS $@" > "$out/arguments"\n{stats} > "$out/{name}.stats.txt"\n'
        )
        path.chmod(0o755)


def _script(target: Path, programs: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{programs}:/usr/bin:/bin"}
    command = [str(target / "run.sh"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_the_script_runs_every_case_and_tells_what_failed(layers: Path, tmp_path: Path) -> None:
    target, programs = tmp_path / "out", tmp_path / "bin"
    programs.mkdir()
    assert _export(layers, target, arch="eyeriss").exit_code == 0
    missing = _script(target, programs)
    assert missing.returncode == 2 and "timeloop-model is not on PATH" in missing.stderr
    _stand_in(programs, "echo some")
    done = _script(target, programs)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2, done.stderr
    arguments = (target / "1_conv1" / "model" / "arguments").read_text().split()
    assert arguments[:2] == ["0", "1_conv1/architecture.yaml"] and "1_conv1/mapping.yaml" in arguments
    assert _script(target, programs, "mapper", "2_fc").returncode == 0
    arguments = (target / "2_fc" / "mapper" / "arguments").read_text().split()
    assert arguments[1] == "2_fc/architecture.mapper.yaml" and "mapper.yaml" in arguments
    assert not (target / "1_conv1" / "mapper").exists()
    assert _script(target, programs, "modle").returncode == 2
    _stand_in(programs, ":")
    empty = _script(target, programs, "mapper", "2_fc")
    assert empty.returncode == 1 and "2_fc: timeloop-mapper found no mapping" in empty.stderr
    _stand_in(programs, "false")
    failed = _script(target, programs)
    assert failed.returncode == 1 and "1_conv1: timeloop-model failed" in failed.stderr


def test_the_works_of_a_schedule_are_all_its_macs() -> None:
    graph, arch = resolve_workload("lightweight_cnn").trace(), load_arch("meta_proto_df")
    setting = Setting(
        arch, estimate(arch), get_engine("native"), Objective.parse("energy"), Convention.EXACT, arch.default_bits, None
    )
    for variant in ("tiled", "full"):
        request = Request.checked(variant, (5, 5), 40_000, None, Overlap.RECOMPUTE)
        (planned,) = run_variants(graph, setting, request, None)
        macs: dict[str, int] = {}
        for work in work_of(graph, planned.schedule, setting):
            macs[work.layer] = macs.get(work.layer, 0) + work.repeats * work.mapped.counts.macs
        assert macs == {layer.name: layer.macs_executed for layer in planned.cost.layers if layer.macs_executed}


@pytest.mark.skipif(shutil.which("timeloop-model") is None, reason="the real Timeloop is not on PATH")
def test_the_real_timeloop_counts_what_the_index_states(layers: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    assert _export(layers, target, "--variant", "tiled", "--tile", "6").exit_code == 0
    done = subprocess.run([str(target / "run.sh"), "model"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for case in _index(target)["cases"]:
        found = read_result(
            target / case["case"] / "model" / "timeloop-model.map+stats.xml", ["weights", "ifmap", "ofmap"]
        )
        for row in case["expected"]["levels"]:
            level = found.level(row["level"])
            space = None if level is None else level.space(row["tensor"])
            assert space is not None
            counts = [round(words * space.instances) for words in (space.reads, space.fills, space.updates)]
            assert counts == [row["reads"], row["fills"], row["updates"]], (case["case"], row)
            assert space.energy_pj == pytest.approx(row["energy_pj"], rel=1e-6)
