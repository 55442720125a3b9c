"""Running the model on every n-th frame: which frames it sees, and the others from their neighbours by optical flow.

VOID was trained at 12 frames a second. On faster footage, neighbouring frames differ by less than it has learnt;
every second frame of 24 brings it back to scale, and a window of 85 frames then covers twice the time.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.model.flow import FlowEstimator

Pixels = NDArray[np.float32]


def key_frames(count: int, every: int) -> NDArray[np.intp]:
    """Indices of the frames that the model sees of `count`: every n-th from the first on, and the last."""
    if count < 1 or every < 1:
        raise ValueError(f"there are no key frames at every {every} of {count} frames; both must be at least 1")
    return np.unique(np.append(np.arange(0, count, every), count - 1))


def fill_between(keys: Pixels, indices: NDArray[np.intp], flow_estimator: FlowEstimator) -> Pixels:
    """The whole clip from its key frames.

    keys: float32 [K, H, W, 3] in 0..1. indices: their K places in the clip, ascending, the first and last frame among
    them. Returns float32 [T, H, W, 3]: key frames as they are; between two of them both are carried to the
    time in question along the flow between them and mixed by nearness (the linear motion model of Super SloMo,
    arXiv 1712.00080, equation 4, without its network).
    """
    if len(keys) != len(indices):
        raise ValueError(f"{len(keys)} key frames do not fit {len(indices)} places")
    clip = np.empty((int(indices[-1]) + 1, *keys.shape[1:]), np.float32)
    clip[indices] = keys
    for k in range(len(indices) - 1):
        first, last = int(indices[k]), int(indices[k + 1])
        if last - first < 2:
            continue
        there = flow_estimator(keys[k], keys[k + 1])
        back = flow_estimator(keys[k + 1], keys[k])
        for index in range(first + 1, last):
            time = (index - first) / (last - first)
            clip[index] = _between(keys[k], keys[k + 1], there, back, time)
    return clip


def _between(before: Pixels, after: Pixels, there: Pixels, back: Pixels, time: float) -> Pixels:
    """The picture at `time` in 0..1 from the one before to the one after; flows [2, H, W] in pixels."""
    to_before = -(1 - time) * time * there + time**2 * back
    to_after = (1 - time) ** 2 * there - time * (1 - time) * back
    mixed = (1 - time) * _sample(before, to_before) + time * _sample(after, to_after)
    return np.asarray(np.clip(mixed, 0, 1), np.float32)


def _sample(picture: Pixels, offset: Pixels) -> Pixels:
    """`picture` [H, W, 3] read at each pixel's place plus `offset` [2, H, W] (dx, dy); edges are repeated."""
    height, width = picture.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    columns, rows = (x + offset[0]).astype(np.float32), (y + offset[1]).astype(np.float32)
    sampled = cv2.remap(picture, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(sampled, np.float32)
