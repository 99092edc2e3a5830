"""YAML at the edge: positions, refusals, and the search by name."""

from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from energysim.errors import NotFoundError, SpecError, UnitError
from energysim.spec_files import (
    SpecModel,
    checked,
    find_spec,
    load_yaml,
    locate,
    parse_yaml,
    spec_directory,
    validate_model,
)

TEXT = """\
name: one
nodes:
  - memory: DRAM
    energy: {read: 3,
             write: 4}
  - memory: GLB
"""


class Node(SpecModel):
    memory: str
    energy: dict[str, int] = Field(default_factory=dict)
    size: int = Field(default=1, gt=0)


class Document(SpecModel):
    name: str
    nodes: list[Node]


@pytest.mark.parametrize(
    ("loc", "line"),
    [
        ((), 1),
        (("name",), 1),
        (("nodes",), 2),
        (("nodes", 0), 3),
        (("nodes", 0, "energy"), 4),
        (("nodes", 0, "energy", "write"), 5),
        (("nodes", 1, "memory"), 6),
        (("nodes", 1, "missing"), 6),
        (("nodes", 7), 2),
    ],
)
def test_locate(loc: tuple[str | int, ...], line: int) -> None:
    assert locate(parse_yaml(TEXT, "f.yaml").data, loc) == line


def test_plain_and_validate() -> None:
    spec = parse_yaml(TEXT + "    size: 3\n", "f.yaml")
    assert type(spec.plain) is dict and type(spec.plain["nodes"]) is list
    assert Document.from_spec(spec).nodes[1] == Node(memory="GLB", size=3)
    assert validate_model(Node, spec, ("nodes", 0)).energy == {"read": 3, "write": 4}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: one\nnode: []\nnodes: []", "f.yaml:2: node: unknown key 'node' (did you mean 'nodes'?)"),
        (
            "name: one\nnodes:\n - memory: A\n   sise: 2",
            "f.yaml:4: nodes.0.sise: unknown key 'sise' (did you mean 'size'?)",
        ),
        ("name: one\nnodes:\n - size: 2", "f.yaml:3: nodes.0.memory: missing key 'memory'"),
        (
            "name: one\nnodes:\n - memory: A\n   size: -2",
            "f.yaml:4: nodes.0.size: input should be greater than 0 (got -2)",
        ),
        ("- 1", "f.yaml:1: a mapping of keys to values is right here, not a list"),
        ("", "f.yaml: a mapping of keys to values is right here, not nothing"),
        ("name: 'x\nnodes: []", "f.yaml:2: found unexpected end of stream"),
        ("name: x\n\tnodes: []", "spaces, not tabs"),
        ("name: x\nname: y", "f.yaml:2: found duplicate key"),
    ],
)
def test_errors_name_file_line_key_and_remedy(text: str, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        Document.from_spec(parse_yaml(text, "f.yaml"))
    assert says in str(caught.value)


def test_every_problem_has_a_line() -> None:
    with pytest.raises(SpecError) as caught:
        Document.from_spec(parse_yaml("name: 3\nnodes:\n - {memory: A, size: 0}\n - {}", "f.yaml"))
    message = str(caught.value)
    for part in ("f.yaml:1: name", "f.yaml:3: nodes.0.size", "f.yaml:4: nodes.1.memory"):
        assert part in message


def test_unit_errors_become_located_errors_with_their_hint() -> None:
    def refuse(_: object) -> int:
        raise UnitError("no good", hint="better so")

    from typing import Annotated

    from pydantic import BeforeValidator

    class Model(BaseModel):
        x: Annotated[int, BeforeValidator(checked(refuse))]

    with pytest.raises(SpecError, match=r"f.yaml:1: x: no good \(better so\)"):
        validate_model(Model, parse_yaml("x: 1", "f.yaml"))


def test_files(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no file"):
        load_yaml(tmp_path / "none.yaml")
    with pytest.raises(NotFoundError, match="is a directory"):
        load_yaml(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="no text file"):
        load_yaml(tmp_path / "binary.yaml")
    (tmp_path / "own.yaml").write_text("a: 1")
    assert find_spec("arch_specs", tmp_path / "own.yaml") == tmp_path / "own.yaml"
    assert load_yaml(tmp_path / "own.yaml").sha256 == load_yaml(tmp_path / "own.yaml").sha256


def test_find_by_name() -> None:
    assert spec_directory("arch_specs").is_dir()
    with pytest.raises(NotFoundError, match="no arch spec named 'jetson_nani'"):
        find_spec("arch_specs", "jetson_nani")
    with pytest.raises(NotFoundError, match="no file"):
        find_spec("arch_specs", "somewhere/else.yaml")
