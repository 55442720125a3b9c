"""Reading one frame's pixels at places of another's: to the bit where these are whole pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.float32]
Places = tuple[Pixels, Pixels]

RESTS = 0.08  # plate pixels: what is nearer to a move by whole pixels is one, and pixels are copied to the bit
LANCZOS = 4  # plate pixels to every side of a place that count to what is read there


@dataclass(frozen=True)
class Ring:
    """A box of a frame around a hole. rgb: float32 [h, w, 3], scene-linear. clear: bool [h, w], neither removed,
    affected nor on the ramp around that, and finite."""

    rgb: Pixels
    clear: Mask


def grid(shape: tuple[int, ...]) -> Places:
    """x and y of every pixel of an array [h, w]."""
    x, y = np.meshgrid(np.arange(shape[1], dtype=np.float32), np.arange(shape[0], dtype=np.float32))
    return x, y


def snapped(places: Places) -> Places:
    """Places that all lie off the grid by nearly the same whole pixels, on it: Lanczos would soften the grain."""
    axes = grid(places[0].shape)
    whole = [axis + np.rint(np.median(place - axis)) for place, axis in zip(places, axes, strict=True)]
    near = all(np.abs(place - on).max() < RESTS for place, on in zip(places, whole, strict=True))
    return (whole[0], whole[1]) if near else places


def sample(there: Ring, places: Places, offset: tuple[int, int]) -> Ring:
    """`there` read at places counted from the first pixel of the box; whole pixels are copied to the bit."""
    x, y = places[0] - np.float32(offset[0]), places[1] - np.float32(offset[1])
    if _whole(x) and _whole(y):
        return _copied(there, int(x[0, 0]), int(y[0, 0]), x.shape)
    clear = cv2.erode(there.clear.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0)
    finite = np.isfinite(there.rgb).all(axis=-1)
    if not finite.all():  # what stands in for them must not count to anything that is seen
        clear &= cv2.erode(finite.astype(np.uint8), np.ones((2 * LANCZOS + 1, 2 * LANCZOS + 1), np.uint8))
    seen = cv2.remap(clear, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0) > 0
    # In linear light Lanczos would ring around highlights: a root that keeps the sign takes most of that away, and
    # nothing leaves the range of the pixels around.
    rooted = _root(there.rgb)
    rgb = cv2.remap(rooted, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
    low, high = (
        cv2.remap(edge(rooted, np.ones((3, 3), np.uint8)), x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        for edge in (cv2.erode, cv2.dilate)
    )
    return Ring(_unroot(np.clip(rgb, low, high)), np.asarray(seen))


def _whole(x: Pixels) -> bool:
    """Whether x counts columns, or rows, one by one from a whole number on."""
    start = float(x[0, 0])
    return start.is_integer() and any(np.array_equal(x - np.float32(start), axis) for axis in grid(x.shape))


def _copied(there: Ring, left: int, top: int, shape: tuple[int, ...]) -> Ring:
    """The box at a whole offset, not clear where `there` does not reach."""
    rgb, clear = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.bool_)
    height, width = there.clear.shape
    rows, columns = slice(max(0, -top), min(shape[0], height - top)), slice(max(0, -left), min(shape[1], width - left))
    from_rows = slice(rows.start + top, rows.stop + top)
    from_columns = slice(columns.start + left, columns.stop + left)
    if rows.stop > rows.start and columns.stop > columns.start:
        rgb[rows, columns] = there.rgb[from_rows, from_columns]
        clear[rows, columns] = there.clear[from_rows, from_columns]
    return Ring(rgb, clear)


def _root(light: Pixels) -> Pixels:
    finite = np.nan_to_num(light, nan=0.0, posinf=65504.0, neginf=-65504.0)
    return np.asarray(np.copysign(np.sqrt(np.abs(finite)), finite), np.float32)


def _unroot(value: Pixels) -> Pixels:
    return np.asarray(np.copysign(value * value, value), np.float32)
