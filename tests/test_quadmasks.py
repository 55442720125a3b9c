"""What a shot's quadmasks say of where it changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from shots_on_disk import Progress, flat_image, footage

from void_server.mattes import Mattes
from void_server.plates.exr import write_frame
from void_server.plates.window import Window
from void_server.quadmasks import Quadmasks

PICTURE = Window(-10, -5, 120, 60)


def quadmasks(folder: Path, frames: dict[int, list[Window]]) -> Quadmasks:
    for number, boxes in frames.items():
        plate, roto = flat_image(0.5, PICTURE, PICTURE), flat_image(0.0, PICTURE, PICTURE, "A")
        for box in boxes:
            roto.channel("A")[box.slices_in(PICTURE)] = 1.0
        for name, image in (("plate", plate), ("roto", roto)):
            (folder / f"{name}.{number:04d}.exr").write_bytes(write_frame(image))
    every = range(min(frames), max(frames) + 1)
    return Quadmasks(footage(folder, "plate", every), Mattes(footage(folder, "roto", every)), PICTURE, Progress())


def test_each_component_has_its_boxes_with_the_ramp_as_far_as_the_picture_reaches(tmp_path: Path) -> None:
    left, moved, right = Window(-10, 0, 10, 10), Window(-5, 0, 10, 10), Window(80, 20, 10, 10)
    found = quadmasks(tmp_path, {1: [left], 2: [], 3: [moved, right]}).components(2.5)
    assert list(found.boxes.values()) == [
        [Window(-10, -3, 13, 16), None, Window(-8, -3, 16, 16)],
        [None, None, Window(77, 17, 16, 16)],
    ]
    assert set(np.unique(found.labels)) == {0, *found.boxes}


def test_a_component_that_reaches_around_another_does_not_count_it(tmp_path: Path) -> None:
    """An angle, and a square in the corner that it leaves open."""
    angle = [Window(0, 0, 60, 4), Window(0, 0, 4, 40)]
    square = Window(30, 20, 10, 10)
    found = quadmasks(tmp_path, {1: [*angle, square], 2: [square], 3: [*angle]}).components(0.0)
    around = Window(0, 0, 60, 40)
    assert sorted(found.boxes.values(), key=str) == sorted([[around, None, around], [square, square, None]], key=str)
