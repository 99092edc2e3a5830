"""The CSV of measurements: what is read, what is refused with file, line and column, what is appended."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from energysim.calibration.measurements import Row, append_row, parse_measurements, read_measurements, row_of
from energysim.errors import EnergySimError, NotFoundError, SpecError
from energysim.measure import Options, Sensors, measure_model

_HEADER = "workload,batch,input,bits,latency_s,energy_j"


def test_rows_comments_empty_cells_and_sources() -> None:
    text = f'# board 1\n{_HEADER},source\nvgg16,1,1x3x224x224,16,0.08,,"fps, 11.9"\n\nresnet18,,,, ,0.1,\n'
    first, second = parse_measurements(text, "m.csv")
    assert first == Row("vgg16", 1, "1x3x224x224", 16, 0.08, None, "fps, 11.9")
    assert second == Row("resnet18", None, None, None, None, 0.1, "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "m.csv: the file has no rows"),
        (_HEADER, "m.csv:1: the file has a header but no measurement"),
        ("workload,latency\na,1", "m.csv:1: unknown column 'latency' (did you mean 'latency_s'?)"),
        ("workload,batch,input,bits,latency_s\na,1,,,1", "m.csv:1: no column 'energy_j'"),
        (f"{_HEADER}\nnet,1,,8,0.1", "m.csv:2: 5 values where the header has 6 columns"),
        (f"{_HEADER}\n,1,,8,0.1,", "m.csv:2: workload: no workload"),
        (f"{_HEADER}\nnet,0,,8,0.1,", "m.csv:2: batch: '0' is no whole number above 0"),
        (f"{_HEADER}\nnet,1,3xx2,8,0.1,", "m.csv:2: input: '3xx2' is no input shape"),
        (f"{_HEADER}\nnet,1,,65,0.1,", "m.csv:2: bits: '65' is no whole number above 0, at most 64"),
        (f"{_HEADER}\nnet,1,,8,fast,", "m.csv:2: latency_s: 'fast' is no number of seconds above 0"),
        (f"{_HEADER}\nnet,1,,8,,-1", "m.csv:2: energy_j: '-1' is no number of joules above 0"),
        (f"{_HEADER}\nnet,1,,8,inf,", "m.csv:2: latency_s: 'inf' is no number of seconds above 0"),
        (f"{_HEADER}\nnet,1,,8,,", "m.csv:2: neither latency_s nor energy_j"),
    ],
)
def test_bad_files_say_where_and_what(text: str, message: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse_measurements(text, "m.csv")
    assert str(refused.value).startswith(message)


def test_a_missing_or_binary_file_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no file"):
        read_measurements(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NotFoundError, match="cannot be read as text"):
        read_measurements(tmp_path / "binary.csv")


def test_a_measurement_becomes_a_row_and_rows_are_appended(tmp_path: Path) -> None:
    options = Options(seconds=0.02, repeat=1, idle_s=0.0, warmup_s=0.0)
    measured = measure_model(
        nn.Linear(8, 8), (torch.zeros(4, 8),), "cpu", name="net", options=options, sensors=Sensors()
    )
    file = tmp_path / "m.csv"
    append_row(file, row_of(measured))
    append_row(file, Row("other", latency_s=0.5))
    first, second = read_measurements(file)
    assert (first.workload, first.batch, first.input, first.bits) == ("net", 4, "4x8", 32)
    assert first.latency_s == pytest.approx(measured.latency_s.mean) and first.energy_j is None
    assert second == Row("other", latency_s=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["m.csv"]


def test_nothing_is_appended_to_another_kind_of_file(tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(SpecError, match="unknown column 'a'"):
        append_row(file, Row("net", latency_s=1.0))
    assert file.read_text() == "a,b\n1,2\n"
    with pytest.raises(EnergySimError, match="cannot write"):
        append_row(tmp_path / "none" / "m.csv", Row("net", latency_s=1.0))
