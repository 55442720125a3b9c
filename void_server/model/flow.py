"""Optical flow: how far each pixel moves from one frame to the next."""

from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

# Smaller pictures leave DIS no room for its 8-pixel patches.
_SMALLEST_SIDE = 16


class FlowEstimator(Protocol):
    """Any estimator of forward flow."""

    def __call__(self, first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float32]:
        """Flow from `first` to `second`, frames [h, w, 3], uint8 or float in 0..1: float32 [2, h, w], (dx, dy) in
        pixels, where each pixel of `first` goes."""
        ...


class DISFlow:
    """OpenCV's dense inverse search (arXiv 1603.03590), preset MEDIUM down to full resolution; needs no weights."""

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._dis.setFinestScale(0)

    def __call__(self, first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float32]:
        """See FlowEstimator. Raises ValueError for frames under 16 pixels or of two sizes."""
        check_pair(first, second)
        flow = self._dis.calc(_grey(first), _grey(second), None)
        return np.ascontiguousarray(flow.transpose(2, 0, 1), dtype=np.float32)


def check_pair(first: NDArray[Any], second: NDArray[Any]) -> None:
    """Raise ValueError unless two frames are of one size, and large enough for any estimator."""
    if first.shape != second.shape or min(first.shape[:2]) < _SMALLEST_SIDE:
        raise ValueError(
            f"frames are {first.shape[:2]} and {second.shape[:2]}; flow needs two of one size, "
            f"each side {_SMALLEST_SIDE} pixels or more"
        )


def _grey(frame: NDArray[Any]) -> NDArray[np.uint8]:
    if frame.dtype != np.uint8:
        frame = np.rint(np.clip(frame, 0, 1) * 255).astype(np.uint8)
    grey: NDArray[np.uint8] = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    return grey
