"""From a plate's own primaries to those that the model was trained on, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]
Matrix = tuple[float, ...]

IDENTITY: Matrix = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

# What stands for Inf in a sum, where it would become NaN beside -Inf: the largest half.
_FOR_INF = float(np.finfo(np.float16).max)

# ITU-R BT.709: R, G, B and the white point D65 in CIE x, y.
_REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)

# Lam, "Metamerism and Colour Constancy" (1985): CIE XYZ to the sharpened cone responses in which whites are scaled.
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@dataclass(frozen=True)
class WorkingSpace:
    """A scene-linear RGB space. `matrix`: nine numbers, row by row, that take its RGB to linear Rec.709 (D65)."""

    name: str = "linear Rec.709"
    matrix: Matrix = IDENTITY

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> WorkingSpace:
        """The space that a job or a manifest names: `name` and `matrix`."""
        return cls(given["name"], tuple(given["matrix"]))

    def to_rec709(self, rgb: Pixels) -> Pixels:
        """Working-space float32 [h, w, 3], any range, as linear Rec.709; the very array where the two are one.

        Else NaN counts as 0 and Inf as the largest half, lest one channel's take the other two along.
        """
        if self.matrix == IDENTITY:
            return rgb
        if not np.isfinite(rgb).all():
            rgb = np.nan_to_num(rgb, nan=0.0, posinf=_FOR_INF, neginf=-_FOR_INF)
        return _through(self._forward, rgb)

    def from_rec709(self, rgb: Pixels) -> Pixels:
        """Linear Rec.709 float32 [h, w, 3], finite, as working-space RGB; the very array where the two are one.

        There and back is within 1e-6 of the largest channel, times the matrix's condition (below 10 for the primaries
        of cameras and deliveries).
        """
        return rgb if self.matrix == IDENTITY else _through(self._back, rgb)

    @cached_property
    def _forward(self) -> npt.NDArray[np.float64]:
        return np.array(self.matrix, np.float64).reshape(3, 3)

    @cached_property
    def _back(self) -> npt.NDArray[np.float64]:
        return np.asarray(np.linalg.inv(self._forward), np.float64)


LINEAR_REC709 = WorkingSpace()


def _through(matrix: npt.NDArray[np.float64], rgb: Pixels) -> Pixels:
    return np.asarray(cv2.transform(rgb, matrix), np.float32)


def matrix_from_chromaticities(chromaticities: Sequence[float]) -> Matrix:
    """The matrix from linear RGB of these primaries to linear Rec.709 (D65), row by row.

    chromaticities: CIE x and y of R, G, B and white, as in an EXR's attribute of that name. White goes to white by
    the Bradford adaptation (SMPTE RP 177 for the primaries). Raises ValueError where they span no triangle.
    """
    adapted = _adaptation(_white(chromaticities), _white(_REC709)) @ _to_xyz(chromaticities)
    return tuple(float(entry) for entry in (np.linalg.inv(_to_xyz(_REC709)) @ adapted).ravel())


def _to_xyz(chromaticities: Sequence[float]) -> npt.NDArray[np.float64]:
    """RGB to CIE XYZ, white's Y at 1: each primary's XYZ in a column, scaled so that they add up to white."""
    columns = np.stack([_xyz(*chromaticities[i : i + 2]) for i in (0, 2, 4)], axis=1)
    try:
        scale = np.linalg.solve(columns, _white(chromaticities))
    except np.linalg.LinAlgError as error:
        raise ValueError("the primaries lie on one line") from error
    return columns * scale


def _white(chromaticities: Sequence[float]) -> npt.NDArray[np.float64]:
    white = _xyz(*chromaticities[6:8])
    if not (np.isfinite(white).all() and white[1] > 0):
        raise ValueError("the white point is none")
    return np.asarray(white / white[1], np.float64)


def _xyz(x: float, y: float) -> npt.NDArray[np.float64]:
    return np.array([x, y, 1 - x - y], np.float64)


def _adaptation(source: npt.NDArray[np.float64], target: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """XYZ under one white to XYZ under another."""
    gains = (_BRADFORD @ target) / (_BRADFORD @ source)
    return np.asarray(np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD)
