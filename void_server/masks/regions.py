"""Hints to cells per frame."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from void_server.masks.grid import grown
from void_server.masks.hints import Affected, GridSize, Hints, Localization

Cells = npt.NDArray[np.bool_]
Position = tuple[Fraction, Fraction]  # row and column of a centre; whole numbers are the middles of cells

ONE_CELL = GridSize(1, 1)


@dataclass(frozen=True)
class Regions:
    """Where the belongings are (they go with the primary) and what is affected: bool [T, rows, cols] each."""

    belongings: Cells
    affected: Cells


def regions(hints: Hints, frames: range, rows: int, cols: int, grow: int = 0) -> Regions:
    """The cells of each of the shot's `frames` that hints, as `read_hints` gives them, tell of.

    Localizations are interpolated (`_localized`), boxes swept along paths (`_swept`), original positions held for
    the whole shot. What is affected is then grown by `grow` cells on all eight sides; belongings are not, since
    they are removed whole.
    Raises ValueError for hints on another grid, frames that aren't the shot's and a negative `grow`.
    """
    if (hints.grid.rows, hints.grid.cols) != (rows, cols):
        raise ValueError(f"the hints are on a grid of {hints.grid.rows}x{hints.grid.cols} cells, not {rows}x{cols}")
    shape = (len(frames), rows, cols)
    belongings, affected = np.zeros(shape, bool), np.zeros(shape, bool)
    for belonging in hints.belongings:
        belongings |= _localized(belonging.grid_localizations, frames, shape)
    for thing in hints.affected:
        start = 0 if thing.first_appears_frame is None else frames.index(thing.first_appears_frame)
        affected[start:] |= _localized(thing.grid_localizations, frames, shape)[start:]
        affected |= _swept(thing, frames, start, shape)
        home = thing.original_position_grid
        if home:
            centre = Fraction(home.row), Fraction(home.col)
            affected[:, *_box(centre, thing.object_size_grids or ONE_CELL)] = True
    if grow < 0:
        raise ValueError(f"grow is {grow}; it is a number of cells, 0 or more")
    affected = grown(affected, grow)
    affected[:1] = False
    return Regions(belongings, affected)


def _localized(localizations: tuple[Localization, ...], frames: range, shape: tuple[int, int, int]) -> Cells:
    """Cells bool [T, rows, cols]: as told at the frames told, between two of them moved, before and after held."""
    told: dict[int, Cells] = {}
    for localization in localizations:
        cells = told.setdefault(frames.index(localization.frame), np.zeros(shape[1:], bool))
        for cell in localization.grid_regions:
            cells[cell.row, cell.col] = True
    result = np.zeros(shape, bool)
    if not told:
        return result
    known = sorted(told)
    result[: known[0]] = told[known[0]]
    result[known[-1] :] = told[known[-1]]
    for before, after in pairwise(known):
        result[before] = told[before]
        for index in range(before + 1, after):
            result[index] = _between(told[before], told[after], Fraction(index - before, after - before))
    return result


def _between(before: Cells, after: Cells, way: Fraction) -> Cells:
    """The cells between two frames, a fraction of the way from one set [rows, cols] to the other.

    Sets that share a cell: their union, since what stays about where it is changes its shape more than it moves.
    Sets that don't: the centre of the bounding box moves in a straight line, both sets are laid around it, and every
    cell that either touches is taken, so that what crosses more than its own size is followed on its way. Where one
    set is empty there is nothing to move to or from, and the first is held until the other's frame.
    (The published affected regions, told at ten, six or four frames, come back by this at least as well as by the
    movement alone, in intersection over union; and as well as by the union alone, which leaves gaps in other shots.)
    """
    if not before.any() or not after.any():
        return before
    if (before & after).any():
        return before | after
    (row, col), (next_row, next_col) = _centre(before), _centre(after)
    down, right = next_row - row, next_col - col
    return _moved(before, way * down, way * right) | _moved(after, (way - 1) * down, (way - 1) * right)


def _centre(cells: Cells) -> Position:
    """The centre of the bounding box of a set that is not empty."""
    rows, cols = np.nonzero(cells)
    return Fraction(int(rows.min() + rows.max()), 2), Fraction(int(cols.min() + cols.max()), 2)


def _moved(cells: Cells, down: Fraction, right: Fraction) -> Cells:
    """Every cell that a set [rows, cols] touches once moved; what leaves the grid is lost."""
    result = np.zeros_like(cells)
    rows, cols = np.nonzero(cells)
    for dy in {math.floor(down), math.ceil(down)}:
        for dx in {math.floor(right), math.ceil(right)}:
            ys, xs = rows + dy, cols + dx
            inside = (ys >= 0) & (ys < cells.shape[0]) & (xs >= 0) & (xs < cells.shape[1])
            result[ys[inside], xs[inside]] = True
    return result


def _swept(thing: Affected, frames: range, start: int, shape: tuple[int, int, int]) -> Cells:
    """Cells bool [T, rows, cols] of the object's box, swept along its path; nothing before frame index `start`.

    The centre moves in straight lines from keyframe to keyframe and rests before the first and after the last. A
    frame has the box where it then is and what it crossed since the frame before, so that no gap is left however
    fast it moves; the way behind is let go, as in the reference's code and in its published quadmasks. The box at
    the first keyframe is held to the end unless the object is `currently_moving`: the plate goes on showing there
    what it shows being held, and that has to go.
    """
    result = np.zeros(shape, bool)
    size = thing.object_size_grids or ONE_CELL
    keys = sorted({(frames.index(key.frame), key.grid_row, key.grid_col) for key in thing.trajectory_path})
    if not keys:
        return result
    earlier = _position(keys, start)
    if not thing.currently_moving:
        result[start:, *_box(earlier, size)] = True
    for index in range(start, shape[0]):
        here = _position(keys, index)
        for position in _steps(earlier, here):
            result[index, *_box(position, size)] = True
        earlier = here
    return result


def _position(keys: list[tuple[int, int, int]], index: int) -> Position:
    """Where the centre is at a frame, given keyframes (index, row, column) in order."""
    following = bisect_right(keys, index, key=lambda key: key[0])
    if following in (0, len(keys)):
        _, row, col = keys[min(following, len(keys) - 1)]
        return Fraction(row), Fraction(col)
    (before, row, col), (after, next_row, next_col) = keys[following - 1], keys[following]
    way = Fraction(index - before, after - before)
    return row + way * (next_row - row), col + way * (next_col - col)


def _steps(earlier: Position, here: Position) -> list[Position]:
    """The way from one position to another in steps of a cell at most, without the first."""
    down, right = here[0] - earlier[0], here[1] - earlier[1]
    count = max(1, math.ceil(max(abs(down), abs(right))))
    return [(earlier[0] + down * step / count, earlier[1] + right * step / count) for step in range(1, count + 1)]


def _box(centre: Position, size: GridSize) -> tuple[slice, slice]:
    """Every cell that a box of this size around this centre touches; a slice may reach beyond the grid's far edges.

    As the reference does it: the object's box is laid around its centre, and a cell is affected when any part of
    it is. So an odd size in the middle of a cell takes just that many cells, an even one half a cell more each side.
    """
    return _span(centre[0], size.rows), _span(centre[1], size.cols)


def _span(middle: Fraction, length: int) -> slice:
    start = math.floor(middle + Fraction(1 - length, 2))
    stop = math.ceil(middle + Fraction(1 + length, 2))
    return slice(max(start, 0), stop)
