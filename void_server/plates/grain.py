"""Grain: measured on the plate where nothing is removed, laid over what was generated.

Blocks of the plate are measured where the blocks beside them are flattest: choosing by a block's own variance would
find it too low. A plane is taken from each, and what that takes of soft grain is given back, from the lags (the
autocovariance) of what remains. What is left of texture is told from grain by its lags: grain is like itself over some
pixels only.

Each channel's deviation follows that channel's own value, as light and a sensor make it: variance a + bx + cx^2
(Foi et al. 2008, "Practical Poissonian-Gaussian noise modeling and fitting for single-image raw-data"; the square is
for film and for gain that varies).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from void_server.plates.grain_fit import BLOCK, REACH, Indices, Pixels, Reals, distances, measure, plane

TILE = 2 * BLOCK  # a block and the three beside it
TILES = 1200  # looked at in a frame

# The levels that are told apart, in half octaves: all below 2^-10 as one, up to 2^7.
LOWEST, PER_OCTAVE, BINS = -10, 2, 34

# Flat are the blocks of a bin whose roughest neighbour is little rougher than that of the flattest.
FLATTEST, LITTLE = 0.05, 1.3
MOST = 40  # of them are measured in a bin and frame

LARGEST = float(np.finfo(np.float16).max)
PAIRS = ((0, 1), (0, 2), (1, 2))  # of channels


@dataclass(frozen=True, eq=False)
class GrainSample:
    """What one frame says: sums over its flat blocks by channel and level, ready to be added to other frames'."""

    count: Reals  # [3, BINS] flat blocks
    level: Reals  # [3, BINS] sum of their means
    lags: Reals  # [3, BINS, (REACH + 1)^2] sum of their autocovariances by vertical and horizontal distance
    shared: Reals  # [BINS] blocks flat in every channel, by the level of green
    likeness: Reals  # [BINS, 3] sum of their correlations between the channels of PAIRS

    def __add__(self, other: GrainSample) -> GrainSample:
        """Both frames' blocks."""
        return GrainSample(*(mine + theirs for mine, theirs in zip(self._sums, other._sums, strict=True)))

    @property
    def _sums(self) -> tuple[Reals, ...]:
        return self.count, self.level, self.lags, self.shared, self.likeness


def _nothing() -> GrainSample:
    lags = np.zeros((3, BINS, (REACH + 1) ** 2))
    return GrainSample(np.zeros((3, BINS)), np.zeros((3, BINS)), lags, np.zeros(BINS), np.zeros((BINS, 3)))


def sample_grain(planes: Sequence[npt.NDArray[Any]], keep: npt.NDArray[np.bool_]) -> GrainSample:
    """What a frame says about its grain: R, G and B half or float32 [h, w] scene-linear, where `keep` [h, w] is True.

    Any values: parts with NaN, Inf or more than a half holds are left out, as are those that reach a channel's largest
    value (they may be clipped). About 1200 tiles of 32 x 32 are looked at, whatever the size. Nothing is found in
    pictures smaller than a tile, and none of that raises.
    """
    sample = _nothing()
    tiles = _tiles(planes, keep)
    if not len(tiles):
        return sample
    split = tiles.reshape(-1, 3, 2, BLOCK, 2, BLOCK).transpose(1, 0, 2, 4, 3, 5)
    blocks = split.reshape(3, -1, BLOCK * BLOCK)
    top = blocks.max(axis=2)
    unclipped = top < top.max(axis=1, keepdims=True)
    level = blocks.mean(axis=2)
    blocks = blocks - level[..., None]
    blocks -= (blocks @ plane()) @ plane().T
    variance = np.einsum("cnp,cnp->cn", blocks, blocks) / BLOCK**2
    rough = _roughest_beside(variance)
    bins = _bin(level)
    flat = np.zeros(level.shape, bool)
    for channel in range(3):
        for index in np.unique(bins[channel, unclipped[channel]]):
            among = np.flatnonzero(unclipped[channel] & (bins[channel] == index))
            chosen = _flattest(among, variance[channel], rough[channel])
            flat[channel, chosen] = True
            sample.count[channel, index] = len(chosen)
            sample.level[channel, index] = level[channel, chosen].sum()
            sample.lags[channel, index] = _lags(blocks[channel, chosen])
    shared = np.flatnonzero((flat & (variance > 0)).all(axis=0))
    unit = blocks[:, shared] / np.sqrt(variance[:, shared, None] * BLOCK**2)
    np.add.at(sample.shared, bins[1, shared], 1)
    for pair, (one, two) in enumerate(PAIRS):
        np.add.at(sample.likeness[:, pair], bins[1, shared], np.einsum("np,np->n", unit[one], unit[two]))
    return sample


