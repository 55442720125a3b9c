from __future__ import annotations

import math
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from void_server.masks.grid import cells_to_pixels, gridify
from void_server.masks.hints import (
    Affected,
    Belonging,
    Cell,
    GridSize,
    Hints,
    Keyframe,
    Localization,
)
from void_server.masks.regions import regions

FRAMES, ROWS, COLS = range(1001, 1013), 8, 14


def at(frame, *pairs):
    return Localization(frame, tuple(Cell(row, col) for row, col in pairs))


def thing(**fields):
    """One affected object, as hints."""
    told = Affected(noun="thing", category="physical", **fields)
    return Hints(grid=GridSize(ROWS, COLS), affected=(told,))


def affected(told, grow=0):
    return regions(told, FRAMES, ROWS, COLS, grow).affected


def pairs(cells):
    """The cells [rows, cols] that are set."""
    return {(int(row), int(col)) for row, col in np.argwhere(cells)}


def test_what_is_told_of_a_frame_holds_there_and_around_the_frames_told():
    cells = affected(thing(grid_localizations=(at(1009, (3, 3)), at(1003, (1, 1), (1, 2)), at(1006, (1, 2)))))
    assert cells.shape == (12, 8, 14)
    assert cells.dtype == bool
    told = [set()] + [{(1, 1), (1, 2)}] * 4 + [{(1, 2)}]
    assert [pairs(frame) for frame in cells[:6]] == told
    assert [pairs(frame) for frame in cells[8:]] == [{(3, 3)}] * 4


def test_nothing_is_held_before_it_appears():
    localized = affected(thing(first_appears_frame=1004, grid_localizations=(at(1006, (3, 3)),)))
    path = {"object_size_grids": GridSize(1, 1), "trajectory_path": (Keyframe(1006, 3, 3), Keyframe(1008, 3, 5))}
    moving = affected(thing(first_appears_frame=1004, **path))
    for cells in (localized, moving):
        assert not cells[:3].any()
        assert [pairs(frame) for frame in cells[3:6]] == [{(3, 3)}] * 3


def test_what_has_left_the_picture_is_held_until_then_and_comes_back_when_told():
    cells = affected(thing(grid_localizations=(at(1002, (3, 3)), at(1005), at(1008, (4, 4)))))
    assert [pairs(frame) for frame in cells] == [set()] + [{(3, 3)}] * 3 + [set()] * 3 + [{(4, 4)}] * 5


def test_between_overlapping_sets_both_are_affected():
    cells = affected(thing(grid_localizations=(at(1002, (3, 3), (3, 4)), at(1005, (3, 4), (3, 5), (6, 9)))))
    assert pairs(cells[1]) == {(3, 3), (3, 4)}
    assert pairs(cells[2]) == pairs(cells[3]) == {(3, 3), (3, 4), (3, 5), (6, 9)}
    assert pairs(cells[4]) == {(3, 4), (3, 5), (6, 9)}


def test_what_has_moved_on_is_followed_in_both_its_shapes():
    """An upright bar becomes a level one five columns on: half way both lie around column 4.5."""
    upright, level = ((1, 2), (2, 2), (3, 2)), ((2, 6), (2, 7), (2, 8))
    cells = affected(thing(grid_localizations=(at(1002, *upright), at(1006, *level))))
    assert pairs(cells[3]) == {(row, col) for row in (1, 2, 3) for col in (4, 5)} | {(2, 3), (2, 6)}


def test_what_would_be_outside_the_picture_on_its_way_is_cut_off():
    """Half way to a tall column its middle is at row 1, so its top is above the picture."""
    told = thing(grid_localizations=(at(1002, (0, 2)), at(1004, *((row, 8) for row in range(5)))))
    assert pairs(affected(told)[2]) == {(0, 5), (1, 5), (2, 5), (3, 5)}


@settings(deadline=None)
@given(
    rows=st.tuples(st.integers(0, 7), st.integers(0, 7)),
    cols=st.tuples(st.integers(0, 13), st.integers(0, 13)),
    gap=st.integers(1, 10),
)
def test_one_cell_goes_straight_and_takes_every_cell_it_touches(rows, cols, gap):
    told = thing(grid_localizations=(at(1002, (rows[0], cols[0])), at(1002 + gap, (rows[1], cols[1]))))
    for step, cells in enumerate(affected(told)[1 : 2 + gap]):
        row, col = (Fraction(a * (gap - step) + b * step, gap) for a, b in (rows, cols))
        touched = {(y, x) for y in range(ROWS) for x in range(COLS) if abs(y - row) < 1 and abs(x - col) < 1}
        assert pairs(cells) == touched


