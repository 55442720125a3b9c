"""The demo's shot is what it says, and its report counts honestly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from void_client.sequences import FileSequence, FrameRange

from void_server.demo.report import GENERATED, PLATE, REAL, where_from, write_report
from void_server.demo.scene import Scene
from void_server.plates.exr import read_frame, write_frame
from void_server.plates.window import Window


def test_the_shot_is_hdr_half_float_with_overscan_and_the_same_every_time(scene: Scene, shot: Path) -> None:
    plate = read_frame(shot / "plate.1002.exr")
    assert plate.display_window == Window(0, 0, 160, 90)
    assert plate.data_window == Window(-4, -4, 168, 98)
    assert plate.channel("R").dtype == np.float16
    assert plate.rgb().max() > 5
    assert np.array_equal(plate.rgb().astype(np.float16), Scene(160, 90, 6, 1001, 4).plate(1002).astype(np.float16))


def test_grain_is_fresh_in_every_frame(scene: Scene) -> None:
    still = (
        scene.object_matte(1001) + scene.object_matte(1002) + scene.affected_matte(1001) + scene.affected_matte(1002)
        < 1e-3
    )
    one, two = (scene.plate(frame)[still] - scene.truth(frame)[still] for frame in (1001, 1002))
    assert one.std() > 0.002
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.02


@pytest.fixture
def result(scene: Scene, shot: Path, tmp_path: Path) -> FileSequence:
    """The plates themselves, with a matte over their left half, half of whose lower half is from another frame."""
    sequence = FileSequence(tmp_path, "plate.%04d.exr")
    for frame in scene.frames:
        image = read_frame(shot / f"plate.{frame}.exr")
        matte = np.zeros(image.channel("R").shape, np.float16)
        matte[:, : matte.shape[1] // 2] = 1
        real = matte / np.float16(2)
        real[: len(real) // 2] = 0
        layers = {"void.matte": matte, "void.quadmask": 1 - matte, "provenance.real": real}
        sequence.path(frame).write_bytes(write_frame(image.with_channels(layers)))
    return sequence


@pytest.mark.parametrize(("column", "counted"), [(-1, 1), (0, 0)])
def test_a_changed_value_is_counted_outside_the_matte_and_only_there(
    scene: Scene, shot: Path, result: FileSequence, tmp_path: Path, column: int, counted: int
) -> None:
    image = read_frame(result.path(1003))
    green = image.channel("G").copy()
    green[5, column] += np.float16(0.25)
    result.path(1003).write_bytes(write_frame(image.with_channels({"G": green})))
    inputs = {name: FileSequence(shot, f"{name}.%04d.exr") for name in ("plate", "roto")}
    notices = ["untrained weights: the fill is noise"]
    compared = write_report(tmp_path, inputs, result, FrameRange(1001, 1006), notices, 1.0)
    assert compared.different == counted
    assert compared.values == 6 * 4 * 98 * 84
    page = (tmp_path / "report.html").read_text()
    assert f"{counted} of {compared.values:,}" in page
    assert "untrained weights: the fill is noise" in page
    assert "25%; the rest is generated" in page
    assert Image.open(tmp_path / "contact_sheet.png").width > 1000


def test_where_pixels_are_from_is_shown_in_three_colours_mixed_by_share(result: FileSequence) -> None:
    shown = where_from(read_frame(result.path(1003)))
    height, width = shown.shape[:2]
    assert (shown[:, width // 2 :] == PLATE).all()
    assert (shown[: height // 2, : width // 2] == GENERATED).all()
    assert (shown[height // 2 :, : width // 2] == (REAL + GENERATED) // 2).all()
