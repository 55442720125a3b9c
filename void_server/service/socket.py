"""The socket that clients connect to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import zmq
from void_client import protocol

from .dropped import Dropped
from .guard import Guard

LARGEST_FRAME = 2 * protocol.CHUNK  # bytes on the wire: CURVE adds some to a chunk, and what is a little larger is told
BACKLOG = 200  # messages of up to 1 MiB queued for a client that does not read, before it is told nothing more


class CannotServe(Exception):
    """The server can't start: the message says why and what to do."""


@dataclass(frozen=True)
class Delivery:
    """What has come from a client.

    client: its routing id. user: by its key; empty without keys, None if the key is revoked. cut: the connection before
    this one was cut, for a frame of more than LARGEST_FRAME bytes. frames: of the message, as ZeroMQ holds them: a
    copy of each chunk cost the front as much as all else that it does for it.
    """

    client: bytes
    user: str | None
    cut: bool
    frames: list[memoryview]


class ClientSocket:
    """A ROUTER, on a loopback address unless it has a guard; knows headers and users, no jobs."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], bind: str, guard: Guard | None = None) -> None:
        """Bind the address (a port of `*` takes a free one). Raises CannotServe."""
        self.guard = guard
        self.socket = context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 200)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # a client that is gone is an error, not silence
        self.socket.setsockopt(zmq.ROUTER_HANDOVER, 1)  # a client that reconnects is the same client
        self.socket.setsockopt(zmq.MAXMSGSIZE, LARGEST_FRAME)
        self.socket.setsockopt(zmq.SNDHWM, BACKLOG)
        if guard:
            guard.protect(self.socket)
        self.dropped = Dropped(self.socket)
        self.address = self._bind(bind)

    def _bind(self, bind: str) -> str:
        if not self.guard and not bind.startswith(("tcp://127.0.0.1:", "tcp://localhost:")):
            raise CannotServe(
                f"{bind} is not a loopback address: without keys, anyone on the network could use the server. "
                "Bind tcp://127.0.0.1:5690, or give a folder of keys with --keys (`void keys new`)"
            )
        try:
            self.socket.bind(bind.replace("localhost", "127.0.0.1"))
        except zmq.ZMQError as error:
            raise CannotServe(
                f"{bind} can't be bound ({error}): another server may be running there (`void status`); "
                "or give another port with --bind"
            ) from error
        endpoint = self.socket.last_endpoint
        assert isinstance(endpoint, bytes)
        return endpoint.decode().rstrip("\0")

    def receive(self) -> Delivery:
        """The next message."""
        sender, *parts = self.socket.recv_multipart(copy=False)
        user: str | None = ""
        if self.guard:
            user = self.guard.user(str(parts[0].get("User-Id")) if parts else "")
        cut = self.dropped.came(sender.bytes, sender)
        return Delivery(sender.bytes, user, cut, [part.buffer for part in parts])

    def send(self, client: bytes, kind: str, payload: bytes | None = None, **fields: Any) -> bool:
        """Send to one client; False where it is gone or does not read."""
        header = protocol.pack(kind, **fields)
        try:
            self.socket.send_multipart([client, header] + ([] if payload is None else [payload]), zmq.DONTWAIT)
        except zmq.ZMQError:  # EHOSTUNREACH: gone; EAGAIN: its queue is full
            return False
        return True
