"""What the artist painted: channels of a roto, and what counts as painted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from void_server.masks.quadmask import BadMask
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


def object_channels(frame: Frame, name: str) -> list[str]:
    """The channels of a roto that each hold an object: A, and the alpha of every other layer (bob.A, bob.alpha).

    `name` is the frame's, for messages. Raises BadMask where there is none.
    """
    channels = list(frame.parts[frame.beauty].channels)
    found = [channel for channel in channels if channel.rpartition(".")[2] in ("A", "alpha")]
    if not found:
        raise BadMask(f"the roto {name} has no alpha (it has {', '.join(channels)}): render it with its alpha channel")
    return sorted(found)


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
