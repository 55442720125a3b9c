"""Quadmasks from paint, carried masks and cells of hints, by arithmetic.

The picture is 64x40, so its grid has 8 rows of 5 pixels and round(8 x 64 / 40) = 13 columns; column c begins at pixel
int(c * 64 / 13): 0, 4, 9, 14, 19, 24, 29, 34, 39, 44, 49, 54, 59.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from shots_on_disk import SETTINGS, Progress, flat_image, footage, write_flat_shot

from void_server.footage import Footage
from void_server.masks.quadmask import BadMask
from void_server.masks.regions import Regions
from void_server.mattes import Mattes
from void_server.plates.exr import write_frame
from void_server.plates.window import Window
from void_server.shot import build_quadmasks

PICTURE = Window(0, 0, 64, 40)
OVERSCAN = Window(-4, -2, 72, 44)
SQUARE = np.s_[12:28, 24:40]  # rows and columns of the roto of `write_flat_shot`

Levels = npt.NDArray[np.uint8]


def painted(folder: Path, name: str, **places: tuple[slice, slice]) -> Footage:
    """Frames 1 to 3 of a sequence whose channels are 1 at these places (bob_A is bob.A) and 0 elsewhere."""
    image = flat_image(0.0, PICTURE, PICTURE, [channel.replace("_", ".") for channel in places])  # type: ignore[arg-type]
    for channel, place in places.items():
        image.channel(channel.replace("_", "."))[place] = 1.0
    for frame in range(1, 4):
        (folder / f"{name}.{frame:04d}.exr").write_bytes(write_frame(image))
    return footage(folder, name, range(1, 4))


def levels(*places: tuple[tuple[slice, slice], int], shape: tuple[int, int] = (40, 64)) -> Levels:
    """A quadmask that keeps everything but these places."""
    result = np.full(shape, 255, np.uint8)
    for place, level in places:
        result[place] = level
    return result


def cells(*named: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """These cells on each of three frames."""
    result = np.zeros((3, 8, 13), bool)
    for row, col in named:
        result[:, row, col] = True
    return result


def none() -> npt.NDArray[np.bool_]:
    return cells()


@pytest.mark.parametrize(
    ("grow", "place"),
    [
        (0, np.s_[30:35, 49:54]),  # pixel 50, 30 is in row 6 (30 to 34) and column 10 (49 to 53)
        (1, np.s_[25:40, 44:59]),  # rows 5 to 7, columns 9 to 11
        (2, np.s_[20:40, 39:64]),  # rows 4 to 7 (there is no 8), columns 8 to 12
    ],
)
def test_what_is_painted_as_affected_takes_its_cells_and_so_many_around_them(
    tmp_path: Path, grow: int, place: tuple[slice, slice]
) -> None:
    _, roto = write_flat_shot(tmp_path)
    affected = painted(tmp_path, "affected", A=np.s_[30:31, 50:51])
    expected = levels((place, 127), (SQUARE, 0))
    if grow == 2:
        expected[20:28, 39:40] = 63  # where the square is affected too
    read = Mattes(roto, affected, grow=grow).read(2, PICTURE, index=1)
    assert np.array_equal(read, expected)


def test_hints_and_a_second_roto_add_up_on_every_frame(tmp_path: Path) -> None:
    _, roto = write_flat_shot(tmp_path)
    affected = painted(tmp_path, "affected", A=np.s_[30:31, 50:51])
    hints = Regions(belongings=cells((0, 1)), affected=cells((7, 0)))
    mattes = Mattes(roto, affected, regions=hints)
    hat = (np.s_[0:5, 4:9], 0)
    expected = levels(hat, (SQUARE, 0), (np.s_[30:35, 49:54], 127), (np.s_[35:40, 0:4], 127))
    for index in range(3):
        assert np.array_equal(mattes.read(index + 1, PICTURE, index=index), expected)


def test_belongings_within_what_is_affected_are_both(tmp_path: Path) -> None:
    _, roto = write_flat_shot(tmp_path)
    mattes = Mattes(roto, regions=Regions(belongings=cells((0, 1)), affected=cells((0, 1), (0, 2))))
    expected = levels((np.s_[0:5, 4:9], 63), (np.s_[0:5, 9:14], 127), (SQUARE, 0))
    assert np.array_equal(mattes.read(2, PICTURE, index=1), expected)


def test_cells_are_taken_from_their_own_frame_and_are_not_grown_again(tmp_path: Path) -> None:
    _, roto = write_flat_shot(tmp_path)
    affected = none()
    affected[1, 0, 0] = affected[2, 7, 12] = True
    mattes = Mattes(roto, regions=Regions(none(), affected), grow=3)
    assert np.array_equal(mattes.read(2, PICTURE, index=1), levels((np.s_[0:5, 0:4], 127), (SQUARE, 0)))
    assert np.array_equal(mattes.read(3, PICTURE, index=2), levels((np.s_[35:40, 59:64], 127), (SQUARE, 0)))


def test_cells_of_hints_and_painted_ones_are_united(tmp_path: Path) -> None:
    _, roto = write_flat_shot(tmp_path)
    affected = painted(tmp_path, "affected", A=np.s_[30:31, 50:51])
    both = Mattes(roto, affected, regions=Regions(none(), cells((6, 10), (6, 11))))
    assert np.array_equal(both.read(2, PICTURE, index=1), levels((np.s_[30:35, 49:59], 127), (SQUARE, 0)))


def test_objects_in_one_roto_are_united_and_its_colours_are_none(tmp_path: Path) -> None:
    places = {"A": np.s_[0:10, 0:10], "bob_A": np.s_[5:15, 5:15], "carol_alpha": np.s_[30:40, 50:64]}
    colours = {"R": np.s_[:, :], "bob_B": np.s_[:, :]}
    roto = painted(tmp_path, "objects", **places, **colours)
    mattes = Mattes(roto)
    assert np.array_equal(mattes.read(1, PICTURE, index=0), levels(*((place, 0) for place in places.values())))
    objects = mattes.objects(1, PICTURE)
    assert objects.keys() == {"A", "bob.A", "carol.alpha"}
    for name, matte in objects.items():
        assert np.array_equal(matte, levels((places[name.replace(".", "_")], 0)) == 0)


@pytest.mark.parametrize("window", [PICTURE, OVERSCAN])
def test_a_carried_frame_is_taken_over_the_whole_window(tmp_path: Path, window: Window) -> None:
    """At half the size, each of its pixels is two by two: half way to the next one a linear filter is at 1/2."""
    _, roto = write_flat_shot(tmp_path)
    mask = np.zeros((window.height // 2, window.width // 2), bool)
    mask[3:9, 20:31] = mask[15:, :4] = True
    del roto.paths[2]
    mattes = Mattes(roto, carried={2: mask})
    expected = levels((np.s_[6:18, 40:62], 0), (np.s_[30:, :8], 0), shape=(window.height, window.width))
    assert np.array_equal(mattes.read(2, window, index=1), expected)


def test_a_carried_frame_of_any_size_covers_as_much_of_the_picture(tmp_path: Path) -> None:
    _, roto = write_flat_shot(tmp_path)
    del roto.paths[2]
    y, x = np.mgrid[0:48, 0:80]
    disc = np.hypot((x + 0.5) / 80 - 0.5, (y + 0.5) / 48 - 0.5) < 0.3
    primary = Mattes(roto, carried={2: disc}).primary(2, PICTURE)
    assert primary.shape == (40, 64)
    assert abs(primary.mean() - np.pi * 0.3**2) < 0.01
    assert np.array_equal(primary, primary[::-1, ::-1]), "and its middle stays in the middle"


def test_a_frame_that_lacks_one_object_has_what_is_painted_and_what_was_carried(tmp_path: Path) -> None:
    _, roto = write_flat_shot(tmp_path)
    mask = np.zeros((20, 32), bool)
    mask[0:5, 0:3] = True
    assert np.array_equal(
        Mattes(roto, carried={2: mask}).read(2, PICTURE, index=1), levels((np.s_[0:10, 0:6], 0), (SQUARE, 0))
    )


@pytest.mark.parametrize("channels", [["R", "G", "B"], ["bob.R", "Z"]])
def test_a_roto_without_alpha_is_refused_in_words(tmp_path: Path, channels: Iterable[str]) -> None:
    plate, roto = write_flat_shot(tmp_path)
    roto.paths[2].write_bytes(write_frame(flat_image(1.0, PICTURE, PICTURE, list(channels))))  # type: ignore[arg-type]
    with pytest.raises(BadMask) as caught:
        list(build_quadmasks(plate, Mattes(roto), SETTINGS, Progress()))
    said = str(caught.value)
    for words in ("frame 2 of roto.####.exr", "no alpha", *channels, "render it with its alpha channel"):
        assert words in said


def test_a_quadmask_replaces_everything_else_on_every_frame(tmp_path: Path) -> None:
    _, roto = write_flat_shot(tmp_path)
    affected = painted(tmp_path, "affected", A=np.s_[30:31, 50:51])
    finished = np.arange(40 * 64).reshape(40, 64) // 640  # four bands of ten rows
    for frame in range(1, 4):
        image = flat_image(0.0, PICTURE, PICTURE, "RGB")
        for name in "RGB":
            image.channel(name)[...] = np.choose(finished, [0, 63, 127, 255]) / 255
        (tmp_path / f"q.{frame:04d}.exr").write_bytes(write_frame(image))
    everywhere = np.ones((3, 8, 13), bool)
    mattes = Mattes(
        roto,
        affected,
        footage(tmp_path, "q", range(1, 4)),
        carried={2: np.ones((20, 32), bool)},
        regions=Regions(everywhere, everywhere),
        grow=8,
    )
    for index in range(3):
        read = mattes.read(index + 1, PICTURE, index=index)
        assert np.array_equal(read, np.choose(finished, [0, 63, 127, 255]))
