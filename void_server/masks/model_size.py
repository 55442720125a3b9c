"""The quadmask at the model's size."""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from void_server.masks.quadmask import AFFECTED, KEEP, OVERLAP, PRIMARY, quantise

_CLASS_OF = quantise(np.arange(256, dtype=np.uint8))


def shrink_quadmask(
    quadmask: npt.NDArray[np.uint8], width: int, height: int, mask_levels: Literal["netflix", "quad"]
) -> npt.NDArray[np.uint8]:
    """A quadmask uint8 [h, w] to uint8 [height, width], in the way that goes with the setting `mask_levels`.

    "netflix": the class that is nearest to the mean of the levels, the way the reference resizes and then cuts
    (specs/model.md, Preparing a clip, 1 and 2): equal to it in every pixel. Every published result has what comes of
    it: between 0 and 255 lie pixels that become 63 or 127, though nobody painted these.

    "quad": one of the four levels that lie under the new pixel, and no other. Where any part of it is to be removed,
    it is removed; else where any part is affected, it is affected, as with the grid's cells (specs/quadmask.md:
    "when any pixel of it is"). For the picture beside it is the plate's mean over the same area, so that whatever lies
    under a pixel is in its colour, and the model takes what is left of an object's rim for something to keep. A thin
    roto stays whole: what is removed becomes no smaller, nor larger by a whole new pixel on any side. Where 0 and 63
    lie under one pixel it takes the larger, and 0 where they are equal. Levels are brought to the four before.
    """
    if mask_levels == "netflix":
        return quantise(_mean(quadmask, width, height))
    classes = cv2.LUT(quadmask, _CLASS_OF)
    primary, overlap, affected = (_area(classes == level, width, height) for level in (PRIMARY, OVERLAP, AFFECTED))
    removed = np.where(primary >= overlap, PRIMARY, OVERLAP)
    kept = np.where(affected > 0, AFFECTED, KEEP)
    return np.where(primary + overlap > 0, removed, kept).astype(np.uint8)


def _mean(levels: npt.NDArray[np.uint8], width: int, height: int) -> npt.NDArray[np.float32]:
    """The mean of whole pixels, of all that a new pixel touches, as torch's area interpolation has it.

    Sums are exact; torch divides by the rows and then by the columns, in float32.
    """
    top, bottom = _touched(levels.shape[0], height)
    left, right = _touched(levels.shape[1], width)
    total = cv2.integral(levels).astype(np.int64)
    rows = total[bottom] - total[top]
    sums = (rows[:, right] - rows[:, left]).astype(np.float32)
    tall, wide = (bottom - top).astype(np.float32), (right - left).astype(np.float32)
    return np.asarray(sums / tall[:, None] / wide, np.float32)


def _touched(length: int, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First old pixel that each of `count` new ones touches, and the one after the last."""
    index = np.arange(count)
    return index * length // count, -(-(index + 1) * length // count)


def _area(mask: npt.NDArray[np.bool_], width: int, height: int) -> npt.NDArray[np.int64]:
    """How much of a mask bool [h, w] lies under each pixel of [height, width]; a wholly covered one counts h x w.

    In whole numbers, so that nothing is nothing and equal areas are equal. The integral image tells the area above
    and to the left of any corner, and is linear within a pixel.
    """
    rows = _at_edges(cv2.integral(mask.view(np.uint8)), height)
    corners = _at_edges(rows.T, width).T
    return np.diff(np.diff(corners, axis=0), axis=1)


def _at_edges(total: npt.NDArray[Any], count: int) -> npt.NDArray[np.int64]:
    """Values [n + 1, m] at the edges of n rows, at the edges of `count` equal spans of them: int64, times `count`."""
    length = len(total) - 1
    above, part = np.divmod(np.arange(count + 1) * length, count)
    below = np.minimum(above + 1, length)
    part = part[:, None]
    return np.asarray((count - part) * total[above] + part * total[below], np.int64)
