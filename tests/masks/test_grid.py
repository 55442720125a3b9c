from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_server.masks.grid import grid_shape, gridify


@pytest.mark.parametrize(
    ("height", "width", "shape"),
    [
        (2160, 3840, (8, 14)),
        (720, 1296, (8, 14)),
        (858, 2048, (8, 19)),
        (1000, 1000, (8, 8)),
        (1000, 1001, (8, 8)),
        (3840, 2160, (14, 8)),
    ],
)
def test_grid_shape(height, width, shape):
    assert grid_shape(height, width) == shape


def test_a_finer_grid():
    assert grid_shape(1080, 1920, cells=12) == (12, 21)


def by_loops(mask, rows, cols):
    """The convention as it is told, cell by cell."""
    height, width = mask.shape
    result = np.zeros(mask.shape, bool)
    for row in range(rows):
        for col in range(cols):
            ys = slice(int(row * height / rows), int((row + 1) * height / rows))
            xs = slice(int(col * width / cols), int((col + 1) * width / cols))
            if mask[ys, xs].any():
                result[ys, xs] = True
    return result


@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    rows=st.integers(1, 20),
    cols=st.integers(1, 20),
    points=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True)), max_size=6),
)
def test_a_cell_is_taken_whole_when_any_pixel_is(height, width, rows, cols, points):
    mask = np.zeros((height, width), bool)
    for y, x in points:
        mask[int(y * height), int(x * width)] = True
    expected = by_loops(mask, rows, cols)
    assert np.array_equal(gridify(mask, rows, cols), expected)
    assert np.array_equal(gridify(mask * 0.25, rows, cols), expected)
    assert np.array_equal(gridify(expected, rows, cols), expected)
