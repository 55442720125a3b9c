"""A damaged frame costs its job, by name, and not the service: the same worker does the next one."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from following import take
from void_client.client import Client, Job
from void_client.errors import JobFailed
from void_client.follow import follow
from void_client.sequences import FileSequence, FrameRange

SETTINGS = {"height": 32, "width": 48, "window": 13, "overlap": 8, "passes": 1}
FRAMES = FrameRange(1001, 1006)


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def zeroed(data: bytes) -> bytes:
    """The last compressed scanlines are gone, the header is whole."""
    return data[:-500] + bytes(500)


def bomb(data: bytes) -> bytes:
    """A header that promises 60000 x 60000 pixels."""
    at = data.index(b"dataWindow\0box2i\0") + 21
    return data[:at] + struct.pack("<4i", 0, 0, 59999, 59999) + data[at + 16 :]


def other(data: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + data


def loops(data: bytes) -> bytes:
    """Every chunk is said to lie where the header begins."""
    end = data.index(b"screenWindowWidth\0float\0") + 33
    return data[:end] + struct.pack("<4Q", 8, 8, 8, 8) + data[end + 32 :]


@pytest.mark.parametrize("damage", [cut, zeroed, bomb, other, loops])
@pytest.mark.parametrize("name", ["plate", "roto"])
def test_a_damaged_frame_fails_its_job_by_name_and_the_same_worker_does_the_next(
    client: Client, shot: Path, tmp_path: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    whole = Job(FRAMES, {kind: FileSequence(shot, f"{kind}.%04d.exr") for kind in ("plate", "roto")}, "", SETTINGS)
    for path in shot.glob(f"{name}.*.exr"):
        shutil.copy(path, tmp_path)
    path = tmp_path / f"{name}.1004.exr"
    path.write_bytes(damage(path.read_bytes()))
    damaged = replace(whole, inputs=whole.inputs | {name: FileSequence(tmp_path, f"{name}.%04d.exr")})
    worker = client.status()["workers"][0]["pid"]

    came: list[int] = []
    with pytest.raises(JobFailed, match=rf"frame 1004 of {name}\.%04d\.exr .*: render it") as caught:
        follow(client, client.submit(damaged), on_frame=lambda number, *_: came.append(number), inputs=damaged.inputs)
    assert (caught.value.code, came) == ("bad_input", []), "every frame is looked at before the first is made"
    assert list(take(client, whole, client.submit(whole))) == list(FRAMES)
    assert client.status()["workers"][0]["pid"] == worker
