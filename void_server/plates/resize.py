"""Changing the size of images. Pixel centres stay where they are in the picture."""

from __future__ import annotations

import functools
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt


def shrink(image: npt.NDArray[Any], width: int, height: int) -> npt.NDArray[np.float32]:
    """Half or float [h, w] or [h, w, c] to float32 of this size, by the mean over each new pixel's area.

    Meant for linear light, whose mean is what a lens would have seen; NaN and Inf must be cleaned before, for
    they spread. An axis that grows is interpolated linearly.
    """
    return _resize(image, width, height, growing=cv2.INTER_LINEAR)


def enlarge(
    encoded: npt.NDArray[np.float32], width: int, height: int, part: tuple[slice, slice] | None = None
) -> npt.NDArray[np.float32]:
    """The model's [h, w, 3] in 0..1 to float32 of this size and range, by Lanczos interpolation; or a part of that.

    part: rows and columns of the result. In the encoded space, since in linear light it rings far below zero around
    highlights; what little it overshoots here is clamped. OpenCV's cubic bends smooth gradients three times as much. An
    axis that shrinks is averaged.
    """
    rows, columns = part or (slice(0, height), slice(0, width))
    down, from_rows = _operator(encoded.shape[0], height, rows)
    across, from_columns = _operator(encoded.shape[1], width, columns)
    pixels = np.asarray(encoded, np.float32)[from_rows, from_columns]
    wide = across @ pixels.transpose(1, 0, 2).reshape(pixels.shape[1], -1)
    wide = wide.reshape(len(across), -1, 3).transpose(1, 0, 2).reshape(len(pixels), -1)
    return np.clip(down @ wide, 0, 1).reshape(len(down), len(across), 3)


def _operator(size: int, new: int, part: slice) -> tuple[npt.NDArray[np.float32], slice]:
    """What resizing one axis does, as a matrix from those old pixels that count to a part of the new ones."""
    matrix = _resizing(size, new)[part]
    used = np.flatnonzero(matrix.any(axis=0))
    span = slice(int(used[0]), int(used[-1]) + 1)
    return np.ascontiguousarray(matrix[:, span]), span


@functools.lru_cache(maxsize=16)
def _resizing(size: int, new: int) -> npt.NDArray[np.float32]:
    """OpenCV's filter along one axis, [new, size], by what it makes of single pixels; both axes then work alone."""
    return _resize(np.eye(size, dtype=np.float32), size, new, growing=cv2.INTER_LANCZOS4)


def _resize(image: npt.NDArray[Any], width: int, height: int, *, growing: int) -> npt.NDArray[np.float32]:
    pixels = np.ascontiguousarray(image, np.float32)
    rows, columns = pixels.shape[:2]
    # OpenCV's area filter turns into another one when either axis grows, so the axes that shrink go first.
    small = min(width, columns), min(height, rows)
    if small != (columns, rows):
        pixels = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
    if small != (width, height):
        pixels = cv2.resize(pixels, (width, height), interpolation=growing)
    # OpenCV drops the last axis of a single channel.
    return np.ascontiguousarray(pixels.reshape(height, width, *image.shape[2:]))
