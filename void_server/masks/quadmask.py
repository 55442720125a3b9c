"""The quadmask: four classes in one byte a pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

PRIMARY, OVERLAP, AFFECTED, KEEP = 0, 63, 127, 255

# How far a stored level may lie from its class: more than any rounding, less than half a blend of two classes.
TOLERANCE = 12

_LEVELS = np.array([PRIMARY, OVERLAP, AFFECTED, KEEP], np.uint8)
_THRESHOLDS = np.array([31, 95, 191])


class BadMask(ValueError):
    """A matte or quadmask that cannot be used; the message names the frame, the pixel and what to do."""


def combine(primary: npt.NDArray[np.bool_], affected: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Two masks [h, w] to a quadmask uint8 [h, w]: 0 primary, 63 both, 127 affected, 255 neither."""
    return np.where(primary, np.where(affected, OVERLAP, PRIMARY), np.where(affected, AFFECTED, KEEP)).astype(np.uint8)


def split(quadmask: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """A quadmask uint8 of the four levels to (primary, affected), bool of the same shape."""
    overlap = quadmask == OVERLAP
    return (quadmask == PRIMARY) | overlap, (quadmask == AFFECTED) | overlap


def quantise(quadmask: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Levels 0..255 of any shape, as a filter or a codec left them, to the four: up to 31, 95, 191, and above.

    The reference's thresholds, which it applies after resizing.
    """
    return _LEVELS[np.searchsorted(_THRESHOLDS, quadmask, side="left")]


def read_quadmask(values: npt.NDArray[Any], name: str) -> npt.NDArray[np.uint8]:
    """A quadmask layer [h, w] as an EXR holds it (level / 255, so 0..1) to uint8 of the four levels.

    `name` is the frame's, for messages. Raises BadMask for NaN and for values further than 12/255 from all
    four levels: those were filtered or converted, and what class was meant can no longer be told.
    """
    levels = np.asarray(values, np.float32) * 255
    nearest = quantise(levels)
    # Written so that NaN counts as wrong.
    wrong = ~(np.abs(levels - nearest) <= TOLERANCE)
    if wrong.any():
        y, x = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        raise BadMask(
            f"the quadmask {name} holds {values[y, x]:.4g} ({levels[y, x]:.4g} of 255) at pixel x {x}, y {y} from "
            f"the top left, which is none of 0, 63, 127, 255: render it as raw data, without filtering"
        )
    return nearest
