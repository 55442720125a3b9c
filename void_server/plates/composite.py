"""Laying generated pixels over a plate, and leaving every other bit of it alone."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

_HALF_MAX = float(np.finfo(np.float16).max)


def matte_ramp(selected: npt.NDArray[np.bool_], feather_px: float) -> npt.NDArray[np.float32]:
    """A matte float32 [h, w] in 0..1: 1 on `selected` [h, w], falling outside it by distance.

    Linear in the Euclidean distance in pixels between centres, exactly 0 from `feather_px` on (a Gaussian
    never gets there); `feather_px` 0 to 1 makes a hard edge. Raises ValueError when it is negative or not finite.
    """
    if not 0 <= feather_px < float("inf"):
        raise ValueError(f"the feather is {feather_px} pixels; it must be 0 or more")
    matte = selected.astype(np.float32)
    box = bounding_box(selected, int(np.ceil(feather_px)))
    if box is None or feather_px <= 1:  # no pixel is nearer than 1, and in float32 a smaller feather may be 0
        return matte
    outside = np.ascontiguousarray(~selected[box], np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    matte[box] = np.clip(1 - distance / np.float32(feather_px), 0, 1)
    return matte


def composite(
    source: npt.NDArray[Any], fill: npt.NDArray[np.float32], matte: npt.NDArray[np.float32]
) -> npt.NDArray[Any]:
    """One channel: `fill` [h, w] over `source` [h, w] (half or float32) by `matte` [h, w] in 0..1.

    Scene-linear, in the source's own type. Wherever the matte is 0 the result has the source's own bits, NaN
    payloads and -0.0 included. Where the source is NaN or Inf inside the matte, the fill stands alone. Values
    beyond a half's range become its largest. Raises ValueError for other types, or unequal sizes.
    """
    if source.dtype not in (np.float16, np.float32) or not source.shape == fill.shape == matte.shape:
        raise ValueError(
            f"cannot lay fill {fill.shape} by matte {matte.shape} over {source.dtype} {source.shape}: "
            "the sizes must be equal and the source half or float32"
        )
    result = source.copy()
    box = bounding_box(matte > 0)
    if box is None:
        return result
    over, weight = fill[box], matte[box]
    under = source[box].astype(np.float32)
    finite = np.isfinite(under)
    mixed = np.where(finite, np.where(finite, under, 0) * (1 - weight) + over * weight, over)
    if source.dtype == np.float16:
        mixed = np.clip(mixed, -_HALF_MAX, _HALF_MAX)
    result[box] = np.where(weight > 0, mixed.astype(source.dtype), source[box])
    return result


def bounding_box(selected: npt.NDArray[np.bool_], margin: int = 0) -> tuple[slice, slice] | None:
    """Rows and columns around the selected pixels and a margin, cut at the image's edges; None if none is."""
    rows = np.flatnonzero(selected.any(axis=1))
    if rows.size == 0:
        return None
    columns = np.flatnonzero(selected[rows[0] : rows[-1] + 1].any(axis=0))
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + margin + 1),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + margin + 1),
    )
