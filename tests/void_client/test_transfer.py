"""Results on their way from the socket to whoever takes them."""

from __future__ import annotations

import contextlib
import hashlib
import threading

import pytest
from void_client.errors import BadInput, Damaged
from void_client.transfer import Download, Taker


def came(frame: int, *pieces: bytes, sha256: str | None = None) -> Download:
    whole = b"".join(pieces)
    download = Download(
        {"frame": frame, "size": len(whole), "sha256": sha256 or hashlib.sha256(whole).hexdigest()},
    )
    for piece in pieces:
        download.add(memoryview(piece))
    return download


def test_the_next_frame_comes_while_one_is_written_and_they_are_taken_in_order() -> None:
    go, taken = threading.Event(), []

    def write(frame: int, data: bytes, sha256: str) -> None:
        assert go.wait(60)
        taken.append((frame, data, sha256))

    with Taker(write) as taker:
        taker.take(came(1, b"one", b" frame"))
        assert taken == [], "the follower goes on while this frame is not written yet"
        go.set()
        taker.take(came(2, b"two"))
        taker.finish()
        assert taken == [
            (frame, data, hashlib.sha256(data).hexdigest()) for frame, data in ((1, b"one frame"), (2, b"two"))
        ]


def test_what_writing_runs_into_reaches_the_follower() -> None:
    def write(frame: int, data: bytes, sha256: str) -> None:
        raise BadInput("make room")

    with Taker(write) as taker:
        taker.take(came(1, b"one"))
        with pytest.raises(BadInput, match="make room"):
            taker.take(came(2, b"two"))
    with Taker(write) as taker:
        taker.take(came(1, b"one"))
        with pytest.raises(BadInput, match="make room"):
            taker.finish()


def test_nothing_is_written_any_more_once_a_follower_has_left() -> None:
    go, taken = threading.Event(), []

    def write(frame: int, data: bytes, sha256: str) -> None:
        assert go.wait(60)
        taken.append(frame)

    with contextlib.suppress(KeyboardInterrupt), Taker(write) as taker:
        taker.take(came(1, b"one"))
        threading.Timer(0.2, go.set).start()
        raise KeyboardInterrupt
    assert taken == [1]


def test_a_damaged_frame_is_never_handed_on() -> None:
    taken: list[int] = []
    with Taker(lambda frame, *_: taken.append(frame)) as taker, pytest.raises(Damaged, match="frame 7"):
        taker.take(came(7, b"one", sha256="0" * 64))
    assert taken == []
