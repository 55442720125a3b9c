"""Who may use a server that others can reach: CURVE, and an allow-list that is looked at for every message."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import zmq
from void_client import keys
from void_client.errors import BadInput
from zmq.auth.thread import ThreadAuthenticator

log = logging.getLogger("void.guard")

DOMAIN = "void"  # without one, ZeroMQ would ask nobody


class Guard:
    """Turns a socket into one that speaks CURVE with allowed keys alone."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], folder: Path) -> None:
        """Read the server's own pair. Raises BadInput, also where nobody is allowed."""
        self._folder = folder
        self._pair = keys.read_pair(folder)
        if not keys.allowed(folder):
            raise BadInput(f"{folder} allows nobody: `void keys allow NAME KEY --keys {folder}` lets a user in")
        self._seen: tuple[int, ...] = ()
        self._names: dict[str, str] = {}
        self._authenticator = ThreadAuthenticator(context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(DOMAIN, self)

    def protect(self, socket: zmq.Socket[bytes]) -> None:
        """Set a socket up, before it is bound."""
        socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN.encode())
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self._pair.secret)

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether the owner of a key may connect; asked by the authenticator's thread."""
        name = keys.allowed(self._folder).get(key.decode())
        if name is None:
            log.warning("refused a connection: the key %s is not allowed (`void keys allow`)", key.decode())
        return name is not None

    def user(self, key: str) -> str | None:
        """Whom a key belongs to, or None where it has been revoked."""
        folder = self._folder / keys.ALLOWED
        try:
            seen = tuple(sorted(entry.stat().st_mtime_ns for entry in os.scandir(folder)))
        except OSError:
            seen = ()
        if seen != self._seen:
            self._seen, self._names = seen, keys.allowed(self._folder)
        return self._names.get(key)

    def stop(self) -> None:
        """Let nobody else in."""
        self._authenticator.stop()
