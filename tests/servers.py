"""A `void serve` that a test may kill and start again at the same address, with what it has journalled."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path


def free_address() -> str:
    """A loopback address that nobody listens at just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{free.getsockname()[1]}"


class Server:
    """The whole service with the stand-in engine (or weights), in processes of its own."""

    def __init__(self, spool: Path, *options: object, engine: str = "engines:Dimmer") -> None:
        """Start it, with more options for `void serve` if need be."""
        self.address = free_address()
        self.spool = spool
        self.options = [str(option) for option in options]
        self._engine = engine
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it is ready."""
        command = [sys.executable, "-m", "void_server", "serve", "--json", "--until-eof", "--bind", self.address]
        self._process = subprocess.Popen(
            [*command, "--spool", str(self.spool), "--engine", self._engine, *self.options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.spool.parent / f"{self.spool.name}.log").open("ab"),
            start_new_session=True,
        )
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, self.log()
        assert json.loads(line)["ready"]

    @property
    def pid(self) -> int:
        """Of the front."""
        assert self._process
        return self._process.pid

    def log(self) -> str:
        """All that it has said."""
        return (self.spool.parent / f"{self.spool.name}.log").read_text()

    def kill(self) -> None:
        """SIGKILL to the front; its worker sees the pipe close."""
        assert self._process
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it as an operator would."""
        assert self._process
        self._process.terminate()
        assert self._process.wait(60) == 0, "it ends in order, and is not aborted"
