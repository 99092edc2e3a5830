"""The cache of search results: what is the same question, and that nothing on disk can make an answer wrong."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from energysim.arch.sourced import Sourced
from energysim.arch.spec import ArchSpec, Array, Compute, Constraints, Energy, Memory
from energysim.engines import search_cache
from energysim.engines.registry import get_engine
from energysim.engines.search_cache import VARIABLE, cache_directory, cached_search
from energysim.errors import InfeasibleError
from energysim.graph.problem import Rank, Role, Tensor, TensorProblem
from energysim.mapping.cost_model import AccessCost, ActionCost, CostModel
from energysim.mapping.counts import Convention
from energysim.mapping.search import DRAM, EDP, ENERGY, Objective, SearchResult

ALL = frozenset(Role)
NONE: frozenset[str] = frozenset()
NO_CONSTRAINTS = Constraints()


def ranks(*dims: str) -> tuple[Rank, ...]:
    return tuple(Rank(((dim, 1),)) for dim in dims)


PROBLEM = TensorProblem(
    (("K", 4), ("C", 2), ("P", 6)),
    (
        Tensor("W", Role.WEIGHTS, ranks("K", "C")),
        Tensor("I", Role.IFMAP, ranks("C", "P")),
        Tensor("O", Role.OFMAP, ranks("K", "P")),
    ),
)


def device(capacity_bits: int = 256, constraints: Constraints = NO_CONSTRAINTS) -> ArchSpec:
    """DRAM - 2 x 1 array - RF - MAC."""
    nodes = (
        Memory("DRAM", "dram", ALL),
        Array("PE", 2, 1),
        Memory("RF", "regfile", NONE, ALL, capacity_bits=capacity_bits, constraints=constraints),
        Compute("MAC", "int", 8),
    )
    return ArchSpec("device", nodes, clock_hz=1e9)


def costs(dram_pj: float = 100.0) -> CostModel:
    def at(pj: float) -> tuple[AccessCost, ...]:
        return (AccessCost(ActionCost(pj), ActionCost(pj), ActionCost(pj)),) * 3

    return CostModel((at(dram_pj), (), at(1.0), ()), mac_pj=0.5)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows by one with every real search."""
    made: list[object] = []
    real = search_cache.search

    def counted(*arguments: Any, **options: Any) -> SearchResult:
        made.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr(search_cache, "search", counted)
    return made


