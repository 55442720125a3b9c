"""One channel's grain from what its flat blocks say: told from texture, by level."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]
Reals = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

BLOCK = 16  # pixels; what is measured at once
REACH = 6  # pixels: the longest lag at which grain is still like itself
ENOUGH = 8  # blocks of a shot say something about a level
DARKEST = 2.0**-12  # all below is as grainy as this
ROUNDING = 5e-4  # of the level: a deviation that half floats have without any grain (2^-11 / sqrt(3)), and a little
# How much of itself it is over 5 and 6 pixels, if it is grain: as soft as 2 pixels, 0.16.
TOO_LONG = 0.3
# The levels that grain is found on must hold this much of a shot's blocks: a few that look like it, far from the rest,
# may be texture, and say nothing about the levels of the others.
COMMON = 0.25
# A deviation of more than this, of the level or of a dim one, is no grain, however it looks.
GRAINIEST, DIM = 0.25, 0.02
HALVES = 1 << 16


@functools.cache
def plane() -> Pixels:
    """The planes over a block as three orthonormal columns [BLOCK^2, 3]."""
    y, x = np.indices((BLOCK, BLOCK)).reshape(2, -1)
    return np.linalg.qr(np.stack([np.ones(BLOCK**2), y, x], axis=1))[0].astype(np.float32)


@dataclass(frozen=True, eq=False)
class Measured:
    """One channel's grain."""

    levels: Reals  # [n] rising
    variances: Reals  # [n]
    law: Reals  # [3] a, b and c
    correlation: Reals  # [(REACH + 1)^2] by distance, 1 at none
    clean: Indices  # bins without texture to speak of

    def deviations(self) -> Pixels:
        """By the bits of a half; what is negative or no number as at 0, Inf as at the largest half."""
        if not len(self.levels):
            return np.zeros(HALVES, np.float32)
        with np.errstate(invalid="ignore"):
            value = np.arange(HALVES, dtype=np.uint16).view(np.float16).astype(np.float64)
        value = np.clip(np.nan_to_num(value, posinf=np.inf), DARKEST, np.finfo(np.float16).max)
        known = np.minimum(value, self.levels[-1])
        above = np.interp(np.log2(known), np.log2(self.levels), self.variances / (_powers(self.levels) @ self.law))
        return np.asarray(np.sqrt(_powers(known) @ self.law * above * (value / known)), np.float32)


def measure(count: Reals, level: Reals, lags: Reals) -> Measured:
    """The grain of a channel from the sums over its flat blocks."""
    none = Measured(np.empty(0), np.empty(0), np.zeros(3), distances() == 0, np.empty(0, np.intp))
    bins = np.flatnonzero(count >= ENOUGH)
    blocks, seen = count[bins], lags[bins] / count[bins, None]
    levels = np.maximum(level[bins] / blocks, DARKEST)
    still = seen[:, 0] <= (ROUNDING * levels) ** 2
    if blocks[still].sum() >= blocks[~still].sum():
        return none
    bins, blocks, seen, levels = bins[~still], blocks[~still], seen[~still], levels[~still]
    measured = blocks.sum()
    correlation, clean = _correlation(seen @ np.linalg.inv(_filtered_lags()).T, blocks)
    if _length(correlation, 5, 6) > TOO_LONG:
        return none
    variances = _variances(seen, blocks, correlation)
    good = (variances > (ROUNDING * levels) ** 2) & (variances < (GRAINIEST * np.maximum(levels, DIM)) ** 2)
    levels, variances, blocks = levels[good], variances[good], blocks[good]
    good = _in_line(levels, variances, blocks)
    if blocks[good].sum() <= COMMON * measured:
        return none
    terms = _law(levels[good], variances[good], blocks[good])
    return Measured(levels[good], variances[good], terms, correlation, bins[clean])


def distances() -> Reals:
    """In pixels, of every lag."""
    down, across = np.indices((REACH + 1, REACH + 1)).reshape(2, -1)
    return np.asarray(np.hypot(down, across))


def _pairs() -> Indices:
    """The lag between every two pixels of a block, [BLOCK^2, BLOCK^2]; those beyond REACH are (REACH + 1)^2."""
    y, x = np.indices((BLOCK, BLOCK)).reshape(2, -1)
    down, across = abs(y[:, None] - y), abs(x[:, None] - x)
    return np.where(np.maximum(down, across) <= REACH, down * (REACH + 1) + across, (REACH + 1) ** 2)


def _seen(covariance: Reals) -> Reals:
    """The lags that are measured on blocks of this covariance [BLOCK^2, BLOCK^2] once a plane is taken from them."""
    planes, pairs = plane().astype(np.float64), _pairs().ravel()
    part = planes @ (planes.T @ covariance)
    left = covariance - part - part.T + (part @ planes) @ planes.T
    return np.asarray((np.bincount(pairs, left.ravel()) / np.bincount(pairs))[:-1])