def _tiles(planes: Sequence[npt.NDArray[Any]], keep: npt.NDArray[np.bool_]) -> Pixels:
    """Tiles [n, 3, TILE, TILE] spread over the picture, all of kept pixels and sound values."""
    height, width = keep.shape
    if min(height, width) < TILE:
        return np.empty((0, 3, TILE, TILE), np.float32)
    step = max(BLOCK, int(np.sqrt(height * width / TILES)))
    kept = np.lib.stride_tricks.sliding_window_view(keep, (TILE, TILE))[::step, ::step].all(axis=(2, 3))
    by_plane = [np.lib.stride_tricks.sliding_window_view(plane, (TILE, TILE))[::step, ::step][kept] for plane in planes]
    tiles = np.stack(by_plane, axis=1).astype(np.float32)
    return np.asarray(tiles[(abs(tiles) <= LARGEST).all(axis=(1, 2, 3))])


def _bin(level: npt.NDArray[np.floating]) -> Indices:
    """Which half octave a level is in."""
    octaves = np.log2(np.maximum(level, 2.0**LOWEST)) - LOWEST
    return np.asarray(np.minimum(octaves * PER_OCTAVE, BINS - 1), np.intp)


def _roughest_beside(variance: Pixels) -> Pixels:
    """The largest variance [3, n] among the other three blocks of each block's tile."""
    tiles = variance.reshape(3, -1, 4)
    second, first = np.moveaxis(np.sort(tiles, axis=2)[..., -2:, None], 2, 0)
    return np.asarray(np.where(tiles == first, second, first).reshape(variance.shape))


