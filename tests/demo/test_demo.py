"""The demo's shot is what it says, and its report counts honestly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import Void
from PIL import Image
from void_client.sequences import FileSequence, FrameRange

from void_server.demo import SCENE
from void_server.demo.report import GENERATED, PLATE, REAL, where_from, write_loop, write_report
from void_server.demo.scene import Scene
from void_server.plates.exr import read_frame, write_frame
from void_server.plates.window import Window
from void_server.training.pairs import FIRST_HELD_OUT


def test_the_shot_is_hdr_half_float_with_overscan_and_the_same_every_time(scene: Scene, shot: Path) -> None:
    plate = read_frame(shot / "plate.1002.exr")
    assert plate.display_window == Window(0, 0, 160, 90)
    assert plate.data_window == Window(-4, -4, 168, 98)
    assert plate.channel("R").dtype == np.float16
    assert plate.rgb().max() > 5
    assert np.array_equal(plate.rgb().astype(np.float16), Scene(160, 90, 6, 1001, 4).plate(1002).astype(np.float16))


def test_the_demos_block_is_painted_and_its_ball_told_as_affected_where_it_is_and_where_it_will_be() -> None:
    scene = Scene(224, 128, 21, overscan=4, kind="support", seed=SCENE.seed)
    for frame in (1001, 1011, 1021):
        object_, affected = scene.object_matte(frame) >= 1 / 32, scene.affected_matte(frame) > 0
        differs = np.abs(scene.plate(frame) - scene.truth(frame)).max(axis=2) > 0.3  # more than grain
        assert differs.any()
        assert not (differs & ~object_ & ~affected).any()
    rows = np.arange(scene.data_window.height)[:, None]
    first, last = (np.abs(scene.truth(frame) - scene.truth(1001)).max(axis=2) > 0.1 for frame in (1001, 1021))
    assert not first.any()
    assert (rows * last).max() > 0.8 * 128  # the ball has come down to the floor
    assert SCENE.seed >= FIRST_HELD_OUT


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
    given = {name: FileSequence(shot, f"{name}.%04d.exr") for name in ("plate", "truth")}
    notices = ["untrained weights: the fill is noise"]
    compared = write_report(tmp_path, given, result, result, FrameRange(1001, 1006), notices, 1.0)
    assert compared.different == counted
    assert compared.values == 6 * 4 * 98 * 84
    page = (tmp_path / "report.html").read_text()
    assert f"{counted} of {compared.values:,}" in page
    assert "untrained weights: the fill is noise" in page
    assert "25%; the rest is generated" in page
    assert Image.open(tmp_path / "contact_sheet.png").width > 1000


def test_the_loop_shows_every_frame_side_by_side_and_starts_again(tmp_path: Path) -> None:
    greys = [[np.full((40, 60, 3), 40 * frame + 10 * column, np.uint8) for column in range(3)] for frame in range(4)]
    write_loop(tmp_path / "loop.webp", greys, ["one", "two", "three"])
    loop = Image.open(tmp_path / "loop.webp")
    assert (loop.n_frames, loop.info["loop"]) == (4, 0)
    for frame, pictures in enumerate(greys):
        loop.seek(frame)
        shown = np.asarray(loop.convert("RGB"))[-20]
        middles = shown[[30, 30 + 68, 30 + 2 * 68]].mean(axis=1)
        assert middles == pytest.approx([picture[0, 0, 0] for picture in pictures], abs=6)


@pytest.mark.slow
def test_the_demo_writes_both_passes_and_leaves_everything_else_alone(tmp_path: Path, void: Void) -> None:
    done = void("demo", "--out", tmp_path / "demo", timeout=600)
    assert done.returncode == 0, done.stderr
    assert "outside the matte 0 of" in done.stdout
    assert "tiny demo weights: for trying the workflow, not for shots" in done.stdout
    one, two = (read_frame(tmp_path / "demo" / name / "plate.1021.exr") for name in ("pass1", "pass2"))
    matte = two.channel("void.matte") > 0
    assert np.array_equal(matte, one.channel("void.matte") > 0)
    assert not np.array_equal(one.rgb()[matte], two.rgb()[matte])
    loop = Image.open(tmp_path / "demo" / "loop.webp")
    assert loop.n_frames == len(SCENE.frames)
    assert (tmp_path / "demo" / "loop.webp").stat().st_size < 1.5 * 2**20


def test_where_pixels_are_from_is_shown_in_three_colours_mixed_by_share(result: FileSequence) -> None:
    shown = where_from(read_frame(result.path(1003)))
    height, width = shown.shape[:2]
    assert (shown[:, width // 2 :] == PLATE).all()
    assert (shown[: height // 2, : width // 2] == GENERATED).all()
    assert (shown[height // 2 :, : width // 2] == (REAL + GENERATED) // 2).all()
