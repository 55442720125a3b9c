"""The server of a farm session: started when a worker enters the step, there for all its tasks, stopped at the end.

In the session's working directory, which goes with the session:

    server.json    who it is: written before anything else, so that a start that is cut off leaves nobody behind
    server.out     the line that says that it is ready
    server.log     what it says
    spool/         its jobs
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from void_client.errors import BadInput, VoidError

RECORD, OUT, LOG, SPOOL = "server.json", "server.out", "server.log", "spool"
POLL = 0.1  # seconds
PATIENCE = 30.0  # seconds that it is given to end
TAIL = 4000  # characters of its log that a failure quotes


class Interrupted(VoidError):
    """The farm has cancelled the session while its server was starting."""

    exit_code = 130


def start_server(
    session: Path, weights: str, *, waiting: Callable[[float], None], interrupted: Callable[[], bool]
) -> str:
    """Start `void serve` on a port of the moment and return its address once its weights are loaded.

    It outlives this process; `stop_server` ends it. weights: their folder, or empty for VOID_SERVE_WEIGHTS; its other
    options are the environment's too. `waiting(seconds)` is called about once a second. Raises BadInput where it
    does not start, Interrupted.
    """
    command = [sys.executable, "-m", "void_server", "serve", "--json", "--bind", "tcp://127.0.0.1:*"]
    command += ["--spool", str(session / SPOOL), *(["--weights", weights] if weights else [])]
    with (session / OUT).open("wb") as out, (session / LOG).open("wb") as log:
        # A session of its own: what the farm does to the processes of this action is not meant for it.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, start_new_session=True)
    (session / RECORD).write_text(json.dumps({"pid": process.pid}), "utf-8")
    started = told = time.monotonic()
    while not (said := (session / OUT).read_text("utf-8")).endswith("\n"):
        if process.poll() is not None:
            raise BadInput(
                f"the server could not be started (status {process.returncode}): {read_log(session)[-TAIL:]}"
            )
        if interrupted():
            stop_server(session)
            raise Interrupted("cancelled while the server was starting")
        if time.monotonic() - told >= 1.0:
            told = time.monotonic()
            waiting(told - started)
        time.sleep(POLL)
    address: str = json.loads(said)["address"]
    return address


def stop_server(session: Path) -> bool:
    """End the session's server, gently and then by force. Whether there was one to end."""
    try:
        pid = int(json.loads((session / RECORD).read_text("utf-8"))["pid"])
    except FileNotFoundError:
        return False
    if os.name == "nt":  # no gentle way there
        return _end_on_windows(pid)
    if not _alive(pid):
        return False
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + PATIENCE
    while _alive(pid):
        if time.monotonic() > end:
            os.killpg(pid, signal.SIGKILL)  # with its worker: it leads a process group
            break
        time.sleep(POLL)
    return True


def read_log(session: Path) -> str:
    """What the session's server has said; empty without one."""
    log = session / LOG
    return log.read_text("utf-8", "replace").strip() if log.exists() else ""


def _alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and is still waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def _end_on_windows(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGTERM)
    except OSError:
        return False
    return True
