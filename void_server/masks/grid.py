"""The grid in which affected regions are told: the model was trained on whole cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def grid_shape(height: int, width: int, cells: int = 8) -> tuple[int, int]:
    """(rows, columns) for a picture of this size: `cells` along the short side, nearly square cells.

    The reference's rule: landscape and square have `cells` rows and max(cells, round(cells x aspect)) columns;
    portrait the other way round.
    """
    if width >= height:
        return cells, max(cells, round(cells * width / height))
    return max(cells, round(cells * height / width)), cells


def touched_cells(mask: npt.NDArray[Any], rows: int, cols: int) -> npt.NDArray[np.bool_]:
    """The cells bool [rows, cols] in which any pixel of the mask [h, w] lies (bool, or float where above 0 is inside).

    Cell r spans the rows int(r * h / rows) up to int((r + 1) * h / rows), likewise columns, as the reference
    has it; in a picture smaller than the grid some cells are empty.
    """
    height, width = mask.shape
    top, tall = _cells(height, rows)
    left, wide = _cells(width, cols)
    cells = np.zeros((rows, cols), bool)
    in_rows = np.logical_or.reduceat(mask > 0, top[tall > 0], axis=0)
    cells[np.ix_(tall > 0, wide > 0)] = np.logical_or.reduceat(in_rows, left[wide > 0], axis=1)
    return cells


def cells_to_pixels(cells: npt.NDArray[np.bool_], height: int, width: int) -> npt.NDArray[np.bool_]:
    """Cells bool [rows, cols] to pixels bool [height, width], by the same edges."""
    rows, cols = cells.shape
    return np.repeat(np.repeat(cells, _cells(height, rows)[1], axis=0), _cells(width, cols)[1], axis=1)


def gridify(mask: npt.NDArray[Any], rows: int, cols: int) -> npt.NDArray[np.bool_]:
    """The mask [h, w] grown to whole cells: one pixel takes its cell."""
    return cells_to_pixels(touched_cells(mask, rows, cols), *mask.shape)


def grown(cells: npt.NDArray[np.bool_], count: int) -> npt.NDArray[np.bool_]:
    """Cells bool [..., rows, cols] and all within `count` cells of them, diagonally too."""
    for axis in (-2, -1):
        reach = min(count, cells.shape[axis])
        margin = [(0, 0)] * cells.ndim
        margin[axis] = (reach, reach)
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(cells, margin), 2 * reach + 1, axis=axis)
        cells = np.logical_or.reduce(windows, axis=-1)
    return cells


def _cells(length: int, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Start and length of each cell."""
    starts = np.arange(count + 1) * length // count
    return starts[:-1], np.diff(starts)
