"""A `void serve` that a test may kill and start again at the same address."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys


def free_address() -> str:
    """A loopback address that nobody listens at just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{free.getsockname()[1]}"


class Server:
    """The whole service with the stand-in engine, in processes of its own."""

    def __init__(self) -> None:
        self.address = free_address()
        self.start()

    def start(self) -> None:
        """Start it and wait until it is ready."""
        command = [sys.executable, "-m", "void_server", "serve", "--json", "--until-eof", "--bind", self.address]
        self._process = subprocess.Popen(
            [*command, "--engine", "engines:Dimmer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdout
        assert json.loads(self._process.stdout.readline())["ready"]

    def kill(self) -> None:
        """SIGKILL to the front; its worker sees the pipe close."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it as an operator would."""
        self._process.terminate()
        assert self._process.wait(10) == 0, "it ends in order, and is not aborted"
