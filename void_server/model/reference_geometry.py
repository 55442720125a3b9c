"""How the published code frames a clip and its noise: the geometry of the warped noise's mode "reference"."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

REFERENCE_SIZE = (480, 720)
REFERENCE_FRAMES = 72


def stretch_indices(frames: int, count: int) -> NDArray[np.intp]:
    """`count` frames picked evenly from `frames`, both ends included, as the published code picks them."""
    return np.rint(np.arange(count) * (frames - 1) / (count - 1)).astype(np.intp)


def cover(frame: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """[h, w, 3] scaled to cover height x width and cut to it about the centre."""
    scaled_height, scaled_width, top, left = cover_geometry(frame.shape[0], frame.shape[1], height, width)
    scaled: NDArray[np.float32] = cv2.resize(frame, (scaled_width, scaled_height), interpolation=cv2.INTER_LINEAR)
    return scaled[top : top + height, left : left + width]


def cover_geometry(height: int, width: int, to_height: int, to_width: int) -> tuple[int, int, int, int]:
    """(scaled height, scaled width, top, left) of a picture scaled to cover another size and cut about the centre."""
    # In whole numbers: the greater of the two ratios, each side rounded up.
    if to_height * width >= to_width * height:
        scaled = (to_height, -(-width * to_height // height))
    else:
        scaled = (-(-height * to_width // width), to_width)
    return *scaled, (scaled[0] - to_height) // 2, (scaled[1] - to_width) // 2


def half(frame: NDArray[np.float32]) -> NDArray[np.float32]:
    """[h, w, 3] at half its size, each pixel the mean of four."""
    smaller: NDArray[np.float32] = cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return smaller


def fit_latents(noise: NDArray[np.floating[Any]], frames: int, height: int, width: int) -> NDArray[np.float32]:
    """Noise [t, h, w, C] cut and resized to [1, frames, C, height, width] as the published code does, which is not
    without loss: bilinear resizing lowers the deviation and makes neighbours alike."""
    picked = noise[np.linspace(0, len(noise) - 1, frames).astype(int)].astype(np.float32)
    planes = [
        [cv2.resize(np.ascontiguousarray(frame[..., c]), (width, height)) for c in range(noise.shape[3])]
        for frame in picked
    ]
    return np.asarray(planes, dtype=np.float32)[None]
