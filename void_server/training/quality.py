"""How good a removal is where the truth is known: a pair and a result in, numbers out.

All clips are float32 [T, h, w, 3], display-referred in 0..1. A measure that a pair has nothing for (a moved body, in a
scene where none moves) is NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from void_server.masks.grid import grid_shape
from void_server.masks.quadmask import KEEP
from void_server.training.drawing import Pixels
from void_server.training.pairs import Pair

Mask = npt.NDArray[np.bool_]

# A place explains the moved body if less than this share of its contrast's energy is left unexplained there.
FOUND = 0.9


@dataclass(frozen=True)
class Quality:
    """One clip's figures.

    full, mask, primary, elsewhere: PSNR in dB against the truth over all pixels, those that the quadmask does not
    keep, the object's, and those that truly differ outside it. share: `contrast_share`. off: `centre_error`, the
    median over the frames in which the body has moved, infinite where it isn't found. flicker: `flicker`.
    """

    full: float
    mask: float
    primary: float
    elsewhere: float
    share: float
    off: float
    flicker: float


def measure(pair: Pair, behind: Pixels, result: Pixels) -> Quality:
    """All figures of a result; behind: the clip with neither the object nor the body that it moves (`pairs.empty`)."""
    changed = (pair.with_object != pair.without).any(axis=3)
    masked = pair.quadmask != KEEP
    errors = [centre_error(pair, behind, result, frame) for frame in range(len(result)) if pair.moved[frame].any()]
    return Quality(
        full=psnr(result, pair.without, np.ones_like(masked)),
        mask=psnr(result, pair.without, masked),
        primary=psnr(result, pair.without, pair.primary),
        elsewhere=psnr(result, pair.without, changed & ~pair.primary),
        share=contrast_share(pair, behind, result),
        off=float(np.median(errors)) if errors else math.nan,
        flicker=flicker(result, pair.without, masked),
    )


def psnr(result: Pixels, truth: Pixels, where: Mask) -> float:
    """Peak signal-to-noise ratio in dB over the pixels of `where`, bool [T, h, w], for a peak of 1."""
    if not where.any():
        return math.nan
    error = float(np.mean(np.square(result[where] - truth[where], dtype=np.float64)))
    return -10 * math.log10(error) if error else math.inf


def contrast_share(pair: Pair, behind: Pixels, result: Pixels) -> float:
    """How much of the moved body's contrast is found at its true place.

    With t = truth - behind and r = result - behind, the coefficient of r's projection on t,

        sum w r.t / sum w t.t,

    over the pixels that the body covers without the object but not with it, weighted by its coverage w. The truth
    scores 1; the bare background 0; a mixture of both its share, and so does a blur that paints the body over many
    places at once; a body beside its true place what little the two overlap.
    """
    weight = np.where(pair.moved_before > 0, 0, pair.moved)[..., None]
    contrast = pair.without - behind
    energy = float(np.sum(weight * contrast * contrast, dtype=np.float64))
    if energy == 0:
        return math.nan
    return float(np.sum(weight * contrast * (result - behind), dtype=np.float64)) / energy


def centre_error(pair: Pair, behind: Pixels, result: Pixels, frame: int) -> float:
    """How far from its true place the moved body is seen in a frame, in cells of the quadmask's grid.

    The truth's contrast (truth - behind, within the body's coverage) is compared with the result's at every place of
    the picture; the place where least of it is left unexplained, by squares, is where the body is seen. Infinite
    where no place explains a tenth of it.
    """
    coverage = pair.moved[frame]
    rows, columns = np.flatnonzero(coverage.any(axis=1)), np.flatnonzero(coverage.any(axis=0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    wanted = (pair.without[frame] - behind[frame])[box]
    weight = np.repeat(coverage[box][..., None], 3, axis=2)
    found = result[frame] - behind[frame]
    left = _unexplained(found, wanted, weight)
    y, x = np.unravel_index(int(np.argmin(left)), left.shape)
    if left[y, x] >= FOUND * np.sum(weight * wanted**2):
        return math.inf
    height, width = coverage.shape
    cells = grid_shape(height, width)
    return math.hypot((int(x) - columns[0]) * cells[1] / width, (int(y) - rows[0]) * cells[0] / height)


def _unexplained(found: Pixels, wanted: Pixels, weight: Pixels) -> npt.NDArray[np.float64]:
    """The sum of weight (found - wanted)^2 with `wanted` laid at every place in `found`, [places down, across]."""
    found, wanted, weight = (np.asarray(values, np.float32) for values in (found, wanted, weight))
    product = cv2.matchTemplate(found, weight * wanted, cv2.TM_CCORR)
    square = cv2.matchTemplate(found**2, weight, cv2.TM_CCORR)
    return np.asarray(square - 2 * product + np.sum(weight * wanted**2), np.float64)


def flicker(result: Pixels, truth: Pixels, where: Mask) -> float:
    """How much more or less than the truth a result changes from frame to frame, in 255ths of the white, on average.

    Over the pixels that are in `where`, bool [T, h, w], in both frames. An error that stays as it is does not count.
    """
    both = where[1:] & where[:-1]
    if not both.any():
        return math.nan
    return float(np.mean(np.abs(np.diff(result - truth, axis=0)[both]), dtype=np.float64)) * 255


@dataclass(frozen=True)
class Summary:
    """Figures of many clips: the PSNR of their mean squared errors; the median share; of the centres, those within
    `NEAR`; mean flicker.

    Not the mean of PSNRs: a single clip that a method gets right to the bit would make that infinite.
    """

    full: float
    mask: float
    primary: float
    elsewhere: float
    share: float
    near: float
    flicker: float


NEAR = 1.5  # cells


def summarise(figures: list[Quality]) -> Summary:
    """Figures of clips together; clips for which a figure is NaN are left out of it."""

    def all_of(name: str) -> npt.NDArray[Any]:
        values = np.array([getattr(one, name) for one in figures], np.float64)
        return values[~np.isnan(values)]

    def pooled(name: str) -> float:
        values = all_of(name)
        error = float(np.mean(10 ** (-values / 10))) if len(values) else math.nan
        return -10 * math.log10(error) if error else math.inf

    shares, errors = all_of("share"), all_of("off")
    return Summary(
        full=pooled("full"),
        mask=pooled("mask"),
        primary=pooled("primary"),
        elsewhere=pooled("elsewhere"),
        share=float(np.median(shares)) if len(shares) else math.nan,
        near=float(np.mean(errors <= NEAR)) if len(errors) else math.nan,
        flicker=float(np.mean(all_of("flicker"))),
    )
