"""Results onto disk: whole or not at all, the manifest last, nothing overwritten unasked."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from void_client.delivery import Delivery, write_atomically
from void_client.errors import BadInput
from void_client.hints import read_hints_file
from void_client.sequences import FileSequence, FrameRange

FRAMES = FrameRange(1001, 1003)


def out(folder: Path) -> FileSequence:
    return FileSequence(folder, "plate.%04d.exr")


def test_frames_then_the_manifest_with_their_hashes(tmp_path: Path) -> None:
    delivery = Delivery(out(tmp_path / "new" / "v001"), FRAMES)
    assert not (tmp_path / "new").exists(), "nothing is left by looking whether the folder can be written"
    for frame in FRAMES:
        data = str(frame).encode()
        delivery.write(frame, data, hashlib.sha256(data).hexdigest())
    assert not (tmp_path / "new" / "v001" / "manifest.json").exists()
    manifest = json.loads(delivery.finish({"job": "x"}).read_text())
    assert manifest["job"] == "x"
    for frame in FRAMES:
        path = tmp_path / "new" / "v001" / f"plate.{frame}.exr"
        assert manifest["frames"][str(frame)]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "plate.exr").mkdir()
    with pytest.raises(OSError, match=r"plate\.exr"):
        write_atomically(tmp_path / "plate.exr", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["plate.exr"]


def test_an_earlier_result_is_not_overwritten_unasked(tmp_path: Path) -> None:
    out(tmp_path).path(1002).write_bytes(b"before")
    with pytest.raises(BadInput, match=r"1002\.exr exists already"):
        Delivery(out(tmp_path), FRAMES)
    Delivery(out(tmp_path), FRAMES, overwrite=True)
    assert out(tmp_path).path(1002).read_bytes() == b"before"


def test_inputs_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    delivery = Delivery(FileSequence(tmp_path / "link", "plate.####.exr"), FRAMES, overwrite=True)
    with pytest.raises(BadInput, match="would overwrite the plate"):
        delivery.refuse_inputs({"plate": out(tmp_path)}, FRAMES)


def test_a_folder_that_cannot_be_written_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="can't be written"):
        Delivery(out(tmp_path / "file" / "v001"), FRAMES)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_one_file_for_many_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="one file for 3 frames"):
        Delivery(FileSequence(tmp_path, "plate.exr"), FRAMES)


def test_hints_that_were_edited_stay_when_new_ones_come(tmp_path: Path) -> None:
    delivery = Delivery(FileSequence(tmp_path, "plate.%04d.exr"), FrameRange(1, 1))
    delivery.keep_hints("")
    assert not list(tmp_path.iterdir())
    delivery.keep_hints("one")
    delivery.keep_hints("one")
    (tmp_path / "hints.json").write_text("edited")
    delivery.keep_hints("two")
    delivery.keep_hints("two")
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"hints.json": "edited", "hints_2.json": "two"}


@pytest.mark.parametrize(("content", "part"), [(None, "can't be read"), (b" ", "empty"), (b"x" * 300_000, "256 KiB")])
def test_a_hints_file_of_no_use_is_refused_by_name(tmp_path: Path, content: bytes | None, part: str) -> None:
    path = tmp_path / "hints.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=part) as caught:
        read_hints_file(path)
    assert str(path) in str(caught.value)
