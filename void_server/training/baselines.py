"""What removes objects without any model: a clip and its quadmask in, a filled clip out.

Clips are float32 [T, h, w, 3], display-referred in 0..1; quadmasks uint8 [T, h, w]. All that is not KEEP is filled.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from void_server.masks.quadmask import KEEP
from void_server.training.drawing import Pixels

Filling = Callable[[Pixels, npt.NDArray[np.uint8]], Pixels]

RADIUS = 3  # pixels; OpenCV's example


def as_it_is(clip: Pixels, quadmask: npt.NDArray[np.uint8]) -> Pixels:
    """Nothing removed."""
    return clip


def inpainted(clip: Pixels, quadmask: npt.NDArray[np.uint8]) -> Pixels:
    """Each frame by itself (Telea 2004)."""
    return _inpaint(clip, quadmask != KEEP)


def median_then_inpainted(clip: Pixels, quadmask: npt.NDArray[np.uint8]) -> Pixels:
    """The median of the frames that show a pixel unmasked, and what no frame shows by `inpainted`."""
    masked = quadmask != KEEP
    shown = np.where(masked[..., None], np.nan, clip)
    never = masked.all(axis=0)
    shown[:, never] = 0
    middle = np.nanmedian(shown, axis=0).astype(np.float32)
    return _inpaint(np.where(masked[..., None], middle, clip), masked & never)


BASELINES: dict[str, Filling] = {
    "input as it is": as_it_is,
    "OpenCV inpaint": inpainted,
    "temporal median + inpaint": median_then_inpainted,
}


def _inpaint(clip: Pixels, masked: npt.NDArray[np.bool_]) -> Pixels:
    pictures = np.rint(clip * 255).astype(np.uint8)
    filled = np.stack(
        [
            cv2.inpaint(picture, holes.astype(np.uint8), RADIUS, cv2.INPAINT_TELEA)
            for picture, holes in zip(pictures, masked, strict=True)
        ]
    )
    return np.where(masked[..., None], filled.astype(np.float32) / 255, clip)
