"""`void serve`: the front, its spool, and the line that says it is ready."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from pathlib import Path

from void_client.errors import BadInput

from void_server.engine_options import EngineOptions, MaskOptions

from .front import Front
from .logs import LogLevel, log_to_stderr
from .socket import CannotServe


def serve_until_stopped(
    bind: str,
    options: EngineOptions,
    masks: MaskOptions,
    spool: Path,
    log_level: LogLevel,
    *,
    until_eof: bool,
    as_json: bool,
) -> None:
    """Serve until SIGTERM, Ctrl-C, or (if asked for) the end of stdin.

    Says in one line on stdout when the weights are loaded. Raises BadInput.
    """
    log_to_stderr(log_level)
    folder = _own_folder(spool)
    try:
        front = Front(bind, folder, [log_level, options.to_json(), masks.to_json()])

        def on_ready(seconds: float) -> None:
            facts = front.describe()
            if as_json:
                print(json.dumps({**facts, "address": front.address}), flush=True)
                return
            print(f"VOID server ready at {front.address}: {facts['engine']}, loaded in {seconds:.1f} s", flush=True)
            if facts["notice"]:
                print(facts["notice"], flush=True)

        if until_eof:
            threading.Thread(target=_stop_at_eof, args=(front,), daemon=True).start()
        front.serve(on_ready)
    except CannotServe as error:
        raise BadInput(str(error)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stop_at_eof(front: Front) -> None:
    # Not by sys.stdin: Python aborts where a thread still waits in its buffer at the end.
    while os.read(0, 65536):
        pass
    front.stop()


def _own_folder(spool: Path) -> Path:
    """A new folder in the spool for this server alone. Jobs do not outlive their server yet, nor does it."""
    try:
        spool.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="server-", dir=spool))
    except OSError as error:
        raise BadInput(f"the spool {spool} can't be written ({error.strerror}): name another with --spool") from error
