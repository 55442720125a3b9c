"""Hints against the quadmasks that Netflix published with the model: what is told in cells comes back in pixels."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from published import published

from void_server.masks.grid import cells_to_pixels, grid_shape
from void_server.masks.hints import read_hints
from void_server.masks.quadmask import combine, split
from void_server.masks.regions import regions


def named(affected_pixels, rows, cols):
    """The cells with any affected pixel, as a hints file names them."""
    height, width = affected_pixels.shape
    found = []
    for row in range(rows):
        for col in range(cols):
            ys = slice(int(row * height / rows), int((row + 1) * height / rows))
            if affected_pixels[ys, int(col * width / cols) : int((col + 1) * width / cols)].any():
                found.append({"row": row, "col": col})
    return found


def told_of(shot, frames, at_frames):
    """The published affected region at some frames as a hints file that was read, and the grid."""
    grid = grid_shape(*next(published(shot)).shape)
    localizations = [
        {"frame": frame, "grid_regions": named(split(quadmask)[1], *grid)}
        for frame, quadmask in zip(frames, published(shot), strict=True)
        if frame in at_frames
    ]
    told = {"noun": "all that is affected", "category": "physical", "grid_localizations": localizations}
    data = msgspec.json.encode({"grid": {"rows": grid[0], "cols": grid[1]}, "affected": [told]})
    return read_hints(data, "hints.json", frames, grid), grid


@pytest.mark.parametrize(
    ("shot", "length"),
    [
        ("ducky-float", 62),
        pytest.param("lime", 46, marks=pytest.mark.slow),
        pytest.param("moving_ball", 62, marks=pytest.mark.slow),
    ],
)
def test_the_published_quadmask_comes_back_from_its_primary_and_its_cells_as_hints(shot, length):
    """The artist's roto is the published primary; the file names the affected cells of every frame."""
    frames = range(1001, 1001 + length)
    hints, grid = told_of(shot, frames, frames)
    found = regions(hints, frames, *grid)
    common = either = 0
    for cells, quadmask in zip(found.affected, published(shot), strict=True):
        primary, affected_before = split(quadmask)
        rebuilt_primary, rebuilt = split(combine(primary, cells_to_pixels(cells, *quadmask.shape)))
        assert np.array_equal(rebuilt_primary, primary)
        common += np.count_nonzero(rebuilt & affected_before)
        either += np.count_nonzero(rebuilt | affected_before)
    print(f"{shot}: intersection over union of the affected region {common / either:.4f}")
    assert common / either >= 0.98


def test_ten_frames_of_a_published_region_cover_nearly_all_of_it():
    """As a vision model is shown them: at 0, 11, 22 ... 100 % of the shot."""
    frames = range(1001, 1063)
    every, grid = told_of("ducky-float", frames, frames)
    ten, _ = told_of("ducky-float", frames, {frames[round(61 * part / 9)] for part in range(10)})
    there, found = (regions(hints, frames, *grid).affected for hints in (every, ten))
    assert (there & found).sum() / there.sum() >= 0.95
    assert found.sum() / there.sum() <= 1.2
