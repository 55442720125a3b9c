"""The quadmask: four classes in one byte a pixel."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

PRIMARY, OVERLAP, AFFECTED, KEEP = 0, 63, 127, 255

# How far a stored level may lie from its class: more than any rounding, less than half a blend of two classes.
TOLERANCE = 12

# Where a pixel lies on a brush's edge, the levels around it differ by this at least, so one a pixel: such a slope
# is within TOLERANCE of a level for no more than twice REACH pixels.
SLOPE = 2.0
REACH = 12

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


def before_effects(quadmask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A quadmask uint8 with nothing affected, as the model was trained to see a shot's first frame."""
    primary, _ = split(quadmask)
    return combine(primary, np.zeros_like(primary))


def quantise(quadmask: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Levels 0..255 of any shape, as a filter or a codec left them, to the four: up to 31, 95, 191, and above.

    The reference's thresholds, which it applies after resizing.
    """
    return _LEVELS[np.searchsorted(_THRESHOLDS, quadmask, side="left")]


def read_quadmask(values: npt.NDArray[Any], name: str) -> npt.NDArray[np.uint8]:
    """A quadmask layer [h, w] as an EXR holds it (level / 255, so 0..1) to uint8 of the four levels.

    Brushes have soft edges: a pixel on a slope between two levels takes the class of the nearest pixel that has one,
    so that no third class appears between two. `name` is the frame's, for messages. Raises BadMask for NaN, for
    values outside 0..1, and for patches of one value further than 12/255 from all four levels: those were filtered
    or converted, and what class was meant can no longer be told.
    """
    levels = np.asarray(values, np.float32) * 255
    # Written so that NaN counts as wrong.
    outside = ~((levels >= PRIMARY - TOLERANCE) & (levels <= KEEP + TOLERANCE))
    if outside.any():
        raise _no_level(values, outside, name)
    classes = quantise(levels)
    near = np.abs(levels - classes) <= TOLERANCE
    if near.all():
        return classes
    around = np.ones((3, 3), np.uint8)
    flat = cv2.dilate(levels, around) - cv2.erode(levels, around) < SLOPE
    # A slope from 0 to 255 passes 63 and 127 on its way: what is near a level there says nothing either.
    slope = ~flat & (cv2.dilate((~near).astype(np.uint8), np.ones((2 * REACH + 1,) * 2, np.uint8)) > 0)
    sure = near & ~slope
    if (flat & ~near).any() or not sure.any():
        raise _no_level(values, flat & ~near if (flat & ~near).any() else ~near, name)
    return _of_the_nearest(classes, sure)


def _of_the_nearest(classes: npt.NDArray[np.uint8], sure: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Classes [h, w] with those that are not sure replaced by the nearest sure one, in pixels."""
    unsure = (~sure).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(unsure, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    class_of = np.zeros(int(nearest.max()) + 1, np.uint8)
    class_of[nearest[sure]] = classes[sure]
    return np.asarray(class_of[nearest], np.uint8)


def _no_level(values: npt.NDArray[Any], wrong: npt.NDArray[np.bool_], name: str) -> BadMask:
    y, x = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    value = float(values[y, x])
    return BadMask(
        f"the quadmask {name} holds {value:.4g} ({value * 255:.4g} of 255) at pixel x {x}, y {y} from the top left, "
        "which is none of 0, 63, 127, 255: paint with 0, 0.247, 0.498 or 1, and render it as raw data, without "
        "filtering"
    )
