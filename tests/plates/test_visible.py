"""Which frames are looked at for what an object hides, against boxes whose way is arithmetic."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from camera_steps import steps

from void_server.plates import visible
from void_server.plates.camera import CameraPath
from void_server.plates.visible import CELL, SOURCES, cells, choose_sources

ROWS, COLUMNS = 20, 40
STILL = np.eye(3)


def grid(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Cells [ROWS, COLUMNS] covered by boxes (first row, first column, rows, columns)."""
    covered = np.zeros((ROWS, COLUMNS), bool)
    for row, column, height, width in boxes:
        covered[max(0, row) : row + height, max(0, column) : max(0, column + width)] = True
    return covered


def around(wanted: np.ndarray) -> np.ndarray:
    """What is clear where this is wanted: all but it and the cells that touch it."""
    padded = np.pad(wanted, 1)
    touched = np.zeros_like(wanted)
    for down in range(3):
        for across in range(3):
            touched |= padded[down : down + ROWS, across : across + COLUMNS]
    return ~touched


def rest(count: int) -> CameraPath:
    return steps([STILL] * (count - 1))


def pan(count: int, cells_a_frame: float) -> CameraPath:
    """The picture moves to the left."""
    step = np.array([[1, 0, -CELL * cells_a_frame], [0, 1, 0], [0, 0, 1.0]])
    return steps([step] * (count - 1))


def uncovered(frame: int, sources: list[int], wanted: list, clear: list, moved: float = 0.0) -> int:
    """How many wanted cells no source shows; the picture moves to the left by so many cells a frame."""
    left = {(int(row), int(column)) for row, column in np.argwhere(wanted[frame])}
    for source in sources:
        by = -moved * (source - frame)
        shown = {(row, column) for row, column in left if 0 <= column + by < COLUMNS}
        left -= {(row, column) for row, column in shown if clear[source][row, int(column + by)]}
    return len(left)


def test_a_cell_is_touched_by_one_pixel_and_covered_by_all_of_them() -> None:
    mask = np.zeros((3 * CELL, 4 * CELL), bool)
    mask[CELL, 2 * CELL] = True
    touched = np.zeros((3, 4), bool)
    touched[1, 2] = True
    assert np.array_equal(cells(mask, whole=False), touched)
    assert not cells(mask, whole=True).any()
    assert np.array_equal(cells(~mask, whole=True), ~touched)
    assert cells(~mask, whole=False).all()


