"""Messages that nobody should send: none of them stops the service, and each is refused or changes nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import zmq
from following import make_job, take, until
from servers import Server
from void_client import protocol
from void_client.client import Client

from void_server.service.watch import own_memory

COUNT, EVERY = 5000, 1000
ODD: list[Callable[[random.Random], Any]] = [
    lambda chance: None,
    lambda chance: chance.choice([0, -1, 2**31, 2**53, 2**63, 2**64 - 1, -(2**63)]),
    lambda chance: chance.choice([float("nan"), float("inf"), -0.0, 1e308]),
    lambda chance: chance.choice(["", "\x00", "../../etc/passwd", "a" * 70_000, "\N{PILE OF POO}" * 300, "0" * 32]),
    lambda chance: chance.randbytes(chance.randrange(64)),
    lambda chance: [[]] * chance.randrange(2000),
    lambda chance: {"plate": {"name": "p", "sizes": [chance.randrange(2**40)] * chance.randrange(50)}},
    lambda chance: msgpack.ExtType(chance.randrange(128), chance.randbytes(8)),
    lambda chance: chance.choice([True, False]),
    lambda chance: _nested(chance.randrange(1, 900)),
]


def _nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def sensible(chance: random.Random, ids: list[str], spec: dict[str, Any]) -> dict[str, Any]:
    """A message that is right, or nearly."""
    job = chance.choice([*ids, f"{chance.getrandbits(128):032x}"])
    frame = chance.choice([1001, 1003, 1006, 1007, -(2**31)])
    offset = chance.choice([0, 1, 600, 2**20, 2**53])
    fields: dict[str, dict[str, Any]] = {
        "hello": {"client": "fuzz"},
        "submit": {"job": job, "spec": spec, "user": "fuzz", "priority": "batch"},
        "chunk": {
            "job": job,
            "input": chance.choice(["plate", "roto", "quadmask"]),
            "frame": frame,
            "offset": offset,
            "size": chance.choice([0, 100, 2**53]),
            "sha256": "0" * 64,
        },
        "attach": {"job": job, "results": chance.choice([0, 3, 2**53]), "sends": chance.choice([True, False])},
        "fetch": {"job": job, "frame": frame, "offset": offset, "length": chance.choice([1, 2**20])},
        "cancel": {"job": job},
        "release": {"job": job},
        "list": {},
        "status": {},
    }
    kind = chance.choice(list(fields))
    return {"v": protocol.VERSION, "type": kind, **fields[kind]}


def spoilt(chance: random.Random, message: dict[str, Any]) -> dict[Any, Any]:
    """A message with something missing, added or replaced, perhaps deep inside."""
    message = msgpack.unpackb(msgpack.packb(message), strict_map_key=False)
    where: dict[Any, Any] = message
    while True:
        inner = [value for value in where.values() if isinstance(value, dict) and value]
        if not inner or chance.random() < 0.5:
            break
        where = chance.choice(inner)
    name = chance.choice(list(where))
    what = chance.randrange(3)
    if what == 0:
        del where[name]
    elif what == 1:
        where[chance.choice(["surprise", "job", 7, b"\xff", None])] = chance.choice(ODD)(chance)
    else:
        where[name] = chance.choice(ODD)(chance)
    return message


def frames_of(chance: random.Random, ids: list[str], spec: dict[str, Any]) -> list[bytes]:
    """One delivery: right, spoilt, cut, flipped, or noise; with or without a payload."""
    message = sensible(chance, ids, spec)
    how = chance.randrange(8)
    header = msgpack.packb(spoilt(chance, message) if how in (1, 2) else message)
    if how == 3:
        header = header[: chance.randrange(len(header))]
    if how == 4:
        position = chance.randrange(len(header))
        header = header[:position] + chance.randbytes(chance.randrange(1, 4)) + header[position + 1 :]
    if how == 5:
        header = chance.randbytes(chance.choice([0, 1, 30, 3000]))
    payload = chance.choice([[b""], [chance.randbytes(100)], [b"x"] * 3]) if chance.random() < 0.1 else []
    if message["type"] == "chunk" and chance.random() < 0.7:
        payload = [chance.randbytes(chance.choice([1, 100, 5000]))]
    return [header, *payload]


def test_the_service_answers_after_every_thousand_and_its_memory_is_flat(shot: Path, tmp_path: Path) -> None:
    server = Server(tmp_path / "spool")
    chance = random.Random(20)
    sent = make_job(shot)
    with Client(server.address) as client, zmq.Context() as context:
        ids = [client.submit(sent), client.submit(sent)]
        take(client, sent, ids[0])
        worker = client.status()["workers"][0]["pid"]
        before = own_memory(server.pid)
        with context.socket(zmq.DEALER) as raw:
            raw.setsockopt(zmq.LINGER, 0)
            raw.setsockopt(zmq.SNDTIMEO, 60_000)
            raw.connect(server.address)
            for number in range(1, COUNT + 1):
                raw.send_multipart(frames_of(chance, ids, sent.spec()))
                while raw.poll(0):
                    raw.recv_multipart()
                if number % EVERY == 0:
                    until(lambda: client.status()["ready"], f"an answer after {number} messages")
                    while raw.poll(0):
                        raw.recv_multipart()
        assert own_memory(server.pid) < before + (64 << 20)
        assert client.status()["workers"][0]["pid"] == worker
        assert len(take(client, sent, client.submit(sent))) == 6
    assert "a message could not be handled" not in server.log()
    assert "Traceback" not in server.log()
    server.stop()
