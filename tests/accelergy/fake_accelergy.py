"""Stands in for `accelergy`: answers with recorded tables of the architecture in ``test_accelergy.py``.

Variables: ``FAKE_ACCELERGY`` (crash, unwritten, garbage, version, hang) says how to misbehave, ``FAKE_ACCELERGY_LOG``
is a file that gets a line per run with the names and classes of the components asked for.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from ruamel.yaml import YAML

_RECORDED = Path(__file__).parent / "recorded"
_CRASH = """\
2026-11-21 10:47:41 ERROR       Can not find an energy estimator for regfile(width=16, technology=65nm).read
2026-11-21 10:47:41 ERROR       | Aladdin_table with accuracy 0% estimating accuracy: Technology 65nm is not supported.
2026-11-21 10:47:41 ERROR       | CactiSRAM with accuracy 0% estimating accuracy: Class name regfile is not supported.
"""


def main() -> int:
    given = YAML(typ="safe").load(Path(sys.argv[1]))
    local = given["architecture"]["subtree"][0]["local"]
    log = os.environ.get("FAKE_ACCELERGY_LOG")
    if log:
        with Path(log).open("a") as file:
            file.write(" ".join(f"{part['name']}:{part['class']}" for part in local) + "\n")
    fault = os.environ.get("FAKE_ACCELERGY")
    if fault == "crash":
        print(_CRASH)
        return 255
    if fault == "hang":
        time.sleep(60)
    print("2026-11-21 10:47:41 WARNING     No action counts are specified as yaml input")
    print("2026-11-21 10:47:41 WARNING     The cell library is from 2012")
    if fault == "unwritten":
        return 0
    for name in ("ERT", "ART", "ERT_summary"):
        text = (_RECORDED / f"{name}.yaml").read_text()
        if fault == "garbage":
            text = text.replace("energy:", "engery:")
        if fault == "version":
            text = text.replace("'0.4'", "'0.9'")
        Path(f"{name}.yaml").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
