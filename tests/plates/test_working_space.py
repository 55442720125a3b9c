"""From a plate's primaries to Rec.709 and back, against CIE arithmetic done here."""

from __future__ import annotations

import numpy as np
import pytest

from void_server.plates.working_space import IDENTITY, LINEAR_REC709, WorkingSpace, matrix_from_chromaticities

D65 = (0.3127, 0.3290)
REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, *D65)
ACES = (0.32168, 0.33767)
PRIMARIES = {
    "ACEScg": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, *ACES),  # S-2014-004
    "ACES2065-1": (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.0770, *ACES),  # SMPTE ST 2065-1
    "P3-D65": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *D65),  # SMPTE EG 432-1
    "ARRI Wide Gamut 3": (0.684, 0.313, 0.221, 0.848, 0.0861, -0.102, *D65),
}
SPACES = pytest.mark.parametrize("name", PRIMARIES)


def space(name: str) -> WorkingSpace:
    return WorkingSpace(name, matrix_from_chromaticities(PRIMARIES[name]))


def xyz_of_rec709(rgb: np.ndarray) -> np.ndarray:
    """By the rounded matrix that IEC 61966-2-1 prints, good to four digits."""
    printed = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    return np.array(printed) @ rgb


def test_the_matrix_of_acescg_is_the_published_one() -> None:
    published = [  # ACEScg to linear sRGB, Bradford, as ACES and renderers print it
        *(1.70505, -0.62179, -0.08326),
        *(-0.13026, 1.14080, -0.01055),
        *(-0.02400, -0.12897, 1.15297),
    ]
    assert np.allclose(matrix_from_chromaticities(PRIMARIES["ACEScg"]), published, atol=6e-6)


def test_the_primaries_of_rec709_are_the_identity() -> None:
    assert np.allclose(matrix_from_chromaticities(REC709), IDENTITY, atol=1e-12)


@SPACES
def test_white_stays_white(name: str) -> None:
    white = space(name).to_rec709(np.ones((1, 1, 3), np.float32))
    assert np.allclose(white, 1, atol=1e-6)


@pytest.mark.parametrize("name", ["P3-D65", "ARRI Wide Gamut 3"])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_primary_keeps_its_chromaticity_where_both_whites_are_d65(name: str, channel: int) -> None:
    """Nothing is adapted there, so each primary's CIE x, y come out of plain arithmetic."""
    rgb = np.zeros((1, 1, 3), np.float32)
    rgb[..., channel] = 1
    xyz = xyz_of_rec709(space(name).to_rec709(rgb)[0, 0])
    assert np.allclose(xyz[:2] / xyz.sum(), PRIMARIES[name][2 * channel : 2 * channel + 2], atol=1e-3)


@SPACES
def test_there_and_back_is_within_float32(name: str) -> None:
    rgb = np.random.default_rng(3).uniform(-0.05, 60, (40, 50, 3)).astype(np.float32)
    there = space(name).to_rec709(rgb)
    back = space(name).from_rec709(there)
    assert there.dtype == back.dtype == np.float32
    assert not np.allclose(there, rgb, rtol=0.01)
    assert np.abs(back - rgb).max() < 1e-5 * 60


def test_linear_rec709_is_left_alone_altogether() -> None:
    rgb = np.full((2, 2, 3), np.nan, np.float32)
    assert LINEAR_REC709.to_rec709(rgb) is rgb
    assert LINEAR_REC709.from_rec709(rgb) is rgb


def test_what_is_not_finite_spoils_no_other_channel() -> None:
    rgb = np.full((1, 4, 3), 0.5, np.float32)
    rgb[0, 1, 0] = np.nan
    rgb[0, 2] = np.inf
    rgb[0, 3, 2] = -np.inf
    before = rgb.copy()
    seen = space("ACEScg").to_rec709(rgb)
    assert np.isfinite(seen).all()
    matrix = np.array(space("ACEScg").matrix).reshape(3, 3)
    assert np.allclose(seen[0, 1], matrix @ (0, 0.5, 0.5), atol=1e-6), "NaN is no light"
    assert np.allclose(seen[0, 2], 65504, rtol=1e-5), "a white of Inf stays the brightest white"
    assert np.array_equal(rgb, before, equal_nan=True), "the plate itself is not touched"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ((0.3, 0.3, 0.3, 0.3, 0.3, 0.3, *D65), "one line"),
        ((*REC709[:6], 0.0, 0.0), "white"),
        ((*REC709[:6], float("nan"), 0.3), "white"),
    ],
)
def test_primaries_that_span_no_triangle_are_refused(wrong: tuple[float, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        matrix_from_chromaticities(wrong)
