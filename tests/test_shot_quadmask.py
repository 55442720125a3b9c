"""The quadmask alone: from painted mattes to EXRs, through an artist's hands, and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import OpenEXR
import pytest
from shots_on_disk import SETTINGS, Engine, Progress, bits, flat_image, footage, rewrite, write_flat_shot

from void_server.demo.scene import Scene
from void_server.footage import Footage
from void_server.mattes import Mattes
from void_server.plates.exr import read_frame, write_frame
from void_server.plates.frame import Frame, Part
from void_server.plates.window import Window
from void_server.shot import build_quadmasks, remove_object

DISPLAY = Window(0, 0, 64, 40)
OVERSCAN = Window(-4, -2, 72, 44)
FRAMES = range(1, 4)

Levels = npt.NDArray[np.uint8]


def write_overscan_shot(folder: Path) -> tuple[Footage, Mattes]:
    """A plate with overscan; a roto of the square x 24-39, y 12-27; a spot affected at 30, 15 and one at 50, 30."""
    write_flat_shot(folder)
    for frame in FRAMES:
        plate = flat_image(0.5, OVERSCAN, DISPLAY)
        header = plate.parts[0].header | {"pixelAspectRatio": 2.0, "compression": OpenEXR.PIZ_COMPRESSION}
        plate = Frame((Part(header, plate.parts[0].channels),))
        affected = flat_image(0.0, Window(30, 15, 21, 16), DISPLAY, "A")
        affected.channel("A")[0, 0] = affected.channel("A")[15, 20] = 1.0
        (folder / f"plate.{frame:04d}.exr").write_bytes(write_frame(plate))
        (folder / f"affected.{frame:04d}.exr").write_bytes(write_frame(affected))
    plate, roto, affected = (footage(folder, name, FRAMES) for name in ("plate", "roto", "affected"))
    return plate, Mattes(roto, affected)


def expected() -> Levels:
    """The levels over the overscan, 44 rows of 72.

    The grid has 8 rows (44 / 8 = 5.5 pixels) and round(8 x 72 / 44) = 13 columns (72 / 13 = 5.54 pixels). The spot at
    30, 15 is 34, 17 from the corner: row 3 (pixels 16 to 21) and column 6 (33 to 37), inside the square. The spot at
    50, 30 is 54, 32: row 5 (27 to 32) and column 9 (49 to 54).
    """
    levels = np.full((44, 72), 255, np.uint8)
    levels[14:30, 28:44] = 0
    levels[16:22, 33:38] = 63
    levels[27:33, 49:55] = 127
    return levels


def written(frames: dict[int, Frame], folder: Path) -> Footage:
    """These frames on disk."""
    folder.mkdir()
    for number, frame in frames.items():
        (folder / f"q.{number:04d}.exr").write_bytes(write_frame(frame))
    return footage(folder, "q", FRAMES)


def build(plate: Footage, mattes: Mattes) -> dict[int, Frame]:
    return dict(zip(plate.frames, build_quadmasks(plate, mattes, SETTINGS, Progress()), strict=True))


def test_the_levels_are_those_of_the_painted_mattes_in_all_three_colours(tmp_path: Path) -> None:
    plate, mattes = write_overscan_shot(tmp_path)
    stored = written(build(plate, mattes), tmp_path / "q")
    for number in FRAMES:
        channels = read_frame(stored.paths[number]).parts[0].channels
        assert channels.keys() == set("RGBA")
        for name in "RGB":
            assert channels[name].dtype == np.float32
            assert np.array_equal(channels[name], expected().astype(np.float32) / np.float32(255)), name
        assert channels["A"].dtype == np.float32
        assert (channels["A"] == 1).all()


def test_windows_and_pixel_aspect_are_the_plates_and_the_compression_is_zip(tmp_path: Path) -> None:
    plate, mattes = write_overscan_shot(tmp_path)
    stored = written(build(plate, mattes), tmp_path / "q")
    image = read_frame(stored.paths[2])
    assert (image.data_window, image.display_window, image.pixel_aspect) == (OVERSCAN, DISPLAY, 2.0)
    assert image.parts[0].header["compression"] == OpenEXR.ZIP_COMPRESSION


def test_a_frame_with_a_smaller_data_window_has_the_whole_shots_quadmask(tmp_path: Path) -> None:
    plate, mattes = write_overscan_shot(tmp_path)
    plate.paths[2].write_bytes(write_frame(flat_image(0.5, Window(20, 10, 40, 30), DISPLAY)))
    frame = build(plate, mattes)[2]
    assert frame.data_window == OVERSCAN
    assert np.array_equal(frame.channel("R"), expected().astype(np.float32) / np.float32(255))


def test_around_a_picture_smaller_than_its_format_everything_is_kept(tmp_path: Path) -> None:
    plate, mattes = write_overscan_shot(tmp_path)
    smaller = Window(20, 10, 20, 15)
    for number in FRAMES:
        plate.paths[number].write_bytes(write_frame(flat_image(0.5, smaller, DISPLAY)))
    frame = build(plate, mattes)[1]
    assert frame.data_window == DISPLAY
    outside = np.ones((40, 64), bool)
    outside[10:25, 20:40] = False
    assert (frame.channel("R")[outside] == 1).all()
    assert np.isin(frame.channel("R")[12:25, 24:40], (0, np.float32(63) / np.float32(255))).all()


def test_it_is_the_quadmask_that_a_removal_works_with(shot: Path, scene: Scene) -> None:
    plate, roto, affected = (footage(shot, name, scene.frames) for name in ("plate", "roto", "affected"))
    mattes = Mattes(roto, affected)
    removed = remove_object(plate, mattes, SETTINGS, Engine(lambda request: request.clip), Progress())
    for alone, with_plate in zip(build_quadmasks(plate, mattes, SETTINGS, Progress()), removed, strict=True):
        assert np.array_equal(bits(alone.channel("R").astype(np.float16)), bits(with_plate.channel("void.quadmask")))


def test_given_back_it_is_read_to_the_same_levels(tmp_path: Path) -> None:
    plate, mattes = write_overscan_shot(tmp_path)
    back = Mattes(quadmask=written(build(plate, mattes), tmp_path / "q"))
    for number in FRAMES:
        assert np.array_equal(back.read(number, OVERSCAN, index=number - 1), expected())


@pytest.mark.parametrize("stored", [np.float16, np.float32])
def test_painted_over_in_half_or_float_it_is_read_to_the_levels_that_were_meant(tmp_path: Path, stored: type) -> None:
    plate, mattes = write_overscan_shot(tmp_path)
    quadmask = written(build(plate, mattes), tmp_path / "q")
    levels = {0: slice(0, 3), 63: slice(3, 6), 127: slice(6, 9), 255: slice(9, 12)}

    def paint(channels: dict[str, npt.NDArray[np.generic]]) -> None:
        for name in "RGBA":
            channels[name] = channels[name].astype(stored)
        for name in "RGB":
            for level, columns in levels.items():
                channels[name][20:30, columns] = stored(level / 255)

    for path in quadmask.paths.values():
        rewrite(path, paint)
    for number in FRAMES:
        wanted = expected()
        for level, columns in levels.items():
            wanted[20:30, columns] = level
        assert np.array_equal(Mattes(quadmask=quadmask).read(number, OVERSCAN, index=number - 1), wanted)
    exact = build(plate, Mattes(quadmask=quadmask))
    assert np.array_equal(exact[3].channel("G"), wanted.astype(np.float32) / np.float32(255))


def test_of_the_plate_headers_alone_are_read(tmp_path: Path) -> None:
    plate, mattes = write_overscan_shot(tmp_path)
    data = plate.paths[2].read_bytes()
    plate.paths[2].write_bytes(data[: len(data) - 40])
    assert list(build(plate, mattes)) == list(FRAMES)


def test_both_stages_report_each_of_their_steps(tmp_path: Path) -> None:
    plate, mattes = write_overscan_shot(tmp_path)
    progress = Progress()
    frames = build_quadmasks(plate, mattes, SETTINGS, progress)
    next(frames)
    assert progress.steps == [("masking", n, 3) for n in range(4)] + [("finishing", 0, 3)]
    list(frames)
    assert progress.steps[4:] == [("finishing", n, 3) for n in range(4)]
    assert progress.notices == []
