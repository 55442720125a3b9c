"""A server that does not answer: the message says why, as far as a plain connection can tell."""

from __future__ import annotations

import socket

import pytest
from servers import free_address
from void_client.client import Client
from void_client.errors import ServerUnreachable


def reason(address: str) -> str:
    with pytest.raises(ServerUnreachable) as caught:
        Client(address, timeout=0.2)
    text = str(caught.value)
    assert address in text
    assert "void serve" in text
    return text


def test_nothing_listens() -> None:
    assert "nothing listens there" in reason(free_address())


def test_something_else_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert "something listens there" in reason(f"tcp://127.0.0.1:{other.getsockname()[1]}")
