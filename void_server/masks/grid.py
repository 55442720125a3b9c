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


def gridify(mask: npt.NDArray[Any], rows: int, cols: int) -> npt.NDArray[np.bool_]:
    """The mask [h, w] (bool, or float where above 0 is inside) grown to whole cells: one pixel takes its cell.

    Cell r spans the rows int(r * h / rows) up to int((r + 1) * h / rows), likewise columns, as the reference
    has it; in a picture smaller than the grid some cells are empty.
    """
    height, width = mask.shape
    top, tall = _cells(height, rows)
    left, wide = _cells(width, cols)
    touched = np.logical_or.reduceat(np.logical_or.reduceat(mask > 0, top, axis=0), left, axis=1)
    return np.repeat(np.repeat(touched, tall, axis=0), wide, axis=1)


def _cells(length: int, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Start and length of each cell that has any pixel."""
    starts = np.unique(np.arange(count) * length // count)
    return starts, np.diff(starts, append=length)
