"""A worker of a farm, as `openjd run` plays it: with `nuke` (the fake one) and `void` on its PATH."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
PLUGIN = TESTS.parent / "nuke_plugin"
OPENJD = [sys.executable, "-m", "openjd"]


class Worker:
    """`folder`: its programs and its sessions' working directories. The server has the stand-in engine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir(parents=True)
        self.sessions = folder / "sessions"
        self.sessions.mkdir()
        self._program("void", f'exec {sys.executable} -m void_server "$@"')
        self._program("nuke", f'exec {sys.executable} {TESTS / "fake_nuke" / "fake_nuke.py"} "$@"')
        self.environment = {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "NUKE_PATH": str(PLUGIN),
            "VOID_SERVE_ENGINE": "engines:Dimmer",
            "TMPDIR": str(self.sessions),
            "PYTHONUNBUFFERED": "1",  # tests act on what a task has just said
        }
        self.environment.pop("VOID_SERVE_SPOOL", None)

    def _program(self, name: str, line: str) -> None:
        file = self.folder / "bin" / name
        file.write_text(f"#!/bin/sh\n{line}\n")
        file.chmod(0o755)

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """`openjd` with these arguments, its output and its errors in one."""
        return subprocess.Popen(
            [*OPENJD, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
        )

    def openjd(self, *arguments: object) -> tuple[int, str]:
        """Exit status, and all that was said."""
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=300)
        return process.returncode, said

    def run(self, bundle: Path, step: str, *arguments: object) -> tuple[int, str]:
        """`openjd run` of one step of a bundle."""
        return self.openjd("run", bundle / "template.json", "--step", step, *parameters(bundle), *arguments)

    def close(self) -> None:
        """Leave nothing behind, whatever a test has broken."""
        for process in self.processes():
            os.kill(process, signal.SIGKILL)

    def processes(self) -> list[int]:
        """All that this worker has started, by whatever way, and that is still there."""
        mark = f"TMPDIR={self.sessions}".encode()
        found = []
        for folder in Path("/proc").iterdir():
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except (OSError, ValueError):
                continue
        return found


def parameters(bundle: Path) -> list[str]:
    """The bundle's parameter values as `openjd run` takes them."""
    values = json.loads((bundle / "parameter_values.json").read_text())["parameterValues"]
    return [word for value in values for word in ("-p", f"{value['name']}={value['value']}")]


def run_all(worker: Worker, bundle: Path, shots: list[str]) -> tuple[dict[str, str], str]:
    """Every task of the step Void, as a worker of a farm runs them: one that fails ends its session, and the next
    session goes on with those after it. The failures' reasons by shot, and all that was said.
    """
    reasons: dict[str, str] = {}
    log, left = "", list(shots)
    while left:
        tasks = json.dumps([{"Shot": shot} for shot in left])
        code, said = worker.run(bundle, "Void", "--tasks", tasks)
        log += said
        found = re.findall(r"openjd_fail: (\w+): (.*)", said)
        assert (code != 0) == bool(found), said
        reasons.update(found)
        left = left[left.index(found[-1][0]) + 1 :] if found else []
    return reasons, log