UNIT = 20 * 27720  # of a cell: whole numbers for twentieths of the way between any two of up to 13 frames


def boxed(centre, size):
    """Bool [rows, cols]: every cell that a box around a centre (in units, from the middle of cell 0) touches."""
    near = [
        2 * np.abs(np.arange(count) * UNIT - place) < (1 + length) * UNIT
        for count, place, length in zip((ROWS, COLS), centre, (size.rows, size.cols), strict=True)
    ]
    return near[0][:, None] & near[1]


def centres(path):
    """For each frame the centre of what goes from key to key, in units."""
    known = sorted(path)
    found = []
    for frame in FRAMES:
        before = max((key for key in known if key <= frame), default=known[0])
        after = min((key for key in known if key >= frame), default=known[-1])
        gap, step = max(1, after - before), min(max(frame - before, 0), after - before)
        found.append(
            [(a * (gap - step) + b * step) * UNIT // gap for a, b in zip(path[before], path[after], strict=True)]
        )
    return found


SIZES = st.builds(GridSize, st.integers(1, 4), st.integers(1, 5))
PATHS = st.dictionaries(
    st.sampled_from(FRAMES), st.tuples(st.integers(0, 7), st.integers(0, 13)), min_size=1, max_size=5
)


@settings(deadline=None)
@given(path=PATHS, size=SIZES, moving=st.booleans(), shuffle=st.randoms())
def test_a_box_is_swept_along_its_path(path, size, moving, shuffle):
    """A frame has the box where it then is, all that lies between that and the frame before, and little more."""
    keys = [Keyframe(frame, *centre) for frame, centre in path.items()]
    shuffle.shuffle(keys)
    cells = affected(thing(object_size_grids=size, trajectory_path=tuple(keys), currently_moving=moving))
    way = centres(path)
    held = boxed(way[0], size) & (not moving)
    for before, here, frame in zip(way, way[1:], cells[1:], strict=False):
        assert not (held | boxed(here, size))[~frame].any()
        longest = GridSize(
            *(n + math.ceil(abs(a - b) / UNIT) for n, a, b in zip((size.rows, size.cols), before, here, strict=True))
        )
        middle = [(a + b) // 2 for a, b in zip(before, here, strict=True)]
        assert not (frame & ~held)[~boxed(middle, longest)].any()
        if before[0] == here[0] or before[1] == here[1]:
            for part in range(1, 20):
                between = boxed([a + (b - a) // 20 * part for a, b in zip(before, here, strict=True)], size)
                assert not (between & ~boxed(before, size))[~frame].any()
        assert cv2.connectedComponents(frame.astype(np.uint8))[0] <= (2 if moving else 3)


def test_a_fall_frame_by_frame():
    """One cell falls five rows in two frames: nothing is skipped, the way behind is free again, its start is not."""
    path = (Keyframe(1003, 1, 4), Keyframe(1005, 6, 4))
    cells = affected(thing(object_size_grids=GridSize(1, 1), trajectory_path=path))
    rows = [[row for row, _ in sorted(pairs(frame))] for frame in cells[1:6]]
    # Steps of 5/6 of a row: 1.83, 2.67, 3.5, then 4.33, 5.17, 6.
    assert rows == [[1], [1], [1, 2, 3, 4], [1, 4, 5, 6], [1, 6]]
    moving = affected(thing(object_size_grids=GridSize(1, 1), trajectory_path=path, currently_moving=True))
    assert [pairs(frame) for frame in moving[4:]] == [{(4, 4), (5, 4), (6, 4)}] + [{(6, 4)}] * 7


def test_an_original_position_is_held_for_the_whole_shot():
    home = {"original_position_grid": Cell(6, 0), "first_appears_frame": 1006}
    one = affected(thing(**home))
    assert [pairs(frame) for frame in one] == [set()] + [{(6, 0)}] * 11
    sized = affected(thing(**home, object_size_grids=GridSize(2, 3)))
    # Two rows around the middle of row 6 reach half way into rows 5 and 7; the columns are cut at the picture's edge.
    assert [pairs(frame) for frame in sized[1:]] == [{(y, x) for y in (5, 6, 7) for x in (0, 1)}] * 11


def test_all_places_of_all_objects_are_affected_together():
    told = [
        {"grid_localizations": (at(1001, (0, 0)),), "original_position_grid": Cell(2, 2)},
        {"object_size_grids": GridSize(1, 1), "trajectory_path": (Keyframe(1001, 4, 4),)},
    ]
    each = [affected(thing(**fields)) for fields in told]
    both = [Affected(noun=f"thing {index}", category="physical", **fields) for index, fields in enumerate(told)]
    together = affected(Hints(grid=GridSize(ROWS, COLS), affected=tuple(both)))
    assert np.array_equal(together, each[0] | each[1])
    assert pairs(together[5]) == {(0, 0), (2, 2), (4, 4)}


def test_belongings_go_from_the_first_frame_on_and_are_not_grown():
    told = Hints(
        grid=GridSize(ROWS, COLS),
        belongings=(Belonging(noun="hat", grid_localizations=(at(1004, (1, 1)), at(1006, (1, 3)))),),
        affected=(Affected(noun="shadow", category="visual_artifact", grid_localizations=(at(1001, (6, 6)),)),),
    )
    found = regions(told, FRAMES, ROWS, COLS, grow=1)
    assert [pairs(frame) for frame in found.belongings] == [{(1, 1)}] * 4 + [{(1, 2)}] + [{(1, 3)}] * 7
    assert not found.affected[0].any()
    assert pairs(found.affected[1]) == {(y, x) for y in (5, 6, 7) for x in (5, 6, 7)}


@settings(deadline=None)
@given(
    told=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 13)), min_size=1, max_size=5),
    grow=st.integers(0, 15),
)
def test_growing_takes_every_cell_within_so_many_of_one(told, grow):
    cells = affected(thing(grid_localizations=(at(1001, *told),)), grow)
    near = {
        (y, x) for y in range(ROWS) for x in range(COLS) if any(max(abs(y - r), abs(x - c)) <= grow for r, c in told)
    }
    assert [pairs(frame) for frame in cells] == [set()] + [near] * 11


def test_growing_does_not_reach_into_other_frames():
    cells = affected(thing(grid_localizations=(at(1003), at(1004, (3, 3)), at(1005))), grow=2)
    assert [bool(frame.any()) for frame in cells] == [False] * 3 + [True] + [False] * 8


@settings(deadline=None)
@given(path=PATHS, size=SIZES, cells=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 13)), max_size=4))
def test_a_mirrored_shot_has_mirrored_regions(path, size, cells):
    def told(mirrored):
        def col(value):
            return COLS - 1 - value if mirrored else value

        return thing(
            object_size_grids=size,
            trajectory_path=tuple(Keyframe(frame, row, col(c)) for frame, (row, c) in path.items()),
            grid_localizations=(at(1002, (0, col(0))), at(1010, *((row, col(c)) for row, c in cells))),
        )

    assert np.array_equal(affected(told(True)), affected(told(False))[..., ::-1])


