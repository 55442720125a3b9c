"""Clients whose connection was cut for a frame that is too large: ZeroMQ does so without a word, to either side.

A monitor tells that a connection is gone, not why. Its bytes do: where some are still to be read, it was ours to close.
"""

from __future__ import annotations

import contextlib
import socket

import zmq
from zmq.utils.monitor import recv_monitor_message

REMEMBERED = 1000  # clients that were cut off and have not come back yet


class Dropped:
    """Knows the connections of a ROUTER by what came through them, and whom it has cut off."""

    def __init__(self, router: zmq.Socket[bytes]) -> None:
        """To be called before the socket is bound."""
        self._monitor = router.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._open: dict[int, tuple[bytes, socket.socket]] = {}
        self._cut: dict[bytes, None] = {}

    def came(self, client: bytes, frame: zmq.Frame) -> bool:
        """Note whose connection a frame came through; True, once, where this client's last one was cut.

        client: its routing id, which a client keeps when it connects again.
        """
        self.look()
        descriptor = int(frame.get(zmq.SRCFD))
        held = self._open.get(descriptor)
        if held is None or held[0] != client:
            self._hold(descriptor, client)
        return self._cut.pop(client, False) is None

    def _hold(self, descriptor: int, client: bytes) -> None:
        if old := self._open.pop(descriptor, None):
            old[1].close()
        with contextlib.suppress(OSError):  # it may be gone by now
            # Of our own, for ZeroMQ closes its descriptor as soon as it has told that the connection is gone.
            self._open[descriptor] = client, socket.socket(fileno=socket.dup(descriptor))

    def look(self) -> None:
        """Let go of connections that are gone; to be called often, for until then the other side waits for its end."""
        while int(self._monitor.get(zmq.EVENTS)) & zmq.POLLIN:  # poll(0) takes ten times as long, at every message
            gone = self._open.pop(int(recv_monitor_message(self._monitor)["value"]), None)
            if gone:
                client, connection = gone
                with connection:
                    if _unread(connection):
                        self._cut[client] = None
        while len(self._cut) > REMEMBERED:
            del self._cut[next(iter(self._cut))]


def _unread(connection: socket.socket) -> bool:
    """Whether bytes have come that nobody has read."""
    try:
        connection.setblocking(False)
        return bool(connection.recv(1, socket.MSG_PEEK))
    except OSError:  # none, or the other side has reset it
        return False
