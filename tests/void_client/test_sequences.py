"""Frame ranges and sequences as Nuke writes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from void_client.errors import BadInput
from void_client.sequences import FileSequence, FrameRange


@given(st.integers(-9999, 9999), st.integers(0, 500))
def test_a_range_reads_back_what_it_prints(first: int, more: int) -> None:
    frames = FrameRange(first, first + more)
    assert FrameRange.parse(str(frames)) == frames
    assert next(iter(frames)) == first
    assert list(frames)[-1] == first + more
    assert len(frames) == more + 1


def test_one_frame_is_a_range() -> None:
    assert FrameRange.parse("1001") == FrameRange(1001, 1001)


@pytest.mark.parametrize("text", ["", "a-b", "1-2-3", "1001,1002", "10-1", "1.5"])
def test_what_is_no_range_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(BadInput):
        FrameRange.parse(text)


@pytest.mark.parametrize(
    ("pattern", "frame", "name"),
    [
        ("plate.%04d.exr", 7, "plate.0007.exr"),
        ("plate.####.exr", 12345, "plate.12345.exr"),
        ("plate.%d.exr", 7, "plate.7.exr"),
        ("plate_##.exr", 7, "plate_07.exr"),
        ("plate.%04d.exr", -7, "plate.-0007.exr"),
        ("plate.exr", 7, "plate.exr"),
    ],
)
def test_the_file_of_a_frame(pattern: str, frame: int, name: str) -> None:
    assert FileSequence.parse(f"/shots/a b/{pattern}").path(frame) == Path("/shots/a b") / name


@pytest.mark.parametrize("text", ["", "/", "a.%04d.####.exr", "shot_%04d/plate.exr"])
def test_what_is_no_sequence_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        FileSequence.parse(text)


def test_missing_frames_are_named(tmp_path: Path) -> None:
    sequence = FileSequence.parse(str(tmp_path / "plate.%04d.exr"))
    for frame in (1, 2, 4):
        sequence.path(frame).touch()
    sequence.require(FrameRange(1, 2))
    with pytest.raises(BadInput, match=r"frame 3 of plate\.%04d\.exr is missing; the range is 1-4"):
        sequence.require(FrameRange(1, 4))
    with pytest.raises(BadInput, match=r"frames 3, 5, 6, 7, 8 and 2 more of plate"):
        sequence.require(FrameRange(1, 10))
    with pytest.raises(BadInput, match="no frame of"):
        sequence.require(FrameRange(20, 30))
    with pytest.raises(BadInput, match="no folder"):
        FileSequence.parse(str(tmp_path / "not" / "plate.%04d.exr")).require(FrameRange(1, 2))