@pytest.mark.parametrize("size", [(1, 1), (CELL + 1, 2 * CELL - 1), (3, 200)])
def test_a_cell_that_the_picture_cuts_counts_by_what_there_is_of_it(size: tuple[int, int]) -> None:
    full = np.ones(size, bool)
    shape = -(-size[0] // CELL), -(-size[1] // CELL)
    for whole in (True, False):
        assert np.array_equal(cells(full, whole=whole), np.ones(shape, bool))
        assert not cells(~full, whole=whole).any()
    full[-1, -1] = False
    assert not cells(full, whole=True)[-1, -1]
    assert cells(~full, whole=False)[-1, -1]


def test_a_box_that_walks_is_filled_from_frames_in_which_it_is_elsewhere() -> None:
    """6 cells wide, one cell a frame: 7 frames away (it and the cells that touch it) nothing of it is in the way."""
    count = 24
    wanted = [grid((5, 4 + frame, 6, 6)) for frame in range(count)]
    clear = [around(each) for each in wanted]
    chosen = choose_sources(wanted, clear, rest(count))
    for frame, sources in enumerate(chosen):
        assert 1 <= len(sources) <= SOURCES
        assert frame not in sources
        assert len(set(sources)) == len(sources)
        assert uncovered(frame, sources, wanted, clear) == 0
        assert min(abs(source - frame) for source in sources) <= 8, "near before far"


@pytest.mark.parametrize("speed", [1.0, -0.5])
def test_a_pan_past_an_object_that_stays_in_the_middle_of_the_picture(speed: float) -> None:
    """The camera follows it: the background comes by. At the end of the pan, what lies ahead was never seen."""
    count = 40
    wanted = [grid((5, 18, 6, 5))] * count
    clear = [around(wanted[0])] * count
    for frame, sources in enumerate(choose_sources(wanted, clear, pan(count, speed))):
        assert sources
        for source in sources:
            # Shown where it comes out behind the object, 5 cells and one on both sides, before the picture's edge.
            assert 1 <= abs(source - frame) * abs(speed) <= 25
        if 15 <= frame <= 25:
            assert uncovered(frame, sources, wanted, clear, speed) == 0


def test_nothing_is_chosen_where_nothing_shows_or_nothing_is_wanted() -> None:
    box, none = grid((5, 5, 6, 6)), grid()
    assert choose_sources([box] * 6, [around(box)] * 6, rest(6)) == [[]] * 6
    assert choose_sources([none] * 6, [~none] * 6, rest(6)) == [[]] * 6
    assert choose_sources([box], [~none], CameraPath([None])) == [[]]


def test_a_frame_beyond_a_break_of_the_path_is_not_chosen() -> None:
    wanted = [grid((5, 5, 6, 6))] * 4 + [grid()] * 4
    clear = [around(each) for each in wanted]
    broken = steps([STILL] * 3 + [None] + [STILL] * 3)
    assert choose_sources(wanted, clear, broken) == [[]] * 8
    whole = choose_sources(wanted, clear, rest(8))
    assert all(source[0] >= 4 for source in whole[:4])
    assert whole[4:] == [[]] * 4


@pytest.mark.parametrize("count", [60, 300])
def test_grain_lives_behind_an_object_that_rests_for_long_and_then_leaves(count: int) -> None:
    """It stands for five sixths of the shot: neighbours in time are filled from different frames, all of them late."""
    leaves = count * 5 // 6
    wanted = [grid((5, 5, 6, 6))] * leaves + [grid()] * (count - leaves)
    clear = [around(each) for each in wanted]
    chosen = choose_sources(wanted, clear, rest(count))
    for before, after in pairwise(chosen[:leaves]):
        assert after
        assert after[0] >= leaves
        assert after[0] != before[0]
    assert len({sources[0] for sources in chosen[:leaves]}) >= 5


def test_what_shows_for_a_few_frames_in_the_middle_of_a_long_shot_is_found_by_all() -> None:
    count, shows = 300, range(203, 207)
    box = grid((5, 5, 6, 6))
    clear = [~grid() if frame in shows else around(box) for frame in range(count)]
    chosen = choose_sources([box] * count, clear, rest(count))
    assert sum(bool(sources) for sources in chosen) > 0.9 * count
    assert all(source in shows for sources in chosen for source in sources)


def test_of_frames_that_show_the_same_the_nearest_is_first() -> None:
    box = grid((5, 5, 6, 6))
    clear = [~grid() if frame in (0, 16, 50) else grid() for frame in range(60)]
    assert choose_sources([box if frame == 40 else grid() for frame in range(60)], clear, rest(60))[40] == [50]
    clear[39] = ~grid()
    assert choose_sources([box if frame == 40 else grid() for frame in range(60)], clear, rest(60))[40] == [39]


def test_of_two_as_near_the_one_that_has_been_decoded_already_is_first() -> None:
    box = grid((5, 5, 6, 6))
    clear = [~grid() if frame in (32, 48) else grid() for frame in range(60)]
    assert choose_sources([box if frame == 40 else grid() for frame in range(60)], clear, rest(60))[40] == [32]


def test_several_sources_each_add_what_the_others_lack_and_no_more_than_three_do() -> None:
    """Frames 1 to 5 show a fifth of it each."""
    box = grid((5, 5, 10, 10))
    parts = [grid((5, 5 + 2 * fifth, 10, 2)) for fifth in range(5)]
    sources = choose_sources([box] + [grid()] * 5, [grid(), *parts], rest(6))[0]
    assert sources == [1, 2, 3]


def test_a_far_frame_that_adds_enough_is_taken_though_a_near_one_adds_a_little() -> None:
    """Of 400 cells: frame 1 shows 15 (too few to be worth it), frame 48 shows others: 20, at half the worth."""
    box = grid((0, 0, 20, 20))
    clear = [grid()] * 49
    clear[1], clear[48] = grid((0, 0, 1, 15)), grid((19, 0, 1, 20))
    assert choose_sources([box] + [grid()] * 48, clear, rest(49))[0] == [48]


def test_a_source_must_add_a_part_of_what_is_wanted() -> None:
    box = grid((0, 0, 10, 10))
    for shown, chosen in ((3, []), (4, [1])):
        assert choose_sources([box, grid()], [grid(), grid((0, 0, 1, shown))], rest(2))[0] == chosen


def test_a_moving_camera_needs_the_cells_around_clear_too() -> None:
    """What is carried seldom lies on a cell's centre."""
    wanted = [grid((5, 10, 1, 1)), grid()]
    for ring, chosen in ((0, []), (1, [1])):
        clear = [grid(), grid((5 - ring, 9 - ring, 1 + 2 * ring, 1 + 2 * ring))]
        assert choose_sources(wanted, clear, pan(2, 1))[0] == chosen
    # At rest the cell alone does.
    assert choose_sources(wanted, [grid(), grid((5, 10, 1, 1))], rest(2))[0] == [1]


def test_a_long_shot_with_a_big_hole_costs_a_bounded_number_of_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 frames in 4K, most of the picture wanted: a few dozen candidates each, by a few thousand points at most."""
    looks: list[int] = []
    shown = visible._shown

    def counted(points: np.ndarray, *rest_of: object) -> np.ndarray | None:
        looks.append(len(points))
        return shown(points, *rest_of)

    monkeypatch.setattr(visible, "_shown", counted)
    count = 200
    wanted = np.zeros((135, 256), bool)
    wanted[20:120, 20:200] = True
    chosen = choose_sources([wanted] * count, [~wanted] * count, pan(count, 1.5))
    assert len(looks) <= count * 70
    assert max(looks) <= 4000
    assert all(chosen)


def test_a_path_gone_wild_shows_nothing() -> None:
    """Towards the horizon a homography sends points to infinity, and behind the camera."""
    wild = np.array([[1, 0, 0], [0, 1, 0], [-1 / 95.5, 0, 1.0]])
    box, everything = grid((5, 5, 6, 1)), ~grid()
    assert choose_sources([box, grid()], [grid(), everything], steps([wild])) == [[], []]
