"""The clip that a pass is asked to work on: what is refused, and how it is lengthened."""

import numpy as np
from numpy.typing import NDArray


class BadClip(ValueError):
    """A clip or quadmask that the model cannot work on; the message says why and what to do."""


def check_clip(clip: NDArray[np.float32], quadmask: NDArray[np.uint8]) -> None:
    """Raise BadClip unless clip is float [T, h, w, 3] in 0..1 and quadmask uint8 [T, h, w], of any length."""
    if clip.ndim != 4 or clip.shape[3] != 3 or not np.issubdtype(clip.dtype, np.floating):
        raise BadClip(
            f"the clip is {clip.dtype} {list(clip.shape)}; give float32 [frames, height, width, 3], values 0 to 1"
        )
    if quadmask.dtype != np.uint8:
        raise BadClip(f"the quadmask is {quadmask.dtype}; give uint8, of 0, 63, 127 and 255")
    if quadmask.shape != clip.shape[:3]:
        raise BadClip(
            f"the quadmask is {list(quadmask.shape)} but the clip's frames are {list(clip.shape[:3])}; "
            "render both with the same frame range and size"
        )
    if 0 in clip.shape:
        raise BadClip(f"the clip is empty: its shape is {list(clip.shape)}; give at least one frame")
    for index, frame in enumerate(clip):
        _check_frame(index, float(frame.min()), float(frame.max()))


def _check_frame(index: int, low: float, high: float) -> None:
    if np.isnan(low) or np.isnan(high):
        raise BadClip(f"frame {index} of the clip has pixels that are not numbers (NaN); repair them in the plate")
    if low < 0.0 or high > 1.0:
        raise BadClip(
            f"frame {index} of the clip has values from {low:g} to {high:g}; the model works on 0 to 1: "
            "encode scene-linear pixels with a display-referred curve first"
        )


def padded_length(frames: int, window: int, max_frames: int) -> int:
    """Frames after padding: the next 4k+1 with k odd, at least `window`.

    Up to `max_frames` padding stops there, as in VOID as published; longer clips, which that refuses, go beyond.
    """
    even_latents = frames + (5 - frames) % 8
    return even_latents if frames > max_frames else min(max(even_latents, window), max_frames)


def padded_frame_indices(frames: int, length: int) -> NDArray[np.intp]:
    """Source frame of each of `length` padded frames: forwards, backwards, forwards ... with both ends repeated.

    Reflection, not repetition, because the model was trained on motion and would see a jump cut at every seam.
    """
    there_and_back = np.concatenate([np.arange(frames), np.arange(frames)[::-1]])
    return np.resize(there_and_back, length)
