"""`void serve`: the front, its spool, and the line that says it is ready."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from void_client.errors import BadInput

from .front import Front
from .logs import log_to_stderr
from .socket import CannotServe


def serve_until_stopped(
    bind: str, weights: Path | None, spool: Path, engine: str, log_level: str, *, as_json: bool
) -> None:
    """Serve until SIGTERM or Ctrl-C. One line on stdout once the weights are loaded. Raises BadInput."""
    if log_level not in ("debug", "info", "warning", "error"):
        raise BadInput(f"--log-level is {log_level}: give debug, info, warning or error")
    log_to_stderr(log_level)
    os.environ["VOID_LOG_LEVEL"] = log_level
    folder = _own_folder(spool)
    try:
        front = Front(bind, folder, [engine, *([str(weights)] if weights else [])])

        def on_ready(seconds: float) -> None:
            facts = front.describe()
            if as_json:
                print(json.dumps({**facts, "address": front.address}), flush=True)
                return
            print(f"VOID server ready at {front.address}: {facts['engine']}, loaded in {seconds:.1f} s", flush=True)
            if facts["notice"]:
                print(facts["notice"], flush=True)

        front.serve(on_ready)
    except CannotServe as error:
        raise BadInput(str(error)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _own_folder(spool: Path) -> Path:
    """A new folder in the spool for this server alone. Jobs do not outlive their server yet, nor does it."""
    try:
        spool.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="server-", dir=spool))
    except OSError as error:
        raise BadInput(f"the spool {spool} can't be written ({error.strerror}): name another with --spool") from error
