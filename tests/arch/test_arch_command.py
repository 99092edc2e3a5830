"""``energysim arch``: list, show, check, schema."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from energysim.arch.loader import list_archs
from energysim.cli.arch import arch
from energysim.errors import EnergySimError, NotFoundError, SpecError
from energysim.spec_files import find_spec


def run(*args: str) -> str:
    result = CliRunner().invoke(arch, list(args), catch_exceptions=False, standalone_mode=False)
    return result.output


def test_list_names_every_device() -> None:
    text = run("list")
    assert all(name in text for name in list_archs())
    rows = json.loads(run("list", "--json", "-"))
    assert [row["name"] for row in rows] == list(list_archs())


@pytest.mark.parametrize("name", ["eyeriss", "jetson_nano", "a2"])
def test_show_tells_energies_sources_and_gaps(name: str) -> None:
    text = run("show", name)
    for part in ("DRAM", "read", "low .. high", "source", "assumptions", "not modelled"):
        assert part in text
    data = json.loads(run("show", name, "--json", "-"))
    assert data["name"] == name and len(data["sha256"]) == 64
    read = next(row for row in data["actions"] if (row["component"], row["action"]) == ("DRAM", "read"))
    assert read["pj"]["value"] == 8.0 * read["bits"] and read["pj"]["source"]


def test_show_with_another_value() -> None:
    data = json.loads(run("show", "a2", "--set", "BUF.capacity=128 KiB", "--set", "PE.x=8", "--json", "-"))
    assert data["nodes"][1]["capacity_bits"] == 2**20 and data["nodes"][2]["x"] == 8
    with pytest.raises(SpecError, match="is no KEY=VALUE"):
        run("show", "a2", "--set", "BUF")


def test_show_refuses_unknown_names() -> None:
    with pytest.raises(NotFoundError, match="did you mean 'table'"):
        run("show", "a2", "--estimator", "tabel")
    with pytest.raises(NotFoundError, match="no arch spec named 'a3'"):
        run("show", "a3")


def test_check(tmp_path: Path) -> None:
    assert "ok: eyeriss" in run("check", str(find_spec("arch_specs", "eyeriss")))
    text = find_spec("arch_specs", "eyeriss").read_text().replace("technology: 65 nm\n", "")
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(EnergySimError, match="states no energy, and the architecture no technology"):
        run("check", str(tmp_path / "own.yaml"))


def test_schema_describes_the_format() -> None:
    schema = json.loads(run("schema"))
    assert schema["title"] == "energysim architecture"
    assert set(schema["required"]) == {"version", "name", "clock", "nodes"}
    memory = schema["$defs"]["MemoryModel"]
    assert memory["additionalProperties"] is False and "capacity" in memory["properties"]
    assert {"type": "string"} in schema["$defs"]["Quantity"]["anyOf"]
