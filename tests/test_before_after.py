"""A shot in one picture: what each third of it shows, worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shots_on_disk import flat_image
from void_client.colour import linear_rec709
from void_client.errors import BadInput

from void_server.before_after import GAP, WIDTH, write_picture
from void_server.plates.exr import write_frame
from void_server.plates.frame import Frame, Part
from void_server.plates.window import Window

FORMAT = Window(0, 0, 64, 40)


def srgb(linear: float) -> float:
    """IEC 61966-2-1, in 0..255."""
    return 255 * (1.055 * linear ** (1 / 2.4) - 0.055)


def write_frames(folder: Path) -> tuple[Path, Path]:
    """A plate of 0.2, and a result of 0.5 whose left half was removed."""
    plate = flat_image(0.2, FORMAT, FORMAT)
    part = flat_image(0.5, FORMAT, FORMAT).parts[0]
    quadmask = np.ones((40, 64), np.float16)
    quadmask[:, :32] = 0
    result = Frame((Part(part.header, {**part.channels, "void.quadmask": quadmask}),))
    for name, frame in (("plate", plate), ("result", result)):
        (folder / f"{name}.exr").write_bytes(write_frame(frame))
    return folder / "plate.exr", folder / "result.exr"


def test_plate_quadmask_and_result_stand_side_by_side(tmp_path: Path) -> None:
    plate, result = write_frames(tmp_path)
    write_picture(tmp_path / "picture.jpg", plate, result, linear_rec709())
    picture = np.asarray(Image.open(tmp_path / "picture.jpg"), float)
    assert picture.shape == (300, 3 * WIDTH + 2 * GAP, 3), "480 wide as 64x40"
    starts = [0, WIDTH + GAP, 2 * (WIDTH + GAP)]
    halves = [picture[:, x + 20 : x + 220].mean((0, 1)) for x in starts]
    rest = [picture[:, x + 260 : x + 460].mean((0, 1)) for x in starts]
    assert np.abs(halves[0] - srgb(0.2)).max() < 2
    assert np.abs(rest[1] - srgb(0.2)).max() < 2, "the plate shows where nothing is removed"
    assert halves[1][0] > halves[1][1] + 60, "red is removed"
    assert np.abs(halves[2] - srgb(0.5)).max() < 2


def test_what_is_no_exr_is_no_picture(tmp_path: Path) -> None:
    plate, result = write_frames(tmp_path)
    result.write_bytes(b"no EXR")
    with pytest.raises(BadInput, match=r"no picture of result\.exr"):
        write_picture(tmp_path / "picture.jpg", plate, result, linear_rec709())
    assert not (tmp_path / "picture.jpg").exists()
