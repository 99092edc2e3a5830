"""`energysim map` as a user types it: on a workload's layer and on Timeloop's files."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import energysim
from energysim.cli import cli
from energysim.errors import EnergySimError, InfeasibleError, NotFoundError, SpecError

FILES = Path(__file__).parent.parent / "timeloop" / "files"
ROW_STATIONARY = ("rowstationary_nodes", "rowstationary_mapping", "rowstationary_ert")  # the problem in the second
GRID = ("grid_tree", "conv_problem", "grid_ert")
LAYER = ("lightweight_cnn", "--layer", "features.1.0", "--arch", "a2")
DESIGN_KEYS = {"levels", "cycles", "energy_pj", "macs", "mapping", "optimal", "gap", "objective"}
LEVEL_KEYS = {"level", "tensor", "reads", "fills", "updates", "instances", "energy_pj"}


def files(stems: tuple[str, ...]) -> list[str]:
    return [str(FILES / f"{stem}.yaml") for stem in stems]


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["map", *arguments])


def printed(*arguments: str) -> str:
    result = invoke(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def mapped(*arguments: str) -> dict[str, Any]:
    output: dict[str, Any] = json.loads(printed(*arguments, "--json", "-"))
    return output


def refusal(*arguments: str) -> EnergySimError:
    error = invoke(*arguments).exception
    assert isinstance(error, EnergySimError)
    return error


@pytest.fixture(scope="module")
def layer() -> dict[str, Any]:
    return mapped(*LAYER)


def test_json_has_the_keys_of_the_design(layer: dict[str, Any]) -> None:
    assert layer.keys() >= DESIGN_KEYS
    assert all(row.keys() >= LEVEL_KEYS for row in layer["levels"])
    assert all(loop.keys() == {"level", "dim", "bound", "last", "spatial"} for loop in layer["mapping"])
    assert (layer["optimal"], layer["gap"], layer["objective"]) == (True, 0.0, "energy")
    assert layer["value"] == layer["bound"] and layer["mapspace_size"] > layer["evaluated"] > 0


def test_loops_make_up_the_layer(layer: dict[str, Any]) -> None:
    bounds: dict[str, int] = {}
    for loop in layer["mapping"]:
        bounds[loop["dim"]] = bounds.get(loop["dim"], 1) * loop["bound"]
    assert bounds == {"K": 32, "C": 16, "P": 8, "Q": 8, "R": 3, "S": 3}
    assert layer["macs"] == 32 * 16 * 8 * 8 * 3 * 3


def test_sums_and_the_objective(layer: dict[str, Any]) -> None:
    parts = sum(row["energy_pj"] for row in layer["levels"]) + layer["compute_energy_pj"]
    assert layer["energy_pj"] == pytest.approx(parts)
    assert layer["value"] == pytest.approx(layer["energy_pj"] + layer["leakage_pj"])
    edp = mapped(*LAYER, "--objective", "edp")
    assert edp["value"] == pytest.approx((edp["energy_pj"] + edp["leakage_pj"]) * edp["cycles"])
    assert edp["value"] <= layer["value"] * layer["cycles"] * (1 + 1e-9)


@pytest.mark.parametrize("convention", ["exact", "timeloop"])
def test_equal_to_the_layer_in_simulate(convention: str) -> None:
    one = mapped(*LAYER, "--convention", convention)
    result = energysim.simulate("lightweight_cnn", "a2", convention=convention)
    other = next(layer for layer in result.variants[0].layers if layer.name == "features.1.0")
    assert one["energy_pj"] + one["leakage_pj"] == pytest.approx(other.energy.value)
    assert one["latency_s"] == pytest.approx(other.latency_s)
    assert one["bottleneck"] == other.bottleneck
    counted = {(row["level"], row["tensor"]): (row["reads"], row["fills"], row["updates"]) for row in one["levels"]}
    assert counted == {(row.level, row.tensor): (row.reads, row.fills, row.updates) for row in other.levels}


def test_tiles_fit_the_memory(layer: dict[str, Any]) -> None:
    shares: dict[str, float] = {}
    for row in layer["levels"]:
        if row["capacity_share"] is None:
            assert row["level"] == "DRAM"
        else:
            shares[row["level"]] = shares.get(row["level"], 0.0) + row["capacity_share"]
    assert shares and all(0 < share <= 1 for share in shares.values())


def test_report_on_the_terminal() -> None:
    text = printed(*LAYER)
    assert "features.1.0 (conv2d) of lightweight_cnn on a2, 8-bit words" in text
    for part in ("loop nest", "for ", "largest tile of one instance", "of capacity", "unbounded", "words moved"):
        assert part in text
    assert "bottleneck" in text and ": optimal (" in text and " evaluated)" in text
    assert text.count("Not modelled") == 1


def test_bits_batch_and_input() -> None:
    wide, narrow = mapped(*LAYER, "--bits", "16"), mapped(*LAYER, "--bits", "8")
    assert wide["energy_pj"] > narrow["energy_pj"]
    assert mapped(*LAYER, "--batch", "2")["macs"] == 2 * narrow["macs"]
    assert mapped(*LAYER, "--input", "1x3x64x64")["macs"] == 4 * narrow["macs"]


def test_imperfect_factors(tmp_path: Path) -> None:
    """11 columns on 8 x 8 PEs: no divisor fits, two rounds of 8 and 3 do."""
    text = (FILES / "conv_problem.yaml").read_text()
    small = text.replace(
        "instance: {C: 16, M: 16, R: 3, S: 3, N: 1, P: 8, Q: 8}",
        "instance: {C: 1, M: 1, R: 1, S: 1, N: 1, P: 7, Q: 11}",
    )
    assert small != text
    (tmp_path / "small.yaml").write_text(small)
    given = (*files(("grid_nodes", "grid_ert")), str(tmp_path / "small.yaml"), "--objective", "latency")
    perfect, imperfect = mapped(*given), mapped(*given, "--imperfect")
    assert imperfect["value"] < perfect["value"]
    assert any(loop["last"] < loop["bound"] for loop in imperfect["mapping"])


def test_timeloop_files() -> None:
    output = mapped(*files(ROW_STATIONARY), "--objective", "edp")
    assert (output["objective"], output["convention"], output["optimal"]) == ("edp", "timeloop", True)
    assert output["macs"] == 294912
    assert {row["tensor"] for row in output["levels"]} == {"Weights", "Inputs", "Outputs"}
    assert not any(row["level"] == "Buffer" and row["tensor"] == "Weights" for row in output["levels"])
    given = json.loads(CliRunner().invoke(cli, ["model", *files(ROW_STATIONARY), "--json", "-"]).stdout)
    assert output["value"] <= (given["energy_pj"] + given["leakage_pj"]) * given["cycles"]


def test_found_mapping_in_timeloops_words_costs_what_map_says(tmp_path: Path) -> None:
    """Written as a Timeloop mapping and given to `model`, the answer has the same counts, energy and cycles."""
    constraints = tmp_path / "constraints.yaml"
    constraints.write_text(
        "constraints:\n- {target: PE, type: spatial, permutation: [M, N, P, Q, C, R, S], split: 4}\n"
    )
    output = mapped(*files(GRID), str(constraints), "--objective", "edp")
    assert {loop["spatial"] for loop in output["mapping"] if loop["dim"] in "MNPQ"} <= {None, "X"}
    assert {loop["spatial"] for loop in output["mapping"] if loop["dim"] in "CRS"} <= {None, "Y"}
    kept = {row["level"]: [] for row in output["levels"]}
    for row in output["levels"]:
        kept[row["level"]].append(row["tensor"])
    lines = ["mapping:"]
    for level in ("DRAM", "GLB", "RF"):
        keep = kept.get(level, [])
        bypass = [name for name in ("Weights", "Inputs", "Outputs") if name not in keep]
        lines.append(f"- {{target: {level}, type: dataspace, keep: {_list(keep)}, bypass: {_list(bypass)}}}")
    dims = ("C", "M", "R", "S", "N", "P", "Q")
    for level in ("DRAM", "GLB", "PE", "RF"):
        loops = [loop for loop in output["mapping"] if level in loop["level"]]
        factors = dict.fromkeys(dims, 1) | {loop["dim"]: loop["bound"] for loop in loops}
        text = " ".join(f"{dim}={factor}" for dim, factor in factors.items())
        # Timeloop writes the innermost loop first; in space those along X are the inner ones.
        inner = [loop["dim"] for loop in reversed(loops)]
        if level == "PE":
            inner = ["M", "N", "P", "Q", "C", "R", "S"]
        order = _list([*inner, *(dim for dim in dims if dim not in inner)])
        kind = "spatial, split: 4" if level == "PE" else "temporal"
        lines.append(f"- {{target: {level}, factors: {text}, permutation: {order}, type: {kind}}}")
    path = tmp_path / "found.yaml"
    path.write_text("\n".join(lines) + "\n")
    result = CliRunner().invoke(cli, ["model", *files(GRID), str(path), "--json", "-"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    model = json.loads(result.stdout)
    for key in ("cycles", "macs"):
        assert model[key] == output[key]
    assert model["energy_pj"] == pytest.approx(output["energy_pj"])
    rows = {(row["level"], row["tensor"]): row for row in model["levels"]}
    for row in output["levels"]:
        other = rows[row["level"], row["tensor"]]
        assert [other[name] for name in LEVEL_KEYS - {"energy_pj"}] == [
            row[name] for name in LEVEL_KEYS - {"energy_pj"}
        ]


def _list(names: list[str]) -> str:
    return f"[{', '.join(names)}]"


def test_a_mapping_among_the_files_is_passed_over() -> None:
    result = invoke(*files((*GRID, "grid_mapping")), "--objective", "edp", "--json", "-")
    assert "the mapping is not used" in result.stderr
    assert json.loads(result.stdout)["levels"] == mapped(*files(GRID), "--objective", "edp")["levels"]


def test_unknown_layer() -> None:
    error = refusal("lightweight_cnn", "--layer", "features.1", "--arch", "a2")
    assert isinstance(error, NotFoundError)
    assert error.hint is not None and "did you mean 'features.1.0'" in error.hint
    far = refusal("lightweight_cnn", "--layer", "xyz", "--arch", "a2")
    assert far.hint is not None and "features.0.0" in far.hint and "pool" not in far.hint


def test_a_layer_without_macs_and_none_named() -> None:
    assert "has no MACs" in refusal("lightweight_cnn", "--layer", "pool", "--arch", "a2").what
    missing = refusal("lightweight_cnn", "--arch", "a2")
    assert isinstance(missing, NotFoundError)
    assert missing.hint is not None and "classifier" in missing.hint


def test_no_architecture() -> None:
    result = invoke("lightweight_cnn", "--layer", "classifier")
    assert result.exit_code == 2 and "--arch" in result.output
    assert isinstance(refusal(*files(("conv_problem",))), SpecError)
    assert "architecture" in str(refusal(*files(("conv_problem",))))


def test_no_problem() -> None:
    assert "no file holds a 'problem'" in refusal(*files(("grid_nodes",))).what


def test_options_of_the_other_form() -> None:
    result = invoke(*files(GRID), "--arch", "a2")
    assert result.exit_code == 2 and "--arch" in result.output
    result = invoke("lightweight_cnn", "resnet18", "--arch", "a2")
    assert result.exit_code == 2 and "one workload" in result.output


def test_unknown_objective() -> None:
    assert "did you mean 'latency'" in str(refusal(*LAYER, "--objective", "latancy"))


def test_infeasible(tmp_path: Path) -> None:
    """A register file of 16 bits that has to keep three 16-bit words."""
    text = (FILES / "grid_nodes.yaml").read_text()
    tight = text.replace("depth: 64, width: 16, datawidth: 16}}", "depth: 1, width: 16, datawidth: 16}, constraints: "
                         "{dataspace: {keep: [Weights, Inputs, Outputs]}}}")  # fmt: skip
    assert tight != text
    (tmp_path / "tight.yaml").write_text(tight)
    error = refusal(str(tmp_path / "tight.yaml"), *files(("conv_problem",)))
    assert isinstance(error, InfeasibleError)
    assert "'RF' is too small" in error.what and "6 B" in error.what and "2 B are available" in error.what


SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("arguments", [LAYER, tuple(files(ROW_STATIONARY))], ids=["workload", "timeloop"])
def test_svg(arguments: tuple[str, ...], tmp_path: Path) -> None:
    target = tmp_path / "nest.svg"
    output = mapped(*arguments, "--svg", str(target))
    root = ET.fromstring(target.read_text())
    assert root.tag == f"{SVG}svg"
    texts = [element.text or "" for element in root.iter(f"{SVG}text")]
    titles = [element.text or "" for element in root.iter(f"{SVG}title")]
    for loop in output["mapping"]:
        where = "in time" if loop["spatial"] is None else f"in space along {loop['spatial']}"
        assert f"for {loop['dim']} in range({loop['bound']}), {where}" in titles
    spatial = [loop for loop in output["mapping"] if loop["spatial"]]
    assert spatial and sum(text in ("X", "Y") for text in texts) == len(spatial)
    for row in output["levels"]:
        assert row["level"] in texts and any(title.startswith(f"{row['tensor']}: ") for title in titles)
        if row["capacity_share"] is not None:
            assert f"{row['capacity_share']:.1%}" in texts
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for box in root.iter(f"{SVG}rect"):
        x, y = float(box.get("x", 0)), float(box.get("y", 0))
        assert x + float(box.attrib["width"]) <= width and y + float(box.attrib["height"]) <= height
    assert "prefers-color-scheme:dark" in (root.findtext(f"{SVG}style") or "")


def test_svg_escapes_names(tmp_path: Path) -> None:
    text = (FILES / "grid_nodes.yaml").read_text().replace("name: GLB", 'name: "A<B&C"')
    (tmp_path / "odd.yaml").write_text(text)
    root = ET.fromstring(printed(str(tmp_path / "odd.yaml"), *files(("conv_problem",)), "--svg", "-"))
    assert "A<B&C" in [element.text for element in root.iter(f"{SVG}text")]


def test_json_and_svg_cannot_share_stdout() -> None:
    assert invoke(*LAYER, "--json", "-", "--svg", "-").exit_code == 2