def test_the_grid_and_the_growth_must_be_right():
    told = thing(original_position_grid=Cell(0, 0))
    with pytest.raises(ValueError, match="on a grid of 8x14 cells, not 14x8"):
        regions(told, FRAMES, COLS, ROWS)
    with pytest.raises(ValueError, match="grow is -1; it is a number of cells"):
        regions(told, FRAMES, ROWS, COLS, grow=-1)


def test_no_hints_no_regions():
    found = regions(Hints(grid=GridSize(ROWS, COLS)), FRAMES, ROWS, COLS, grow=3)
    assert found.belongings.shape == found.affected.shape == (12, 8, 14)
    assert not found.belongings.any()
    assert not found.affected.any()


@settings(deadline=None)
@given(height=st.integers(1, 60), width=st.integers(1, 60), rows=st.integers(1, 15), data=st.data())
def test_cells_become_the_pixels_between_their_edges(height, width, rows, data):
    cols = data.draw(st.integers(1, 15))
    cells = np.array(data.draw(st.lists(st.booleans(), min_size=rows * cols, max_size=rows * cols))).reshape(rows, cols)
    expected = np.zeros((height, width), bool)
    for row, col in np.argwhere(cells):
        ys = slice(int(row * height / rows), int((row + 1) * height / rows))
        expected[ys, int(col * width / cols) : int((col + 1) * width / cols)] = True
    pixels = cells_to_pixels(cells, height, width)
    assert np.array_equal(pixels, expected)
    assert np.array_equal(gridify(pixels, rows, cols), pixels)
