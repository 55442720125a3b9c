"""What is background for certain, and the shelf of frames that holes are filled from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from shots_on_disk import footage

from void_server import behind
from void_server.behind import Shelf, clear_of
from void_server.footage import Footage
from void_server.masks.quadmask import AFFECTED, PRIMARY
from void_server.plates.exr import write_frame
from void_server.plates.frame import BadPlate, Frame, Part
from void_server.plates.window import Window

WHOLE = Window(0, 0, 30, 20)


@pytest.mark.parametrize(("feather", "reach"), [(0.0, 2), (3.0, 5), (3.2, 6)])
@pytest.mark.parametrize("level", [PRIMARY, AFFECTED])
def test_background_for_certain_begins_beyond_the_ramp_and_a_soft_edge(feather: float, reach: int, level: int) -> None:
    quadmask = np.full((31, 41), 255, np.uint8)
    quadmask[15, 20] = level
    expected = np.ones((31, 41), bool)
    expected[15 - reach : 16 + reach, 20 - reach : 21 + reach] = False
    assert np.array_equal(clear_of(quadmask, feather), expected)


def shelf_of(folder: Path, count: int) -> tuple[Footage, int]:
    """A sequence of small frames, and the bytes of R, G and B of one."""
    for number in range(1, count + 1):
        channels = {name: np.full((20, 30), number, np.float16) for name in ("R", "G", "B", "A", "depth.Z")}
        (folder / f"plate.{number:04d}.exr").write_bytes(write_frame(Frame((Part({}, channels),))))
    return footage(folder, "plate", range(1, count + 1)), 3 * 20 * 30 * 2


def test_the_shelf_keeps_to_its_budget_and_what_was_used_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plate, size = shelf_of(tmp_path, 6)
    monkeypatch.setattr(behind, "SHELF_BYTES", 3 * size)
    shelf = Shelf(plate, WHOLE)
    for number in (1, 2, 3, 1, 4):
        assert shelf.get(number).rgb()[0, 0, 0] == number
    for path in plate.paths.values():
        path.unlink()
    for number in (1, 3, 4):
        assert shelf.get(number).rgb()[0, 0, 0] == number
    for number in (2, 5):
        with pytest.raises(BadPlate, match=f"frame {number} of plate"):
            shelf.get(number)


def test_the_shelf_keeps_one_frame_however_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plate, _ = shelf_of(tmp_path, 2)
    monkeypatch.setattr(behind, "SHELF_BYTES", 1)
    shelf = Shelf(plate, WHOLE)
    shelf.get(1)
    shelf.get(2)
    plate.paths[1].unlink()
    plate.paths[2].unlink()
    assert shelf.get(2).rgb()[0, 0, 0] == 2
    with pytest.raises(BadPlate, match="frame 1 of plate"):
        shelf.get(1)


def test_the_shelf_serves_many_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plate, size = shelf_of(tmp_path, 8)
    monkeypatch.setattr(behind, "SHELF_BYTES", 2 * size)
    shelf = Shelf(plate, WHOLE)
    asked = np.random.default_rng(0).integers(1, 9, 200).tolist()
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda number: int(shelf.get(number).rgb()[3, 3, 1]), asked))
    assert given == asked


def test_the_shelf_keeps_no_more_of_a_frame_than_is_ever_wanted(tmp_path: Path) -> None:
    plate, _ = shelf_of(tmp_path, 1)
    reach = Window(5, -10, 8, 15)
    kept = Shelf(plate, reach).get(1)
    assert kept.data_window == Window(5, 0, 8, 5)
    assert {name: channel.shape for name, channel in kept.parts[0].channels.items()} == dict.fromkeys("RGB", (5, 8))
