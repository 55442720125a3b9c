"""A `void serve` of one's own, as a child process: for `void run --serve`, the demo, tests and benchmarks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from void_client.client import Client
from void_client.errors import BadInput, ServerUnreachable

from .service.devices import parse_devices
from .service.socket import CannotServe


@contextmanager
def own_server(
    *,
    weights: Path | None,
    bind: str = "tcp://127.0.0.1:*",
    engine: str = "void",
    log: Path | None = None,
    every_device: bool = False,
) -> Iterator[str]:
    """Start a server, wait until it is ready, yield its address; it is stopped at the end, however this process ends.

    It has one worker, on the first of its devices, for one shot needs no more; `every_device`: one on each. `bind` with
    port `*` takes a free one. `log` takes its stderr (else it is shown). Raises BadInput where it can't start.
    """
    try:
        devices = parse_devices(os.environ.get("VOID_SERVE_DEVICES", "auto"))
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
        ",".join(devices if every_device else devices[:1]),
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


@contextmanager
def server_for(
    address: str, serve: bool, weights: Path | None, say: Callable[[str], None], *, every_device: bool = False
) -> Iterator[str]:
    """The server's address: the one that answers, or with `serve` one started there for the time being."""
    if serve:
        try:
            Client(address, timeout=1.0).close()
        except ServerUnreachable:
            say(f"no server at {address}: starting one for the time being")
            with own_server(weights=weights, bind=address, every_device=every_device) as started:
                yield started
            return
    yield address
