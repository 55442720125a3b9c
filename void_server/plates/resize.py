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
    pixels = np.asarray(encoded, np.float32)
    tall = _weighed(pixels, *_taps(encoded.shape[0], height, rows), axis=0)
    return np.clip(_weighed(tall, *_taps(encoded.shape[1], width, columns), axis=1), 0, 1)


def _weighed(
    pixels: npt.NDArray[np.float32], places: npt.NDArray[np.intp], weights: npt.NDArray[np.float32], axis: int
) -> npt.NDArray[np.float32]:
    """Sums of the pixels at places [n, k] along an axis by their weights, tap by tap: BLAS would fight over the cores
    that frames are worked on in already."""
    shape = [1] * pixels.ndim
    shape[axis] = -1
    total = np.take(pixels, places[:, 0], axis) * weights[:, 0].reshape(shape)
    for tap in range(1, places.shape[1]):
        total += np.take(pixels, places[:, tap], axis) * weights[:, tap].reshape(shape)
    return total


def _taps(size: int, new: int, part: slice) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Which old pixels count to each of a part of the new ones, [n, k], and how much."""
    places, weights = _filter(size, new)
    return places[part], weights[part]


@functools.lru_cache(maxsize=16)
def _filter(size: int, new: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """OpenCV's filter along one axis, by what it makes of single pixels: both axes then work alone."""
    matrix = _resize(np.eye(size, dtype=np.float32), size, new, growing=cv2.INTER_LANCZOS4)
    taps = max(1, int((matrix != 0).sum(axis=1).max()))
    places = np.argsort(matrix == 0, axis=1, kind="stable")[:, :taps]
    return places, np.take_along_axis(matrix, places, axis=1)


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
