"""`void serve`: the front, its spool, and the line that says it is ready."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from void_client import protocol
from void_client.errors import BadInput
from void_client.keys import read_pair

from void_server.engine_options import EngineOptions, MaskOptions

from .devices import parse_devices
from .front import Front
from .journal import NAME, BadJournal, Journal
from .logs import LogFormat, LogLevel, Secrets, log_to_stderr
from .socket import CannotServe
from .store import Keeping
from .watch import Limits

PASSING = "server-"
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h


def serve_until_stopped(
    bind: str,
    options: EngineOptions,
    masks: MaskOptions,
    spool: Path,
    keeping: Keeping,
    limits: Limits,
    log_level: LogLevel,
    log_format: LogFormat,
    *,
    devices: str,
    drain: float,
    keys: Path | None,
    metrics: str,
    until_eof: bool,
    as_json: bool,
) -> None:
    """Serve until SIGTERM, Ctrl-C, or (if asked for) the end of stdin.

    Says in one line on stdout when a worker is ready. `devices`: see parse_devices; they share what `limits` has of
    memory. `drain`, `keys`, `metrics`: see Front. Raises BadInput.
    """
    log_to_stderr(log_level, log_format, Secrets(*_own_secret(keys)))
    _keep_freed_memory()
    try:
        named = parse_devices(devices)
    except CannotServe as error:
        raise BadInput(str(error)) from error
    limits = replace(limits, memory=limits.memory // len(named))
    passing = bind.endswith(":*")
    folder = _folder(spool, passing=passing)
    try:
        worker: list[str] = [log_level, log_format, options.to_json(), masks.to_json()]
        front = Front(bind, folder, worker, named, keeping, limits, drain=drain, keys=keys, metrics=metrics)

        def on_ready(device: str, seconds: float) -> None:
            facts = front.describe()
            if as_json:
                print(json.dumps({**facts, "address": front.address, "device": device}), flush=True)
                return
            what = f"{facts['engine']} on {device}, loaded and warm after {seconds:.1f} s"
            print(f"VOID server ready at {front.address}: {what}", flush=True)
            if facts["notice"]:
                print(facts["notice"], flush=True)

        if until_eof:
            threading.Thread(target=_stop_at_eof, args=(front,), daemon=True).start()
        front.serve(on_ready)
    except CannotServe as error:
        raise BadInput(str(error)) from error
    finally:
        if passing:
            shutil.rmtree(folder, ignore_errors=True)


def _keep_freed_memory() -> None:
    """Have the memory of one chunk serve the next, up to 64 MiB; the front alone, not its workers.

    glibc gives what is freed at the end of its heap back to the system at once, and 256 new pages for each chunk cost
    the front more than what it does with them. Other systems' allocators are left as they are.
    """
    with contextlib.suppress(OSError, TypeError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, 64 << 20)
        libc.mallopt(M_MMAP_THRESHOLD, 4 * protocol.CHUNK)


def _own_secret(keys: Path | None) -> list[str]:
    """The secret half of the server's pair; where there is none, the server will not start."""
    try:
        return [read_pair(keys).secret.decode()] if keys else []
    except BadInput:
        return []


def _stop_at_eof(front: Front) -> None:
    # Not by sys.stdin: Python aborts where a thread still waits in its buffer at the end.
    while os.read(0, 65536):
        pass
    front.stop()


def _folder(spool: Path, *, passing: bool) -> Path:
    """The server's folder: the spool, or one of its own in it where it has a port that no client will find again."""
    try:
        spool.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=spool):
            pass
        if not passing:
            return spool
        _remove_dead(spool)
        return Path(tempfile.mkdtemp(prefix=PASSING, dir=spool))
    except OSError as error:
        raise BadInput(f"the spool {spool} can't be written ({error.strerror}): name another with --spool") from error


def _remove_dead(spool: Path) -> None:
    """Remove the folders of passing servers that were killed: nobody holds their journals any more."""
    for journal in spool.glob(f"{PASSING}*/{NAME}"):
        try:
            if time.time() - journal.stat().st_mtime > 60:  # not of one that is just starting
                Journal.open(journal.parent, wait=0).close()
                shutil.rmtree(journal.parent, ignore_errors=True)
        except (BadJournal, OSError):
            continue
