"""Stands in for timeloop-model and timeloop-mapper: replays runs of the real programs that were recorded.

    python fake_timeloop.py timeloop-model input.yaml

A run is known by what decides its counts (problem, levels, mapping, switches), not by the text of its input. Variables:

- ``FAKE_TIMELOOP``: how to misbehave: crash, empty, garbage, nothing, hang, deaf (a hang that no signal but SIGKILL
  ends), more (every number of reads is one too many), unwritten (the XML is missing).
- ``FAKE_TIMELOOP_FOR``: the program that misbehaves (both if unset).
- ``RECORD_TIMELOOP``: a directory with the real programs: they are run, and what they write is recorded.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

RECORDINGS = Path(__file__).parent / "recordings"
_SWITCHES = (
    "TIMELOOP_DISABLE_LINK_TRANSFERS",
    "TIMELOOP_DISABLE_TEMPORAL_EXTRAPOLATION",
    "TIMELOOP_DISABLE_SPATIAL_EXTRAPOLATION",
)
_ATTRIBUTES = (
    "meshX", "meshY", "width", "datawidth", "depth", "entries", "read_bandwidth", "write_bandwidth", "shared_bandwidth",
)  # fmt: skip


def main() -> int:
    program, *arguments = sys.argv[1:]
    assert os.environ.get("TIMELOOP_HIDE_INCONSEQUENTIAL_STATS") == "0"
    fault = os.environ.get("FAKE_TIMELOOP", "")
    if os.environ.get("FAKE_TIMELOOP_FOR", program) != program:
        fault = ""
    given = YAML(typ="safe").load(Path(arguments[0]))
    stem = RECORDINGS / key_of(program, given)
    real = os.environ.get("RECORD_TIMELOOP")
    if real and not fault and not stem.with_suffix(".xml.gz").exists():
        _record(program, Path(real), arguments, stem)
    return _misbehave(fault, program) if fault and fault != "more" else _replay(program, stem, fault == "more")


def key_of(program: str, given: dict[str, Any]) -> str:
    """A short name for a run."""
    levels = [
        [level["name"], *(level["attributes"].get(name) for name in _ATTRIBUTES)]
        for level in given["architecture"]["subtree"][0]["local"]
    ]
    energies = [[row["name"], f"{row['energy']:.9g}"] for table in given["ERT"]["tables"] for row in table["actions"]]
    switches = [name for name in _SWITCHES if os.environ.get(name) == "1"]
    shape = given["problem"]["shape"]
    question = [
        program,
        sorted(given["problem"]["instance"].items()),
        [[space["name"], space["projection"]] for space in shape["data_spaces"]],
        levels,
        energies,
        [_directive(item) for item in given.get("mapping", ())],
        switches,
    ]
    return hashlib.sha256(json.dumps(question).encode()).hexdigest()[:16]


def _directive(item: dict[str, Any]) -> list[Any]:
    if item["type"] == "bypass":
        return [item["target"], sorted(item["keep"]), sorted(item["bypass"])]
    factors = dict(re.findall(r"(\w)=(\S+)", item["factors"]))
    order = [dim for dim in item["permutation"] if factors[dim] != "1"]
    along_x = [dim for dim in item["permutation"][: item.get("split", 0)] if factors[dim] != "1"]
    return [item["target"], item["type"], [[dim, factors[dim]] for dim in order], along_x, item.get("no_reuse")]


def _record(program: str, real: Path, arguments: list[str], stem: Path) -> None:
    subprocess.run([str(real / program), *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    archive = Path(f"{program}.map+stats.xml").read_text()
    # All that follows the element `engine` is left out; the real file breaks off later, too.
    archive = archive[: archive.index("</engine>") + len("</engine>\n")]
    stats = Path(f"{program}.stats.txt").read_text().split("Operational Intensity")[0]
    for suffix, text in ((".xml.gz", archive), (".stats.txt.gz", stats)):
        stem.with_suffix(suffix).write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    mapping = Path(f"{program}.map.yaml")
    if mapping.exists():
        stem.with_suffix(".map.yaml").write_bytes(mapping.read_bytes())


def _replay(program: str, stem: Path, more: bool) -> int:
    archive = stem.with_suffix(".xml.gz")
    if not archive.exists():
        print(f"no recording {stem.name} of {program} {Path.cwd()}")
        return 3
    text = gzip.decompress(archive.read_bytes()).decode()
    if more:
        text = re.sub(r"<reads>.*?</reads>", _one_more, text, flags=re.DOTALL)
    Path(f"{program}.map+stats.xml").write_text(text)
    Path(f"{program}.stats.txt").write_bytes(gzip.decompress(stem.with_suffix(".stats.txt.gz").read_bytes()))
    if stem.with_suffix(".map.yaml").exists():
        Path(f"{program}.map.yaml").write_bytes(stem.with_suffix(".map.yaml").read_bytes())
    return 0


def _one_more(table: re.Match[str]) -> str:
    return re.sub(r"<item>([1-9]\d*)</item>", lambda item: f"<item>{int(item[1]) + 1}</item>", table[0])


def _misbehave(fault: str, program: str) -> int:
    if fault == "crash":
        print("ERROR: couldn't map level GLB: mapped tile size 9 exceeds buffer capacity 4")
        return 1
    if fault == "abort":
        os.abort()
    if fault in ("hang", "deaf"):
        if fault == "deaf":
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
        print("searching", flush=True)
        time.sleep(120)
    text = {"empty": "", "garbage": "<engine><topology_>\x01 half", "nothing": ""}.get(fault)
    if fault == "nothing":
        print("[  0] STATEMENT: 100000 invalid mappings (0 fanout, 100000 capacity) found since the last valid mapping")
    if text is not None:
        for suffix in ("map+stats.xml", "stats.txt"):
            Path(f"{program}.{suffix}").write_text(text)
        Path(f"{program}.map.yaml").write_text("" if fault == "nothing" else "mapping:\n  - target: RF\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
