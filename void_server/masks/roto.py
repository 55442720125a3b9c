"""From what the artist painted to a quadmask."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from void_server.masks.grid import grid_shape, gridify
from void_server.masks.quadmask import BadMask, combine
from void_server.plates.frame import Frame
from void_server.plates.window import Window

# Fainter alpha is a soft edge's tail rather than something that was painted.
ALPHA_FLOOR = 1 / 32

# How far outside 0..1 an alpha may lie: a sharpening filter's ringing, no more than we ignore above 0.
RANGE_TOLERANCE = ALPHA_FLOOR


def read_matte(
    frame: Frame, channel: str = "A", window: Window | None = None, *, outside: float = 0.0
) -> npt.NDArray[np.float32]:
    """A roto's channel as float32 [h, w] over `window` (its own data window, if None).

    Rotos are often stored cropped to what was painted: beyond their own data window they are 0, as in the comp.
    A quadmask layer needs `outside` 1, which is keep. Values come as stored; `primary_from_alpha` checks them.
    Raises BadPlate when there is no such channel.
    """
    stored = np.asarray(frame.channel(channel), np.float32)
    if window is None or window == frame.data_window:
        return stored
    matte = np.full((window.height, window.width), outside, np.float32)
    common = window.intersection(frame.data_window)
    if common.width and common.height:
        matte[common.slices_in(window)] = stored[common.slices_in(frame.data_window)]
    return matte


def primary_from_alpha(alpha: npt.NDArray[Any], name: str) -> npt.NDArray[np.bool_]:
    """An alpha [h, w] in 0..1 to what was painted, bool [h, w]: alpha of 1/32 and more. `name` is the frame's.

    Raises BadMask for NaN and for values more than 1/32 outside 0..1, which another layer has, not an alpha.
    """
    # Written so that NaN counts as wrong.
    wrong = ~((alpha >= -RANGE_TOLERANCE) & (alpha <= 1 + RANGE_TOLERANCE))
    if wrong.any():
        y, x = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        raise BadMask(
            f"the roto {name} holds {alpha[y, x]} at pixel x {x}, y {y} from the top left, outside 0..1: "
            "check that the right layer is connected, and clamp it"
        )
    return alpha >= ALPHA_FLOOR


def build_quadmask(
    primary: npt.NDArray[np.bool_], affected: npt.NDArray[np.bool_] | None, *, first: bool
) -> npt.NDArray[np.uint8]:
    """One frame's quadmask uint8 [h, w] from what to remove and what that affects (None: nothing), bool [h, w].

    What is affected is grown to whole cells of the grid. On the shot's first frame nothing is, since the model
    was trained so. Raises ValueError for unequal sizes.
    """
    if affected is not None and affected.shape != primary.shape:
        raise ValueError(
            f"the affected region is {affected.shape} and the primary {primary.shape}; sizes must be equal"
        )
    if affected is None or first:
        return combine(primary, np.zeros_like(primary))
    return combine(primary, gridify(affected, *grid_shape(*primary.shape)))