def entries(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.json"))


def test_the_second_search_is_read(cache: Path, searches: list[object]) -> None:
    first = cached_search(PROBLEM, device(), costs())
    assert first.optimal and len(entries(cache)) == 1
    assert cached_search(PROBLEM, device(), costs()) == first
    assert len(searches) == 1


def test_the_engine_counts_what_it_read(cache: Path, searches: list[object]) -> None:
    engine = get_engine("native")
    first = engine.search(PROBLEM, device(), costs(), EDP, Convention.EXACT)
    assert engine.search(PROBLEM, device(), costs(), EDP, Convention.EXACT) == first
    assert len(searches) == 1
    assert first.counts == engine.evaluate(PROBLEM, device(), first.mapping, Convention.EXACT)


OTHER_QUESTIONS: dict[str, Callable[[], SearchResult]] = {
    "problem": lambda: cached_search(
        dataclasses.replace(PROBLEM, dims=(("K", 2), *PROBLEM.dims[1:])), device(), costs()
    ),
    "word width": lambda: cached_search(PROBLEM.with_bits({Role.OFMAP: 16}), device(), costs()),
    "capacity": lambda: cached_search(PROBLEM, device(512), costs()),
    "constraints": lambda: cached_search(PROBLEM, device(constraints=Constraints(fixed=(("C", 1),))), costs()),
    "costs": lambda: cached_search(PROBLEM, device(), costs(101.0)),
    "objective": lambda: cached_search(PROBLEM, device(), costs(), objective=DRAM),
    "pair": lambda: cached_search(PROBLEM, device(), costs(), objective=Objective.parse("energy,latency")),
    "imperfect": lambda: cached_search(PROBLEM, device(), costs(), imperfect=True),
    "convention": lambda: cached_search(PROBLEM, device(), costs(), convention=Convention.TIMELOOP),
}


@pytest.mark.parametrize("what", OTHER_QUESTIONS)
def test_what_matters_is_another_question(what: str, cache: Path, searches: list[object]) -> None:
    cached_search(PROBLEM, device(), costs())
    OTHER_QUESTIONS[what]()
    assert len(searches) == 2 and len(entries(cache)) == 2
    OTHER_QUESTIONS[what]()
    assert len(searches) == 2


def test_another_version_or_code_is_another_question(
    cache: Path, searches: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("__version__", "_SOURCE"):
        cached_search(PROBLEM, device(), costs())
        monkeypatch.setattr(search_cache, name, "another")
    cached_search(PROBLEM, device(), costs())
    assert len(searches) == 3


def test_what_does_not_matter_is_the_same_question(cache: Path, searches: list[object]) -> None:
    """Names, files, clock, and energies of the nodes (what the search minimizes stands in the costs)."""
    first = cached_search(PROBLEM, device(), costs())
    plain = device()
    rf = dataclasses.replace(plain.nodes[2], read_energy=Energy(Sourced(7.0, 7.0, 7.0, "some file"), 8))
    nodes = (*plain.nodes[:2], rf, plain.nodes[3])
    renamed = dataclasses.replace(plain, name="b", source="other.yaml", sha256="f00", clock_hz=2e9, nodes=nodes)
    assert cached_search(PROBLEM, renamed, costs()) == first
    assert len(searches) == 1


def forged(body: dict[str, Any]) -> bytes:
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return json.dumps({"sha256": digest, "result": body}).encode()


def _better(entry: dict[str, Any]) -> bytes:
    return forged(entry["result"] | {"value": entry["result"]["value"] / 2})


def _misfit(entry: dict[str, Any]) -> bytes:
    return forged(entry["result"] | {"loops": [["K", 4, 99, 4, None]]})


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda text: b"",
    "cut": lambda text: text[: len(text) // 2],
    "no text": lambda text: bytes(range(256)),
    "other json": lambda text: b"[1, 2]",
    "no digest": lambda text: b"{}",
    "a flipped digit": lambda text: text.replace(b'"optimal": true', b'"optimal": null'),
    "a value its mapping does not have": lambda text: _better(json.loads(text)),
    "a mapping that does not fit": lambda text: _misfit(json.loads(text)),
    "a result without fields": lambda text: forged({}),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_searched_and_written_again(damage: str, cache: Path, searches: list[object]) -> None:
    first = cached_search(PROBLEM, device(), costs())
    (entry,) = entries(cache)
    good = entry.read_bytes()
    entry.write_bytes(DAMAGES[damage](good))
    assert entry.read_bytes() != good
    assert cached_search(PROBLEM, device(), costs()) == first
    assert len(searches) == 2
    assert entry.read_bytes() == good


def test_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, searches: list[object]) -> None:
    monkeypatch.setenv(VARIABLE, "off")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cached_search(PROBLEM, device(), costs()) == cached_search(PROBLEM, device(), costs())
    assert len(searches) == 2
    assert not list(tmp_path.iterdir())


def test_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(VARIABLE)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_directory() == tmp_path / ".cache" / "energysim"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_directory() == tmp_path / ".cache" / "energysim"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_directory() == tmp_path / "xdg" / "energysim"
    monkeypatch.setenv(VARIABLE, "OFF")
    assert cache_directory() is None
    monkeypatch.setenv(VARIABLE, str(tmp_path / "own"))
    assert cache_directory() == tmp_path / "own"


def test_a_directory_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, searches: list[object], capfd: pytest.CaptureFixture[str]
) -> None:
    """A file stands where the directory should: refused to every user, root too."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file"))
    assert cached_search(PROBLEM, device(), costs()) == cached_search(PROBLEM, device(), costs())
    assert len(searches) == 2
    assert capfd.readouterr() == ("", "")
    assert (tmp_path / "file").read_text() == "in the way"


def test_what_is_infeasible_is_said_again(cache: Path) -> None:
    tight = dataclasses.replace(device(), nodes=(Memory("M", "sram", ALL, capacity_bits=8), Compute("MAC", "int", 8)))
    prices = CostModel((costs().accesses[0], ()), mac_pj=1.0)
    for _ in range(2):
        with pytest.raises(InfeasibleError, match="'M' is too small"):
            cached_search(PROBLEM, tight, prices)
    assert not entries(cache)


class TestTimeLimit:
    """A search that stops early: its answer is kept only where the limit is the reason, and only under that limit."""

    @pytest.fixture
    def unproven(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
        """Searches that prove nothing within a limit; their limits."""
        real, asked = search_cache.search, []

        def stopping(*arguments: Any, time_limit_s: float | None = None, **options: Any) -> SearchResult:
            asked.append(time_limit_s)
            found = real(*arguments, **options)
            if time_limit_s is None:
                return found
            return dataclasses.replace(found, bound=found.value / 2, optimal=False, evaluated=len(asked))

        monkeypatch.setattr(search_cache, "search", stopping)
        return asked

    def test_the_same_limit_gives_the_same_answer(self, unproven: list[float | None]) -> None:
        first = cached_search(PROBLEM, device(), costs(), time_limit_s=0.0)
        assert not first.optimal and first.gap == 0.5
        assert cached_search(PROBLEM, device(), costs()).optimal
        assert cached_search(PROBLEM, device(), costs(), time_limit_s=0.0) == first
        assert unproven == [0.0, None]

    def test_a_known_optimum_answers_any_limit(self, unproven: list[float | None]) -> None:
        best = cached_search(PROBLEM, device(), costs())
        assert cached_search(PROBLEM, device(), costs(), time_limit_s=0.0) == best
        assert unproven == [None]

    def test_another_limit_is_another_question(self, unproven: list[float | None]) -> None:
        for limit in (0.0, 1e-9, 0.0):
            cached_search(PROBLEM, device(), costs(), time_limit_s=limit)
        assert unproven == [0.0, 1e-9]

    def test_interrupted_before_the_limit_keeps_nothing(self, unproven: list[float | None], cache: Path) -> None:
        cached_search(PROBLEM, device(), costs(), time_limit_s=1000.0)
        assert not entries(cache)


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, sys.argv[1])
import test_search_cache as here
from energysim.engines import search_cache

found = search_cache.cached_search(here.PROBLEM, here.device(), here.costs())
(place,) = here.entries(Path(search_cache.cache_directory()))
print("ready", flush=True)
while True:  # results of different lengths, so that a mixture of two could not go unseen
    for evaluated in (1, 10**40):
        search_cache._store(place, replace(found, evaluated=evaluated))
"""


def test_parallel_and_killed_writers_leave_whole_entries(cache: Path, searches: list[object]) -> None:
    first = cached_search(PROBLEM, device(), costs())
    (entry,) = entries(cache)
    command = [sys.executable, "-c", WRITER, str(Path(__file__).parent)]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        for writer in writers:
            assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
        seen = set()
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            found = cached_search(PROBLEM, device(), costs())
            assert dataclasses.replace(found, evaluated=first.evaluated) == first
            seen.add(found.evaluated)
        assert {1, 10**40} <= seen
    finally:
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            assert writer.stdout is not None
            writer.stdout.close()
    assert cached_search(PROBLEM, device(), costs()).evaluated in (1, 10**40)
    assert len(searches) == 1
    assert entries(cache) == [entry]


def test_writers_killed_at_random_moments_leave_whole_entries(cache: Path, searches: list[object]) -> None:
    found = cached_search(PROBLEM, device(), costs())
    (entry,) = entries(cache)
    moments = random.Random(0)
    for _ in range(40):
        writer = os.fork()
        if writer == 0:
            while True:
                for evaluated in (1, 10**4000):
                    search_cache._store(entry, dataclasses.replace(found, evaluated=evaluated))
        time.sleep(moments.uniform(0.0, 0.02))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        known = cached_search(PROBLEM, device(), costs())
        assert known.evaluated in (found.evaluated, 1, 10**4000)
        assert dataclasses.replace(known, evaluated=found.evaluated) == found
    assert known.evaluated != found.evaluated  # something was written
    assert len(searches) == 1


def test_partial_files_of_killed_writers_are_cleared(cache: Path) -> None:
    cached_search(PROBLEM, device(), costs())
    (entry,) = entries(cache)
    old, new = entry.with_name("old.partial"), entry.with_name("new.partial")
    for partial in (old, new):
        partial.write_text('{"sha256": ')
    os.utime(old, (0, 0))
    entry.unlink()
    cached_search(PROBLEM, device(), costs(), objective=ENERGY)
    assert entry.exists() and new.exists() and not old.exists()
