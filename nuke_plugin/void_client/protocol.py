"""The constants of docs/protocol.md, and headers to and from bytes."""

from __future__ import annotations

from typing import Any

import msgpack

VERSION = 4
DEFAULT_ADDRESS = "tcp://127.0.0.1:5690"
CHUNK = 1 << 20
IN_FLIGHT = 8
MAX_HEADER = 1 << 20
MAX_FILE = 1 << 30
MAX_FRAMES = 20_000
MAX_HINTS = 256 << 10
MAX_USER = 256
ATTACH_EVERY = 1.0
SILENCE = 10.0
PATIENCE = 300.0
LOST_AFTER = 2.0

INPUTS = ("plate", "roto", "affected", "quadmask")
# What a job can be asked for: the plates without the object, or the quadmask alone.
RESULTS = ("plate", "quadmask")
# In the order in which their jobs run.
PRIORITIES = ("interactive", "batch")
ENDED = ("done", "failed", "cancelled")
# In the order a job goes through them.
STAGES = ("receiving", "queued", "masking", "pass1", "warping", "pass2", "finishing")


class BadMessage(Exception):
    """Bytes that are no header of this protocol."""


def pack(kind: str, **fields: Any) -> bytes:
    """A header of this version as msgpack."""
    packed: bytes = msgpack.packb({"v": VERSION, "type": kind, **fields})
    return packed


def unpack(header: bytes) -> dict[str, Any]:
    """A header from msgpack: a map with string keys, `v` and `type`. Raises BadMessage for anything else."""
    try:
        message = msgpack.unpackb(header, strict_map_key=True, max_ext_len=0)
    except Exception as error:  # msgpack raises ValueError, its own types and UnicodeDecodeError
        raise BadMessage(f"no msgpack header: {error}") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise BadMessage("the header is no map with a type")
    if not isinstance(message.get("v"), int):
        raise BadMessage("the header has no version")
    return message
