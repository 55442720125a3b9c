"""A shot from EXRs to EXRs, with engines whose answer is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import OpenEXR
import pytest
from shots_on_disk import SETTINGS, Engine, Pixels, Progress, bits, flat_image, footage, rewrite, write_flat_shot

from void_server.demo.scene import Scene
from void_server.engine import RemovalRequest
from void_server.footage import Footage
from void_server.masks.grid import grid_shape
from void_server.masks.quadmask import BadMask
from void_server.mattes import Mattes
from void_server.plates.exr import read_frame, write_frame
from void_server.plates.frame import BadPlate
from void_server.plates.resize import shrink
from void_server.plates.window import Window
from void_server.settings import ShotSettings
from void_server.shot import build_quadmasks, remove_object


def test_outside_the_matte_every_bit_is_the_plates_and_inside_it_is_changed(tmp_path: Path) -> None:
    plate, roto = write_flat_shot(tmp_path)
    odd = np.array([0x8000, 0x7E01, 0xFC00, 0x0001, 0x7BFF], np.uint16).view(
        np.float16
    )  # -0, a NaN, -Inf, subnormal, max

    def add_odd(channels: dict[str, npt.NDArray[np.generic]]) -> None:
        channels["R"][0, :5] = odd
        channels["A"][20, 20:25] = odd

    rewrite(plate.paths[2], add_odd)
    engine = Engine(lambda request: np.zeros_like(request.clip))
    for number, frame in zip(
        plate.frames, remove_object(plate, Mattes(roto), SETTINGS, engine, Progress()), strict=True
    ):
        source = read_frame(plate.paths[number])
        matte = frame.channel("void.matte")
        outside = matte == 0
        assert 0 < np.count_nonzero(outside) < outside.size
        for name in "RGB":
            assert np.array_equal(bits(frame.channel(name))[outside], bits(source.channel(name))[outside])
            assert (frame.channel(name)[matte == 1] == 0).all()
        assert np.array_equal(bits(frame.channel("A")), bits(source.channel("A"))), "alpha is passed through"


def test_the_matte_is_1_on_the_roto_and_0_beyond_the_feather(tmp_path: Path) -> None:
    plate, roto = write_flat_shot(tmp_path)
    frame = next(remove_object(plate, Mattes(roto), SETTINGS, Engine(lambda r: r.clip), Progress()))
    y, x = np.mgrid[0:40, 0:64]
    distance = np.hypot(np.maximum(np.maximum(24 - x, x - 39), 0), np.maximum(np.maximum(12 - y, y - 27), 0))
    assert np.allclose(frame.channel("void.matte"), np.clip(1 - distance / 3.0, 0, 1), atol=1e-3)
    assert (frame.channel("void.matte")[distance >= 3] == 0).all()


@pytest.mark.parametrize("value", [0.0, 0.18, 0.9, 5.0, 60.0])
def test_light_survives_the_way_to_the_model_and_back(tmp_path: Path, value: float) -> None:
    plate, roto = write_flat_shot(tmp_path, value=value)
    engine = Engine(lambda request: request.clip)
    frame = next(remove_object(plate, Mattes(roto), SETTINGS, engine, Progress()))
    assert np.allclose(frame.channel("G").astype(float), value, rtol=2e-3, atol=1e-4)
    assert 0 <= engine.requests[0].clip.min() <= engine.requests[0].clip.max() <= 1


def test_an_oracle_that_knows_the_background_brings_it_into_the_hole(shot: Path, scene: Scene) -> None:
    plate, roto, affected = (footage(shot, name, scene.frames) for name in ("plate", "roto", "affected"))

    def oracle(request: RemovalRequest) -> Pixels:
        assert request.frames == tuple(scene.frames)
        assert set(request.windows) == {scene.data_window}
        small = [shrink(scene.truth(number), SETTINGS.width, SETTINGS.height) for number in request.frames]
        return np.stack([request.curve.encode(picture) for picture in small])

    frames = remove_object(plate, Mattes(roto, affected), SETTINGS, Engine(oracle), Progress())
    for number, frame in zip(scene.frames, frames, strict=True):
        hole = scene.object_matte(number) > 0.5
        error = np.abs(frame.rgb() - scene.truth(number))[hole]
        before = np.abs(scene.plate(number) - scene.truth(number))[hole]
        assert error.mean() < 0.25 * before.mean()


def test_the_quadmask_follows_the_convention(shot: Path, scene: Scene) -> None:
    plate, roto, affected = (footage(shot, name, scene.frames) for name in ("plate", "roto", "affected"))
    engine = Engine(lambda r: r.clip)
    full = dataclasses.replace(SETTINGS, crop="full")
    frames = list(remove_object(plate, Mattes(roto, affected), full, engine, Progress()))
    levels = [np.rint(frame.channel("void.quadmask").astype(float) * 255).astype(int) for frame in frames]
    list(remove_object(plate, Mattes(roto), full, engine, Progress()))
    shown, without = (request.quadmask for request in engine.requests)
    assert np.array_equal(shown[0], without[0]), "the model is shown nothing as affected on the first frame"
    assert not np.array_equal(shown[1], without[1])
    assert np.isin(levels[0], (63, 127)).any(), "what is affected there is filled all the same"
    assert (frames[0].channel("void.matte")[levels[0] == 127] == 1).all()
    height, width = levels[3].shape
    rows, columns = grid_shape(height, width)
    is_affected = np.isin(levels[3], (63, 127))
    assert is_affected.any()
    for r in range(rows):
        for c in range(columns):
            cell = is_affected[
                r * height // rows : (r + 1) * height // rows, c * width // columns : (c + 1) * width // columns
            ]
            assert cell.all() or not cell.any(), "a cell is affected as a whole"
    painted = read_frame(roto.paths[1004])
    rows_, columns_ = painted.data_window.slices_in(scene.data_window)
    assert np.array_equal(np.isin(levels[3], (0, 63))[rows_, columns_], painted.channel("A") >= 1 / 32)


def test_a_finished_quadmask_is_taken_as_it_is(shot: Path, scene: Scene, tmp_path: Path) -> None:
    plate, roto, affected = (footage(shot, name, scene.frames) for name in ("plate", "roto", "affected"))
    first = list(remove_object(plate, Mattes(roto, affected), SETTINGS, Engine(lambda r: r.clip), Progress()))
    for number, frame in zip(scene.frames, first, strict=True):
        (tmp_path / f"q.{number:04d}.exr").write_bytes(write_frame(frame))
    again = remove_object(
        plate, Mattes(quadmask=footage(tmp_path, "q", scene.frames)), SETTINGS, Engine(lambda r: r.clip), Progress()
    )
    for before, after in zip(first, again, strict=True):
        assert np.array_equal(bits(before.channel("void.quadmask")), bits(after.channel("void.quadmask")))


def test_header_windows_and_metadata_are_kept(shot: Path, scene: Scene) -> None:
    plate, roto = footage(shot, "plate", scene.frames), footage(shot, "roto", scene.frames)
    for number, frame in zip(
        scene.frames, remove_object(plate, Mattes(roto), SETTINGS, Engine(lambda r: r.clip), Progress()), strict=True
    ):
        assert frame.data_window == Window(-4, -4, 168, 98)
        assert frame.display_window == Window(0, 0, 160, 90)
        assert frame.parts[0].header["nuke/input/frame"] == str(number)
        assert frame.parts[0].header["compression"] == OpenEXR.ZIP_COMPRESSION
        assert frame.channel("R").dtype == np.float16


def test_frames_may_differ_in_their_data_window(tmp_path: Path) -> None:
    plate, roto = write_flat_shot(tmp_path)
    display = Window(0, 0, 64, 40)
    cropped = flat_image(5.0, Window(10, 8, 40, 30), display)
    plate.paths[2].write_bytes(write_frame(cropped))

    def dark_left_half(request: RemovalRequest) -> Pixels:
        answer = np.ones_like(request.clip)
        answer[:, :, : answer.shape[2] // 2] = 0
        return answer

    frames = list(remove_object(plate, Mattes(roto), SETTINGS, Engine(dark_left_half), Progress()))
    assert [frame.data_window for frame in frames] == [display, Window(10, 8, 40, 30), display]
    matte, red = frames[1].channel("void.matte"), frames[1].channel("R")
    assert matte[12 - 8 : 28 - 8, 24 - 10 : 40 - 10].min() == 1, "the matte lies where the roto was painted"
    row = red[20 - 8, 24 - 10 : 40 - 10]
    assert (row[:6] == 0).all(), "and the result where the model saw it"
    assert (row[-6:] > 4.9).all()


def test_nan_in_the_plate_is_cleaned_for_the_model_kept_outside_and_said_once(tmp_path: Path) -> None:
    plate, roto = write_flat_shot(tmp_path)
    for frame in (1, 3):
        rewrite(plate.paths[frame], lambda channels: channels["G"][:2, :2].fill(np.nan))
    progress = Progress()
    engine = Engine(lambda request: request.clip)
    frames = list(remove_object(plate, Mattes(roto), SETTINGS, engine, progress))
    assert np.isfinite(engine.requests[0].clip).all()
    assert np.isnan(frames[0].channel("G")[:2, :2]).all()
    assert len(progress.notices) == 1
    assert "2 of 3 frames" in progress.notices[0]
    assert "4 values" in progress.notices[0]


def test_every_stage_reports_each_of_its_steps(tmp_path: Path) -> None:
    plate, roto = write_flat_shot(tmp_path)
    progress = Progress()
    list(remove_object(plate, Mattes(roto), SETTINGS, Engine(lambda r: r.clip), progress))
    stages = ("masking", "masking", "finishing")  # the plate, then the mattes
    assert progress.steps == [(stage, n, 3) for stage in stages for n in range(4)]


def refuse(plate: Footage, mattes: Mattes, error: type[Exception], *words: str, mattes_are_why: bool = True) -> None:
    """What is wrong is found before the engine is asked; with the mattes, also where the quadmask alone is wanted."""
    engine = Engine(lambda request: request.clip)
    with pytest.raises(error) as caught:
        next(remove_object(plate, mattes, SETTINGS, engine, Progress()))
    assert not engine.requests
    for word in words:
        assert word in str(caught.value)
    if mattes_are_why:
        with pytest.raises(error) as alone:
            next(build_quadmasks(plate, mattes, SETTINGS, Progress()))
        assert str(alone.value) == str(caught.value)


def test_an_empty_roto_is_refused(tmp_path: Path) -> None:
    plate, roto = write_flat_shot(tmp_path)
    for path in roto.paths.values():
        rewrite(path, lambda channels: channels["A"].fill(0.01))
    refuse(plate, Mattes(roto), BadMask, "roto.####.exr", "empty", "1-3", "paint")


def test_a_roto_of_another_format_is_refused(tmp_path: Path) -> None:
    plate, roto = write_flat_shot(tmp_path)
    other = Window(0, 0, 32, 20)
    roto.paths[2].write_bytes(write_frame(flat_image(1.0, other, other, "A")))
    refuse(plate, Mattes(roto), BadPlate, "frame 2 of roto.####.exr", "32x20", "64x40")


def test_nan_in_the_roto_is_refused_with_its_place(tmp_path: Path) -> None:
    plate, roto = write_flat_shot(tmp_path)
    rewrite(roto.paths[3], lambda channels: channels["A"][4:5, 7:8].fill(np.nan))
    refuse(plate, Mattes(roto), BadMask, "frame 3 of roto.####.exr", "nan")


def write_flat_quadmask(folder: Path, level: int) -> Footage:
    display = Window(0, 0, 64, 40)
    for frame in range(1, 4):
        (folder / f"q.{frame:04d}.exr").write_bytes(write_frame(flat_image(level / 255, display, display, "RGB")))
    return footage(folder, "q", range(1, 4))


def test_a_quadmask_with_nothing_to_remove_is_refused(tmp_path: Path) -> None:
    plate, _ = write_flat_shot(tmp_path)
    quadmask = write_flat_quadmask(tmp_path, 127)
    refuse(plate, Mattes(quadmask=quadmask), BadMask, "nothing to remove", "1-3", "paint")


def test_a_quadmask_that_was_filtered_is_refused_with_its_place(tmp_path: Path) -> None:
    plate, _ = write_flat_shot(tmp_path)
    quadmask = write_flat_quadmask(tmp_path, 0)
    rewrite(quadmask.paths[3], lambda channels: channels["R"][3:6, 6:9].fill(0.6))
    refuse(plate, Mattes(quadmask=quadmask), BadMask, "frame 3 of q.####.exr", "0.6", "x 7, y 4")


def test_a_truncated_plate_is_refused_by_its_frame(tmp_path: Path) -> None:
    plate, roto = write_flat_shot(tmp_path)
    data = plate.paths[2].read_bytes()
    plate.paths[2].write_bytes(data[: len(data) - 40])
    refuse(plate, Mattes(roto), BadPlate, "frame 2 of plate.####.exr", "render it again", mattes_are_why=False)


def test_settings_are_checked_by_name() -> None:
    settings = ShotSettings.from_dict({"pass2": {"steps": 7}})
    assert (settings.pass2.steps, settings.pass2.guidance_scale, settings.pass1.steps) == (7, 6.0, 30)
    assert ShotSettings.from_dict(dataclasses.asdict(settings)) == settings
    for wrong, word in [
        ({"sede": 1}, "sede"),
        ({"pass1": {"stesp": 1}}, "pass1.stesp"),
        ({"height": "tall"}, "height"),
    ]:
        with pytest.raises(ValueError, match=word):
            ShotSettings.from_dict(wrong)
    with pytest.raises(ValueError, match="384"):
        ShotSettings.from_dict({"height": 385})