@functools.cache
def _filtered_lags() -> Reals:
    """Measured lags by true ones, a matrix: the plane takes part of soft grain with it."""
    pairs = _pairs()
    return np.stack([_seen((pairs == lag).astype(np.float64)) for lag in range((REACH + 1) ** 2)], axis=1)


@functools.cache
def _texture() -> Reals:
    """The measured lags of texture, 1 at none: a surface whose differences grow with distance (Brownian)."""
    y, x = np.indices((BLOCK, BLOCK)).reshape(2, -1)
    lags = _seen(-np.hypot(y[:, None] - y, x[:, None] - x))
    return np.asarray(lags / lags[0])


def _weights() -> Reals:
    """How many of a whole picture's lags stand behind each: four, but for those on an axis."""
    down, across = np.indices((REACH + 1, REACH + 1)).reshape(2, -1)
    return (1.0 + (down > 0)) * (1.0 + (across > 0))


def _length(lags: Reals, nearest: int, farthest: int) -> Reals:
    """How much of itself a picture of these lags [..., (REACH + 1)^2] still is between two distances.

    In the direction in which it is most: texture often has one, grain has none.
    """
    share = abs(lags) / np.maximum(lags[..., :1], 1e-30)
    down, across = np.indices((REACH + 1, REACH + 1)).reshape(2, -1)
    at = (distances() >= nearest) & (distances() <= farthest)
    directions = [share[..., at & where].mean(axis=-1) for where in (down == 0, across == 0, down == across, at)]
    return np.asarray(np.max(directions, axis=0))


def _correlation(lags: Reals, blocks: Reals) -> tuple[Reals, Indices]:
    """The grain's, and the rows it is from, of the lags of bins [n, (REACH + 1)^2]: those that have least texture.

    Texture is like itself over longer distances than grain, so least have those whose lags fall soonest.
    """
    far = _length(lags, 3, 6)
    order = np.argsort(far)
    quarter = order[: np.searchsorted(np.cumsum(blocks[order]), blocks.sum() / 4) + 1]
    clean = np.flatnonzero(far <= np.average(far[quarter], weights=blocks[quarter]) + 0.05)
    unit = lags[clean] / lags[clean, :1]
    return np.average(unit, axis=0, weights=blocks[clean]), clean


def _variances(seen: Reals, blocks: Reals, correlation: Reals) -> Reals:
    """The grain's in bins of these measured lags [n, (REACH + 1)^2]; 0 where there is more texture, or something else.

    Least squares by what grain and texture look like; by grain alone where that differs no more than by chance.
    """
    weights = np.sqrt(_weights())
    grain, texture, seen = (each * weights for each in (_filtered_lags() @ correlation, _texture(), seen))
    alone = seen @ grain / (grain @ grain)
    size = np.linalg.norm(seen, axis=1)
    chance = 0.08 + 0.3 / np.sqrt(blocks)
    both = np.stack([grain, texture], axis=1)
    parts = np.linalg.lstsq(both, seen.T)[0]
    mixed = (np.linalg.norm(seen - np.outer(alone, grain), axis=1) > chance * size) & (parts[1] > 0)
    parts = np.where(mixed, parts, np.stack([alone, np.zeros_like(alone)]))
    odd = np.linalg.norm(seen - (both @ parts).T, axis=1) > 3 * chance * size
    return np.where(odd | (parts[1] > parts[0]), 0, parts[0])


def _powers(levels: Reals) -> Reals:
    """1, x and x^2 in columns."""
    return np.stack([np.ones_like(levels), levels, levels**2], axis=-1)


def _in_line(levels: Reals, variances: Reals, blocks: Reals) -> npt.NDArray[np.bool_]:
    """Which variances are not far above the law of the others: a level that is fine texture all over stands out."""
    if len(levels) < 4:  # too few to say
        return np.ones(len(levels), bool)
    others = ~np.eye(len(levels), dtype=bool)
    laws = [_law(levels[rest], variances[rest], blocks[rest]) for rest in others]
    expected = np.array([powers @ law for powers, law in zip(_powers(levels), laws, strict=True)])
    return np.asarray(variances <= 3 * expected)


def _law(levels: Reals, variances: Reals, blocks: Reals) -> Reals:
    """a, b and c of a + bx + cx^2, none negative, closest by ratio to variances measured on so many blocks."""
    weights = np.sqrt(blocks)
    columns, best = _powers(levels) * (weights / variances)[:, None], np.zeros(3)
    least = float("inf")
    for terms in itertools.chain.from_iterable(itertools.combinations(range(3), size) for size in (1, 2, 3)):
        found = np.linalg.lstsq(columns[:, terms], weights)[0]
        error = float(np.linalg.norm(columns[:, terms] @ found - weights))
        if (found >= 0).all() and error < least:
            least, best = error, np.zeros(3)
            best[list(terms)] = found
    return best
