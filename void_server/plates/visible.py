"""Which other frames show what an object hides: chosen on a coarse grid, before any plate is looked at again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from void_server.plates.camera import CameraPath, carry

Mask = npt.NDArray[np.bool_]

CELL = 16  # plate pixels
POINTS = 2000  # by which what a frame wants is judged, at most twice as many
SOURCES = 3  # that one frame is filled from, at most
WORTH = 0.04  # of what a frame wants, what one more source has to add
FAR = 48.0  # frames after which a source is worth half: light changes, and what was still has moved
DISTANCES = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 192)
ABSOLUTE = 16  # frames spread over the shot that are always considered
PAST = 1.15  # the worth of a frame that has just been decoded over one that has still to be
REPEATED = 0.7  # the worth of a frame that has just been a source: its grain would stand still


def cells(mask: Mask, *, whole: bool) -> Mask:
    """A mask [h, w] by cells of the grid, bool [rows, columns]: those it covers wholly, or those it touches.

    A cell cut by the picture's edge counts by what there is of it.
    """
    height, width = mask.shape
    rows, columns = -(-height // CELL), -(-width // CELL)
    edges = (0, rows * CELL - height, 0, columns * CELL - width)
    padded = cv2.copyMakeBorder(
        mask.view(np.uint8) * 255, *edges[:2], *edges[2:], cv2.BORDER_CONSTANT, value=255 * whole
    )
    # The mean of 255 and zeros over a cell's 256 pixels, rounded: 255 for none but all, 0 for none.
    mean = cv2.resize(padded, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(mean == 255 if whole else mean > 0)


def choose_sources(wanted: Sequence[Mask], clear: Sequence[Mask], path: CameraPath) -> list[list[int]]:
    """For each of T frames the frames (by their places in the shot) whose pixels show what it wants, the best first.

    wanted, clear: bool [rows, columns] a frame, what is to be seen and what shows nothing but background. Near frames
    are preferred, and frames other than those that the frame before was filled from: a source that moves along with
    the shot has grain that lives.
    """
    count = len(wanted)
    chosen: list[list[int]] = []
    last_used: dict[int, int] = {}
    for frame in range(count):
        points = _centres(wanted[frame])
        points = points[:: max(1, len(points) // POINTS)]
        sources = _sources_of(frame, points, _candidates(frame, count, chosen), clear, path, last_used)
        last_used.update(dict.fromkeys(sources, frame))
        chosen.append(sources)
    return chosen


def _centres(mask: Mask) -> npt.NDArray[np.float32]:
    """Centres of cells in plate pixels, (x, y) [n, 2]."""
    rows, columns = np.nonzero(mask)
    return np.stack([columns, rows], axis=-1).astype(np.float32) * CELL + (CELL - 1) / 2


def _candidates(frame: int, count: int, chosen: list[list[int]]) -> list[int]:
    """Frames that may serve: at growing distances, spread over the shot, and what follows the last frame's sources."""
    near = {frame + sign * distance for distance in DISTANCES for sign in (-1, 1)}
    spread = set(np.linspace(0, count - 1, min(count, ABSOLUTE)).round().astype(int).tolist())
    following = {source + step for source in (chosen[-1] if chosen else []) for step in (-1, 0, 1)}
    return sorted(other for other in near | spread | following if 0 <= other < count and other != frame)


def _sources_of(
    frame: int,
    points: npt.NDArray[np.float32],
    candidates: Iterable[int],
    clear: Sequence[Mask],
    path: CameraPath,
    last_used: dict[int, int],
) -> list[int]:
    """The sources of one frame, greedily: each the one that adds most to those before it."""
    if not len(points):
        return []
    shows = {other: seen for other in candidates if (seen := _shown(points, frame, other, clear, path)) is not None}
    worth = {other: _worth(frame, other, last_used) for other in shows}
    missing = np.ones(len(points), np.bool_)
    sources: list[int] = []
    while len(sources) < SOURCES:
        adds = {other: np.count_nonzero(seen & missing) for other, seen in shows.items()}
        enough = [other for other, count in adds.items() if count >= max(1.0, WORTH * len(points))]
        if not enough:
            break
        best = max(enough, key=lambda other: (worth[other] * adds[other], -other))
        sources.append(best)
        missing &= ~shows[best]
    return sources


def _shown(
    points: npt.NDArray[np.float32], frame: int, other: int, clear: Sequence[Mask], path: CameraPath
) -> Mask | None:
    """Which points of one frame another shows, bool [n]; None where the camera between them is not known."""
    move = path.between(frame, other)
    if move is None:
        return None
    rows, columns = clear[other].shape
    # A carried point seldom lies on a cell's centre; the cells around it have to be clear too.
    around = clear[other]
    if not np.array_equal(move, np.eye(3)):
        around = cv2.erode(clear[other].astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    column, row = np.floor((carry(points, move) + 0.5) / CELL).astype(np.int64).T
    inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    return np.asarray(inside & around[row.clip(0, rows - 1), column.clip(0, columns - 1)])


def _worth(frame: int, other: int, last_used: dict[int, int]) -> float:
    near = (PAST if other < frame else 1.0) / (1 + abs(other - frame) / FAR)
    if other not in last_used:
        return near
    age = frame - last_used[other]
    return near * float(1 - (1 - REPEATED) * REPEATED ** (age - 1))
