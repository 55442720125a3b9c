"""A client that sends too large a frame: its connection is cut, and it is told why when it comes back."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import zmq
from void_client import protocol
from void_client.client import Client
from void_client.errors import Refused, ServerUnreachable

from void_server.service.socket import LARGEST_FRAME


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    made = zmq.Context()
    yield made
    made.destroy(linger=0)


def dealer(context: zmq.Context[zmq.Socket[bytes]], address: str, identity: bytes) -> zmq.Socket[bytes]:
    made = context.socket(zmq.DEALER)
    made.setsockopt(zmq.ROUTING_ID, identity)
    made.setsockopt(zmq.LINGER, 0)
    made.connect(address)
    return made


def answer(raw: zmq.Socket[bytes]) -> dict[str, Any]:
    """To a hello; a first one may go down with the connection, with whatever was sent together with the large frame."""
    for _ in range(60):
        raw.send(protocol.pack("hello", client="a test"))
        if raw.poll(1000):
            return protocol.unpack(raw.recv())
    raise AssertionError("no answer")


def test_a_client_that_is_cut_off_is_told_why_once_and_then_served(
    server: str, context: zmq.Context[zmq.Socket[bytes]]
) -> None:
    raw = dealer(context, server, uuid.uuid4().bytes)
    assert answer(raw)["type"] == "welcome"
    raw.send(b"x" * (LARGEST_FRAME + 1))
    told = answer(raw)
    assert (told["type"], told["code"]) == ("refused", "too_large")
    assert "more than 2 MiB came from this client" in told["message"]
    assert answer(raw)["type"] == "welcome"


def test_nobody_else_is_told(server: str, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    raw = dealer(context, server, uuid.uuid4().bytes)
    assert answer(raw)["type"] == "welcome"
    raw.send_multipart([protocol.pack("chunk"), b"x" * (2 * LARGEST_FRAME)])
    other = dealer(context, server, uuid.uuid4().bytes)
    assert answer(other)["type"] == "welcome"
    assert answer(raw)["code"] == "too_large"


def test_who_leaves_and_comes_back_is_told_nothing(server: str, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    identity = uuid.uuid4().bytes
    for _ in range(3):
        raw = dealer(context, server, identity)
        assert answer(raw)["type"] == "welcome"
        raw.close()


def test_what_is_only_a_little_too_large_is_told_at_once(server: str, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    raw = dealer(context, server, uuid.uuid4().bytes)
    raw.send(b"x" * LARGEST_FRAME)
    assert raw.poll(60_000)
    assert protocol.unpack(raw.recv())["code"] == "bad_message"


def test_our_client_shows_the_reason(server: str) -> None:
    """As one that follows a job would: it asks again each second."""
    with Client(server, timeout=30.0) as client:
        client.send("chunk", b"x" * (2 * LARGEST_FRAME))
        client.timeout = 1.0
        with pytest.raises(Refused, match="its connection was cut"):
            _ask_until_answered(client)


def _ask_until_answered(client: Client) -> None:
    for _ in range(60):
        with contextlib.suppress(ServerUnreachable):
            client.status()
