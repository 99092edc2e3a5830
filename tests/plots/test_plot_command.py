"""`energysim plot`: files of every kind of input, one clear error for what is wrong, nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

import energysim
from energysim.cli import cli
from energysim.errors import EnergySimError
from energysim.report.plots import PLOTS
from energysim.simulation import SimulationResult
from energysim.sweep import run_sweep


@pytest.fixture(scope="module")
def simulated() -> SimulationResult:
    return energysim.simulate("ffnn", "jetson_nano", variant="buffered", buffer_bytes=4096)


@pytest.fixture(scope="module")
def files(simulated: SimulationResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result and a sweep's store."""
    directory = tmp_path_factory.mktemp("inputs")
    (directory / "result.json").write_text(simulated.to_json())
    (directory / "batches.yaml").write_text(
        "sweep: {workload: ffnn, arch: jetson_nano, variant: [layerwise, buffered], batch: [1, 2],"
        " buffer: [4 KiB, 8 KiB]}"
    )
    (directory / "runs.d").mkdir()
    run_sweep(directory / "batches.yaml", directory / "sweep.db", jobs=1)
    return directory


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["plot", *map(str, arguments)])


def test_the_list_names_every_plot() -> None:
    shown = _run("--list").output.splitlines()
    assert [line.split()[0] for line in shown] == list(PLOTS)


def test_one_figure_in_several_formats(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/bin/energysim", "plot", "traffic", "result.json"])
    done = _run("traffic", files / "result.json", "-o", tmp_path / "t.png", "-o", tmp_path / "t.svg")
    assert done.exit_code == 0, done.output
    with Image.open(tmp_path / "t.png") as image:
        assert image.info["Description"] == "energysim plot traffic result.json"
    assert "<svg" in (tmp_path / "t.svg").read_text()


def test_all_draws_what_the_input_has_and_says_what_not(files: Path, tmp_path: Path) -> None:
    done = _run("all", files / "result.json", "-o", tmp_path / "figures", "--format", "svg")
    assert done.exit_code == 0, done.output
    names = {"energy", "layer-energy", "traffic", "roofline", "occupancy", "sensitivity"}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {f"{name}.svg" for name in names}
    done = _run("all", files / "sweep.db", "-o", tmp_path / "sweep", "--format", "svg", "--x", "batch")
    assert done.exit_code == 0, done.output
    assert {path.stem for path in (tmp_path / "sweep").iterdir()} == {"growth", "pareto", "ablation"}
    assert "heatmap: not drawn, the sweep has no different values of 'tile'" in done.stderr


def test_a_sweeps_figure_shows_its_store(files: Path, tmp_path: Path) -> None:
    done = _run("heatmap", files / "sweep.db", "--x", "batch", "--y", "buffer", "-o", tmp_path / "h.svg")
    assert done.exit_code == 0, done.output
    texts = (tmp_path / "h.svg").read_text()
    assert "batch 2, buffer 8 KiB: " in texts and ">batch</text>" in texts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("trafic", "result.json", "-o", "x.png"), r"no plot 'trafic' \(did you mean 'traffic'"),
        (("traffic", "none.json", "-o", "x.png"), r"no '.*none\.json'"),
        (("traffic", "batches.yaml", "-o", "x.png"), "this is no JSON"),
        (("traffic", "sweep.db", "-o", "x.png"), "traffic is drawn from a result of .*, not from the store of a sweep"),
        (("heatmap", "result.json", "-o", "x.png"), "heatmap is drawn from the store of a sweep, not from results"),
        (("energy", "result.json", "sweep.db", "-o", "x.png"), "inputs of several kinds: results, sweep"),
        (("traffic", "result.json", "result.json", "-o", "x.png"), "traffic shows one result, not 2"),
        (("traffic", "result.json", "-o", "x.bmp"), "figures are no bmp"),
        (("traffic", "result.json", "-o", "x.png", "--variant", "ful"), "no variant 'ful'"),
        (("growth", "sweep.db", "-o", "x.png", "--metric", "speed"), "no metric 'speed'"),
        (("training-curves", "runs.d", "-o", "x.png"), "no finished run in"),
    ],
)
def test_what_is_wrong_is_one_clear_error(
    files: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    placed = [tmp_path / a if a.startswith("x.") else files / a if "." in a else a for a in arguments]
    done = _run(*placed)
    assert isinstance(done.exception, EnergySimError)
    with pytest.raises(EnergySimError, match=message):
        raise done.exception
    assert not list(tmp_path.iterdir())


def test_an_option_that_the_plot_does_not_take_is_refused(files: Path, tmp_path: Path) -> None:
    done = _run("energy", files / "result.json", "-o", tmp_path / "x.png", "--variant", "full")
    assert done.exit_code == 2 and "energy takes no --variant" in done.output


def test_a_result_without_occupancy_says_so(simulated: SimulationResult, files: Path, tmp_path: Path) -> None:
    data = json.loads((files / "result.json").read_text())
    (tmp_path / "bare.json").write_text(json.dumps({**data, "occupancy": []}))
    done = _run("occupancy", tmp_path / "bare.json", "-o", tmp_path / "o.svg")
    assert isinstance(done.exception, EnergySimError) and "no on-chip memory that holds both" in str(done.exception)
