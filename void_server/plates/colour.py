"""The curve between scene-linear light and what the model was trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

HIGHEST_MAXIMUM = 64.0

# The sRGB curve of IEC 61966-2-1.
_TOE, _TOE_SLOPE, _OFFSET, _GAMMA = 0.0031308, 12.92, 0.055, 2.4

_KNEE = 0.6
_KNEE_LINEAR = ((_KNEE + _OFFSET) / (1 + _OFFSET)) ** _GAMMA
_KNEE_SLOPE = (1 + _OFFSET) / _GAMMA * _KNEE_LINEAR ** (1 / _GAMMA - 1)


@dataclass(frozen=True)
class ModelCurve:
    """Linear Rec.709 light to the model's 0..1, and back; one for a whole shot.

    sRGB up to 0.6 (linear 0.3185); above, 0.6 + a log(1 + (L - 0.3185) s / a), with s the slope of sRGB at
    the knee, so that value and slope are continuous, and a such that the shot's maximum becomes 1.0. Plain
    sRGB when nothing in the shot is brighter than 1. Round trip in float32: within 6e-7 of max(1, value).
    """

    maximum: float

    def __post_init__(self) -> None:
        if not 1.0 <= self.maximum <= HIGHEST_MAXIMUM:
            raise ValueError(f"a curve's maximum is 1 to {HIGHEST_MAXIMUM:g}, not {self.maximum}: use for_shot")

    @classmethod
    def for_shot(cls, maximum: float) -> ModelCurve:
        """The curve for a shot whose brightest finite linear value, in any channel and frame, is `maximum`.

        Brighter shots than 64 are cut there. Raises ValueError for NaN.
        """
        if math.isnan(maximum):
            raise ValueError("the shot's maximum is NaN; take the maximum of its finite values")
        return cls(min(max(float(maximum), 1.0), HIGHEST_MAXIMUM))

    def as_manifest(self) -> dict[str, str | float]:
        """What a manifest keeps; `ModelCurve(maximum)` is the same curve again."""
        return {"curve": "srgb" if self.maximum == 1.0 else "srgb-log", "maximum": self.maximum}

    def clean(self, linear: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """What the model may see of linear pixels: NaN and negatives become 0, +Inf and above the maximum.

        To be done before any filter, which would spread one NaN over its neighbours.
        """
        light = np.clip(np.asarray(linear, np.float32), np.float32(0), np.float32(self.maximum))
        # fmax takes the number beside a NaN.
        return np.fmax(light, np.float32(0), out=light)

    def encode(self, linear: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Linear Rec.709 of any shape (half or float), cleaned, to float32 in 0..1."""
        light = self.clean(linear)
        srgb = np.where(
            light <= _TOE,
            light * np.float32(_TOE_SLOPE),
            np.float32(1 + _OFFSET) * light ** np.float32(1 / _GAMMA) - np.float32(_OFFSET),
        )
        bright = light > _KNEE_LINEAR
        if self.maximum > 1.0 and bright.any():
            # In double precision, since an error of the log is one of the whole value; there are few highlights.
            above = light[bright].astype(np.float64) - _KNEE_LINEAR
            srgb[bright] = _KNEE + self._scale * np.log1p(above * (_KNEE_SLOPE / self._scale))
        encoded: npt.NDArray[np.float32] = np.clip(srgb, 0, 1)
        return encoded

    def decode(self, encoded: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """The inverse: values of any shape, clamped to 0..1, to linear Rec.709 float32 in 0..maximum."""
        value = np.clip(np.asarray(encoded, np.float32), 0, 1)
        light = np.where(
            value <= np.float32(_TOE * _TOE_SLOPE),
            value / np.float32(_TOE_SLOPE),
            ((value + np.float32(_OFFSET)) / np.float32(1 + _OFFSET)) ** np.float32(_GAMMA),
        )
        bright = value > np.float32(_KNEE)
        if self.maximum > 1.0 and bright.any():
            above = value[bright].astype(np.float64) - _KNEE
            light[bright] = _KNEE_LINEAR + np.expm1(above / self._scale) * (self._scale / _KNEE_SLOPE)
        linear: npt.NDArray[np.float32] = np.clip(light, 0, np.float32(self.maximum))
        return linear

    @cached_property
    def _scale(self) -> float:
        """The a of the log: a log(1 + (maximum - knee) s / a) = 0.4, by bisection (the left side grows with a)."""
        reach = (self.maximum - _KNEE_LINEAR) * _KNEE_SLOPE
        low, high = 1e-3, 1e3
        for _ in range(100):
            middle = math.sqrt(low * high)
            low, high = (middle, high) if middle * math.log1p(reach / middle) < 1 - _KNEE else (low, middle)
        return low
