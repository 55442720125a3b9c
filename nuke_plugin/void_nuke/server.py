"""Finding the VOID server, and starting one. Nothing here calls nuke, so all of it may run beside the main thread."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from void_client import protocol
from void_client.client import Client
from void_client.errors import BadInput, JobCancelled, ServerUnreachable

ADDRESS_VARIABLE = "VOID_SERVER"
COMMAND_VARIABLE = "VOID_SERVE_COMMAND"
LOG = Path.home() / ".cache" / "void" / "server.log"

FIND_SECONDS = 2.0


def address_or_default(given: str) -> str:
    """The panel's address, or the environment's, or the default."""
    return given.strip() or os.environ.get(ADDRESS_VARIABLE, "").strip() or protocol.DEFAULT_ADDRESS


def command_or_default(given: str, address: str) -> list[str]:
    """The command that starts a server at `address`: the panel's, or the environment's, or `void serve`."""
    text = given.strip() or os.environ.get(COMMAND_VARIABLE, "").strip() or "void serve"
    command = shlex.split(text, posix=os.name != "nt")
    return command if "--bind" in command else [*command, "--bind", address]


def ask_status(address: str) -> dict[str, Any]:
    """The server's status. Raises ServerUnreachable, ProtocolMismatch, BadInput."""
    with Client(address, timeout=FIND_SECONDS) as client:
        return client.status()


def in_words(address: str, status: dict[str, Any]) -> str:
    """A server's status as the panel says it."""
    state = f"ready, {status['engine']}" if status["ready"] else "alive, still loading its weights or warming up"
    notice = f". {status['notice']}" if status["notice"] else ""
    return f"VOID server {status['server']} at {address}: {state}{notice}"


def start(command: list[str]) -> subprocess.Popen[bytes]:
    """Start a server that outlives this process; what it says goes to LOG. Raises BadInput."""
    LOG.parent.mkdir(parents=True, exist_ok=True)
    # Nuke's own Python must not reach into the server's.
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONHOME"}
    apart: dict[str, Any] = (
        {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | 0x00000008}  # type: ignore[attr-defined] # DETACHED
        if os.name == "nt"
        else {"start_new_session": True}
    )
    try:
        with LOG.open("wb") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment, **apart
            )
    except OSError as error:
        raise BadInput(
            f"the server can't be started: {command[0]}: {error.strerror}. Ask your TD to set {COMMAND_VARIABLE} to "
            "the command that starts `void serve` in the studio's environment, or set it on the Server tab"
        ) from error


def wait_until_ready(
    address: str, process: subprocess.Popen[bytes], *, waiting: Callable[[float], None], cancelled: Callable[[], bool]
) -> dict[str, Any]:
    """Stay until the server has loaded its weights; `waiting(seconds)` is called while it has not.

    Raises BadInput with the server's last words where it ends, JobCancelled.
    """
    started = time.monotonic()
    while True:
        try:
            status = ask_status(address)
            if status["ready"]:
                return status
        except ServerUnreachable:
            if process.poll() is not None:
                raise BadInput(
                    f"the server was started by `{shlex.join(process.args)}` and ended at once "  # type: ignore[arg-type]
                    f"(status {process.returncode}): {_last_words()} All of it is in {LOG}"
                ) from None
        if cancelled():
            raise JobCancelled("that waited for its server")
        waiting(time.monotonic() - started)
        time.sleep(0.5)


def _last_words() -> str:
    lines = LOG.read_text("utf-8", errors="replace").strip().splitlines()
    return " ".join(lines[-3:]) or "it said nothing."
