"""What a Timeloop run says: counts and energies of every level, from the XML that it writes beside its text output.

Only the XML has full precision. It is a Boost archive that Timeloop copies out before it closes it, so it ends in the
middle: the element `engine` is complete, what follows it is not. Tables have an entry per data space, in the order of
the problem shape; storage levels are listed innermost first after the compute units.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from energysim.errors import Location, ProgramError

SUFFIX = ".map+stats.xml"
TEXT_SUFFIX = ".stats.txt"
_LEVEL_NAME = re.compile(r"^=== (.+) ===\s*$", re.MULTILINE)
_LEAKAGE = re.compile(r"Leakage energy \(total\)\s*:\s*(\S+) pJ")


@dataclass(frozen=True, slots=True)
class SpaceResult:
    """One data space at one level. ``reads``, ``fills``, ``updates``: scalar words of one instance, averaged over the
    ``instances`` in use and rounded by Timeloop. ``energy_pj``: of all instances."""

    name: str
    tile_words: int
    partition_words: int
    instances: float
    reads: int
    fills: int
    updates: int
    energy_pj: float


@dataclass(frozen=True, slots=True)
class LevelResult:
    """One storage level. ``cycles``: what its bandwidth allows. ``spaces``: the data spaces that it keeps."""

    name: str
    cycles: int
    spaces: tuple[SpaceResult, ...]

    def space(self, name: str) -> SpaceResult | None:
        return next((space for space in self.spaces if space.name == name), None)


@dataclass(frozen=True)
class RunResult:
    """``levels`` are the storage levels, innermost first; dummy levels keep nothing. ``link_transfers``: data spaces
    of which words passed between neighbouring children. ``leakage_pj``: by level, all instances, two decimals."""

    computes: int
    compute_cycles: int
    compute_instances: float
    compute_energy_pj: float
    levels: tuple[LevelResult, ...]
    link_transfers: frozenset[str]
    leakage_pj: dict[str, float] = field(default_factory=dict)

    def level(self, name: str) -> LevelResult | None:
        return next((level for level in self.levels if level.name == name), None)

    @property
    def cycles(self) -> int:
        return max([self.compute_cycles, *[level.cycles for level in self.levels]])


def read_result(path: Path, data_spaces: Sequence[str]) -> RunResult:
    """Raises ProgramError, naming the file, for one that is missing, empty, cut short or something else."""
    try:
        text = path.read_text(encoding="utf-8", errors="strict")
    except FileNotFoundError:
        raise ProgramError("Timeloop wrote no statistics", where=Location(path.name)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProgramError(f"cannot be read: {error}", where=Location(path.name)) from None
    if not text.strip():
        raise ProgramError("the statistics are empty", where=Location(path.name))
    engine = _engine(text)
    if engine is None:
        raise ProgramError("holds no complete element 'engine'", where=Location(path.name))
    try:
        return _run(engine, tuple(data_spaces))
    except (LookupError, ValueError, TypeError) as error:
        what = f"is not what this version of energysim expects of Timeloop: {error}"
        raise ProgramError(what, where=Location(path.name)) from None


def read_leakage(path: Path) -> dict[str, float]:
    """Level -> leakage in pJ of all instances, from the text output: the archive does not hold it. The printed numbers
    have two decimals. Raises ProgramError for a file that is missing."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ProgramError(f"cannot be read: {error.strerror}", where=Location(path.name)) from None
    found: dict[str, float] = {}
    for block in text.split("\nLevel ")[1:]:
        name, leakage = _LEVEL_NAME.search(block), _LEAKAGE.search(block)
        if name is not None and leakage is not None:
            found[name[1]] = float(leakage[1])
    return found


def _engine(text: str) -> Element | None:
    parser: XMLPullParser[Element] = XMLPullParser(["end"])
    try:
        parser.feed(text)
        for _, element in cast("Iterator[tuple[str, Element]]", parser.read_events()):
            if element.tag == "engine":
                return element
    except ParseError:
        pass
    return None


def _run(engine: Element, spaces: tuple[str, ...]) -> RunResult:
    nodes = [_child(item, "px") for item in _child(engine, "topology_/levels_").findall("item")]
    if not nodes:
        raise LookupError("it lists no level")
    compute, *storages = nodes
    networks = engine.find("topology_/networks_")
    return RunResult(
        computes=int(_text(compute, "algorithmic_computes_")),
        compute_cycles=int(_text(compute, "cycles_")),
        compute_instances=float(_text(compute, "avg_utilized_instances_")),
        compute_energy_pj=float(_text(compute, "energy_")),
        levels=tuple(_level(storage, spaces) for storage in storages),
        link_transfers=frozenset() if networks is None else _link_transfers(networks, spaces),
    )


def _level(storage: Element, spaces: tuple[str, ...]) -> LevelResult:
    stats = _child(storage, "stats_")
    columns = {
        name: _column(stats, name, len(spaces))
        for name in (
            "keep", "utilized_capacity", "partition_size", "utilized_instances", "reads", "fills", "updates", "energy",
        )
    }  # fmt: skip
    found = []
    for index, name in enumerate(spaces):
        if int(columns["keep"][index]) == 0:
            continue
        in_use = float(columns["utilized_instances"][index])
        found.append(
            SpaceResult(
                name=name,
                tile_words=int(columns["utilized_capacity"][index]),
                partition_words=int(columns["partition_size"][index]),
                instances=in_use,
                reads=int(columns["reads"][index]),
                fills=int(columns["fills"][index]),
                updates=int(columns["updates"][index]),
                # The archive states one instance; the printed total is that times the instances in use.
                energy_pj=float(columns["energy"][index]) * in_use,
            )
        )
    return LevelResult(_text(storage, "specs_/LevelSpecs/level_name"), int(_text(stats, "cycles")), tuple(found))


def _link_transfers(networks: Element, spaces: tuple[str, ...]) -> frozenset[str]:
    found: set[str] = set()
    for stats in networks.iter("link_transfers"):
        for name, item in zip(spaces, stats.findall("PerDataSpace/item"), strict=False):
            if float(item.text or 0) > 0:
                found.add(name)
    return frozenset(found)


def _child(element: Element, path: str) -> Element:
    found = element.find(path)
    if found is None:
        raise LookupError(f"{element.tag!r} holds no {path!r}")
    return found


def _text(element: Element, path: str) -> str:
    text = _child(element, path).text
    if text is None:
        raise LookupError(f"{path!r} of {element.tag!r} is empty")
    return text.strip()


def _column(stats: Element, name: str, count: int) -> list[str]:
    """The entries of one table for the problem's data spaces; an archive pads its tables to a fixed length."""
    items = [item.text or "" for item in _child(stats, f"{name}/PerDataSpace").findall("item")]
    if len(items) < count:
        raise LookupError(f"{name!r} has {len(items)} entries for {count} data spaces")
    return items[:count]
