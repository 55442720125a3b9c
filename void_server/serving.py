"""A `void serve` of one's own, as a child process: for `void run --serve`, the demo, tests and benchmarks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from void_client.errors import BadInput

from .service.devices import parse_devices
from .service.socket import CannotServe


@contextmanager
def own_server(
    *, weights: Path | None, bind: str = "tcp://127.0.0.1:*", engine: str = "void", log: Path | None = None
) -> Iterator[str]:
    """Start a server, wait until it is ready, yield its address; it is stopped at the end, however this process ends.

    It has one worker, on the first of its devices: one shot needs no more. `bind` with port `*` takes a free one. `log`
    takes its stderr (else it is shown). Raises BadInput where it can't start.
    """
    try:
        device = parse_devices(os.environ.get("VOID_SERVE_DEVICES", "auto"))[0]
    except CannotServe as error:
        raise BadInput(str(error)) from error
    command = [
        sys.executable,
        "-m",
        "void_server",
        "serve",
        "--json",
        "--until-eof",
        "--bind",
        bind,
        "--engine",
        engine,
        "--devices",
        device,
    ]
    if weights:
        command += ["--weights", str(weights)]
    stderr = log.open("wb") if log else None
    # A session of its own: Ctrl-C is for the client, which then cancels its job. The pipe to its stdin closes with us.
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        if not line:
            where = f"see {log}" if log else "see above"
            raise BadInput(f"the server could not be started (status {process.wait()}): {where}")
        yield json.loads(line)["address"]
    finally:
        process.terminate()
        process.wait(20)
        if stderr:
            stderr.close()
