"""Real pixels from another frame beside what the model has made: whose light, and whether to believe them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

# In model pixels, of the Gaussians that part light from detail, and that carry the model's own tint from the ring.
LIGHT = 3.0
TINT = 12.0

DETAIL = 6.0  # model pixels of the Gaussian over which detail is compared: by fewer it goes together by chance

# In the encoded picture's 0..1: light that differs by less is the plate's own; from there on more and more the
# model's. By more still, and with other detail, it is another thing that passed by.
SAME_LIGHT = (0.03, 0.08)
ANOTHER_THING = (0.15, 0.30)
SAME_DETAIL = (0.2, 0.5)
FLAT = 1e-4  # a variance below which there is no detail to compare


def relight(
    real: Pixels, generated: Pixels, source: Pixels, trust: Pixels, ring: Mask, scale: float
) -> tuple[Pixels, Pixels]:
    """What to add to real pixels for the model's light, and how far to trust them beside the model's picture.

    real, generated, source: float32 [h, w, 3], encoded, 0..1: another frame's pixels, the model's, and the plate's
    own. trust: float32 [h, w], what is known of real so far. ring: bool [h, w], where source is background. scale:
    plate pixels in a model pixel. Returns float32 [h, w, 3] and [h, w]. Only low frequencies are compared: the
    model's detail is its own invention. A tint that the model gives the whole picture is seen on the ring and left out.
    """
    height, width = trust.shape
    size = max(1, round(width / scale)), max(1, round(height / scale))
    known = _small(trust, size)
    on_ring = _small(ring.astype(np.float32), size)
    made = [_small(generated[..., c], size) for c in range(3)]
    tint = [_tint(_small((source[..., c] - generated[..., c]) * ring, size), on_ring) for c in range(3)]
    seen = [_small(real[..., c] * trust, size) / np.maximum(known, 1e-6) for c in range(3)]
    off = [_mean((seen[c] - made[c]) * known, known, LIGHT) - tint[c] for c in range(3)]
    most = np.max(np.abs(off), axis=0)
    detail = _together(np.mean(seen, axis=0), np.mean(made, axis=0), known)
    doubt = _ramp(most, ANOTHER_THING) * (1 - _ramp(detail, SAME_DETAIL))
    share = _ramp(most, SAME_LIGHT)
    change = np.stack([_large(-share * channel, width, height) for channel in off], axis=-1)
    return change, trust * _large(1 - doubt, width, height)


def _small(channel: npt.NDArray[Any], size: tuple[int, int]) -> Pixels:
    return np.asarray(cv2.resize(channel, size, interpolation=cv2.INTER_AREA), np.float32)


def _large(channel: Pixels, width: int, height: int) -> Pixels:
    return np.asarray(cv2.resize(np.asarray(channel, np.float32), (width, height), interpolation=cv2.INTER_LINEAR))


def _blur(channel: Pixels, sigma: float) -> Pixels:
    return np.asarray(cv2.GaussianBlur(channel, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT), np.float32)


def _mean(weighted: npt.NDArray[Any], weight: Pixels, sigma: float) -> Pixels:
    """The mean around every pixel of what is known, 0 where nothing is: normalised convolution (Knutsson 1993)."""
    return np.asarray(
        _blur(np.asarray(weighted, np.float32), sigma) / (_blur(weight, sigma) + np.float32(1e-4)), np.float32
    )


def _tint(weighted: Pixels, weight: Pixels) -> Pixels:
    """What the ring tells around every pixel; as far from it as it does not reach, its mean."""
    everywhere = np.float32(weighted.sum() / max(float(weight.sum()), 1e-6))
    return _mean(weighted - everywhere * weight, weight, TINT) + everywhere


def _together(first: Pixels, second: Pixels, weight: Pixels) -> Pixels:
    """How the detail of two pictures goes together around every pixel, -1..1; 1 where both are flat."""

    def mean(of: Pixels, sigma: float = DETAIL) -> Pixels:
        return _mean(of * weight, weight, sigma)

    one, two = first - mean(first, LIGHT), second - mean(second, LIGHT)
    here, there = mean(one * one), mean(two * two)
    flat = (here < FLAT) & (there < FLAT)
    return np.asarray(np.where(flat, 1, mean(one * two) / np.sqrt(np.maximum(here * there, FLAT * FLAT))), np.float32)


def _ramp(value: Pixels, ends: tuple[float, float]) -> Pixels:
    """0 up to the first end, 1 from the second on, smoothly between."""
    along = np.clip((value - ends[0]) / (ends[1] - ends[0]), 0, 1)
    return np.asarray(along * along * (3 - 2 * along), np.float32)