def _flattest(among: Indices, variance: Pixels, rough: Pixels) -> Indices:
    """Which of the blocks `among` are flat, at most about MOST, by what lies beside them.

    Blocks without any noise (a caption, a letterbox) count only where most are so.
    """
    lively = among[variance[among] > 0]
    if len(lively) > len(among) / 2:
        among = lively
    beside = rough[among]
    chosen = among[beside <= LITTLE * np.quantile(beside, FLATTEST, method="lower")]
    # something small that reaches none beside it; the variance of grain is never so far out
    chosen = chosen[variance[chosen] <= 2.5 * np.median(variance[chosen])]
    return np.asarray(chosen[:: -(-len(chosen) // MOST)])


def _lags(blocks: Pixels) -> Reals:
    """The sum of the blocks' autocovariances by vertical and horizontal distance, each of both diagonals the mean."""
    size = BLOCK + REACH + 2  # so that nothing wraps round
    power = np.abs(np.fft.rfft2(blocks.reshape(-1, BLOCK, BLOCK), (size, size))) ** 2
    full = np.fft.irfft2(power.sum(axis=0, dtype=np.float64), (size, size))
    distance = np.arange(REACH + 1)
    both = (full[np.ix_(distance, distance)] + full[np.ix_(-distance, distance)]) / 2
    overlap = BLOCK - distance
    return np.asarray(both / np.outer(overlap, overlap)).ravel()


@dataclass(frozen=True, eq=False)
class Grain:
    """A shot's grain. Everything is zero in a shot that has none."""

    deviations: Pixels  # [3, 65536] of each channel, by the bits of its value as a half
    kernels: Pixels  # [3, size, size] of unit energy: white noise filtered by it is as soft as the grain
    mix: Pixels  # [3, 3] lower triangular: independent noise to what the kernels make as alike as the channels' grain

    @staticmethod
    def of(samples: Iterable[GrainSample]) -> Grain:
        """The grain of a shot by some of its frames. Without any flat part that has grain: none.

        Between measured levels and below them the variance follows a + bx + cx^2, none negative, times what was
        measured over that: interpolated by the logarithm of the level, held below the lowest. Above the highest it
        grows in proportion to the level, as that of light does. A level counts as not measured where fewer than 8
        flat blocks were found, or there is more texture in them than grain.
        """
        shot = sum(samples, _nothing())
        measured = [measure(*rows) for rows in zip(shot.count, shot.level, shot.lags, strict=True)]
        deviations = np.stack([channel.deviations() for channel in measured])
        kernels = np.stack([_kernel(channel.correlation) for channel in measured])
        used = measured[1].clean
        blocks = shot.shared[used].sum()
        likeness = shot.likeness[used].sum(axis=0) / max(1, blocks)
        return Grain(deviations, _trimmed(kernels), _mix(likeness, kernels))

    def deviation(self, linear: Pixels) -> Pixels:
        """The grain's standard deviation, float32 [h, w, 3], over a scene-linear picture; NaN counts as 0."""
        with np.errstate(over="ignore", invalid="ignore"):
            bits = linear.astype(np.float16).view(np.uint16)
        return np.stack([table[bits[..., channel]] for channel, table in enumerate(self.deviations)], axis=2)

    def lay(self, base: Pixels, seed: tuple[int, ...]) -> Pixels:
        """Grain to add to a scene-linear picture `base` float32 [h, w, 3]: of mean 0, everywhere finite.

        Its deviation is that of the base's values, so the base should have none of its own. The same seed and size
        make the same bits; any other seed (a shot's, and the frame's number) independent grain.
        """
        if not self.deviations.any():
            return np.zeros_like(base)
        height, width = base.shape[:2]
        edge = self.kernels.shape[1] // 2
        digest = hashlib.sha256(repr(tuple(map(int, seed))).encode()).digest()
        generator = np.random.Generator(np.random.SFC64(int.from_bytes(digest)))
        white = generator.standard_normal((3, height + 2 * edge, width + 2 * edge), np.float32)
        grain = self.deviation(base)
        for channel in range(3):
            # by hand: a matrix product may add in another order on other numbers of threads
            noise = sum(self.mix[channel, other] * white[other] for other in range(channel + 1))
            soft = cv2.filter2D(noise, -1, self.kernels[channel], borderType=cv2.BORDER_CONSTANT)
            grain[..., channel] *= soft[edge : edge + height, edge : edge + width]
        return grain


def _kernel(correlation: Reals) -> Pixels:
    """The symmetric kernel [2 REACH + 1, same] of unit energy whose own correlation that is, as nearly as there is one.

    The square root of the power spectrum has the least spread of all such kernels.
    """
    near = np.arange(-REACH, REACH + 1)
    fade = np.clip((REACH + 1 - distances()) / 3, 0, 1)  # to 0 beyond the last that is known
    quadrant = (correlation * fade).reshape(REACH + 1, REACH + 1)
    full = np.zeros((4 * REACH, 4 * REACH))
    full[np.ix_(near, near)] = quadrant[np.ix_(abs(near), abs(near))]
    kernel = np.fft.ifft2(np.sqrt(np.maximum(np.fft.fft2(full).real, 0))).real[np.ix_(near, near)]
    return np.asarray(kernel / np.linalg.norm(kernel), np.float32)


def _trimmed(kernels: Pixels) -> Pixels:
    """Kernels without the rim that holds less than a thousandth of their energy, of unit energy again."""
    for edge in range(REACH + 1):
        inner = kernels[:, REACH - edge : REACH + edge + 1, REACH - edge : REACH + edge + 1]
        energy = np.sum(inner**2, axis=(1, 2), keepdims=True)
        if (energy > 0.999).all():
            break
    return np.ascontiguousarray(inner / np.sqrt(energy))


def _mix(likeness: Reals, kernels: Pixels) -> Pixels:
    """How independent noise has to be mixed so that, filtered by the channels' kernels, it is alike by `likeness`."""
    alike = np.eye(3)
    for pair, value in zip(PAIRS, likeness, strict=True):
        alike[pair] = alike[pair[::-1]] = value / np.sum(kernels[pair[0]] * kernels[pair[1]])
    values, vectors = np.linalg.eigh(alike)
    possible = (vectors * np.maximum(values, 1e-6)) @ vectors.T  # measured correlations may contradict each other
    scale = np.sqrt(np.diag(possible))
    return np.linalg.cholesky(possible / np.outer(scale, scale)).astype(np.float32)
