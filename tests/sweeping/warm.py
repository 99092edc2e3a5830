"""One process that has imported everything, and forks what tests run beside themselves: no import is paid for twice."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import IO, Any


class Warm:
    """The process. A call is "module:function" with arguments that JSON has."""

    def __init__(self, directory: Path) -> None:
        self._log = directory / "warm.log"
        command = [sys.executable, __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self, call: str, *arguments: object, log: Path | None = None) -> int:
        """The id of a fork of it that makes the call. ``log``: where its output goes."""
        where = str(log or self._log)
        return self._asked({"call": call, "arguments": [*map(_plain, arguments)], "log": where})

    def wait(self, process: int) -> int:
        """The exit code of a fork, once it has ended; negative: the signal that ended it."""
        return self._asked({"wait": process})

    def run(self, call: str, *arguments: object) -> None:
        """A call, to its end: AssertionError with its output where it fails."""
        code = self.wait(self.start(call, *arguments))
        assert code == 0, self._log.read_text()

    def close(self) -> None:
        self._process.communicate()

    def _asked(self, request: dict[str, Any]) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def serve(requests: IO[str], answers: IO[str]) -> None:
    for name in ("energysim.cli.sweep", "energysim.sweep", "energysim.sweep.processes", "distributed"):
        importlib.import_module(name)
    for line in requests:
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                _call(request)
        answers.write(f"{answer}\n")
        answers.flush()


def _call(request: dict[str, Any]) -> None:
    """In the fork, which ends here."""
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(old, new)
    code = 0
    try:
        module, _, function = request["call"].rpartition(":")
        getattr(importlib.import_module(module), function)(*request["arguments"])
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
