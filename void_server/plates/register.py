"""Laying one frame's pixels over another's: where what stands still around a hole has gone, and how it was exposed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from void_server.plates.camera import Homography, carry, tone
from void_server.plates.sampling import RESTS, Places, Ring, grid, sample, snapped

Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.float32]

UNSURE = 0.5  # plate pixels that grain may hide, at most
BACK = 0.5  # plate pixels between where flow takes a pixel and where the flow back leaves it
SPREAD = 32.0  # plate pixels over which what the ring tells is carried into the hole, at least
COARSE = 8  # plate pixels in one of the grid on which that is done
FEWEST = 400  # pixels of ring, without which nothing is known
GRAIN = 1.5  # plate pixels of blur, under which grain says nothing of how well two frames agree
SMALLEST = 12  # plate pixels a side, below which there is no flow

# Of the tone curve's 0..1: frames that differ by the first, or may for all that is known of where things lie, agree;
# from the second on they do not.
ALIKE = (0.02, 0.06)


@dataclass(frozen=True)
class Carried:
    """Another frame's pixels as they lie in this box: rgb float32 [h, w, 3], exposed as this frame; trust float32
    [h, w] in 0..1, 0 where that frame does not show them."""

    rgb: Pixels
    trust: Pixels


def carried_over(here: Ring, there: Ring, offset: tuple[int, int], move: Homography) -> Carried | None:
    """What `there` shows of the box of `here`; None where the two cannot be laid over each other.

    there: as much of the other frame as may be wanted. offset: its first pixel's (x, y) less that of `here`. move: from
    a pixel of `here`'s frame, counted from `here`'s first pixel, to one of the other frame, counted likewise; good to a
    few pixels. It is refined by dense inverse search flow (arXiv 1603.03590) on what both show, where the flow back
    agrees, and carried into the hole by an affine fit and a smooth rest.
    """
    rests = np.array_equal(move, np.eye(3))
    x, y = grid(here.clear.shape)
    places = (x, y) if rests else _through(move, x, y)
    grey_here = tone(here.rgb[..., 1])
    grey_there, clear_there = _glance(there, places, offset)
    ring = here.clear & clear_there
    if ring.sum() < FEWEST:
        return None
    if rests and _at_rest(grey_here, grey_there, ring):
        return _exposed(here, sample(there, places, offset))
    rest = _rest(grey_here, grey_there, here.clear, clear_there)
    if rest is None:
        return None
    places = snapped(_through(move, x + rest.x, y + rest.y))
    carried = _exposed(here, sample(there, places, offset))
    return carried and Carried(carried.rgb, carried.trust * rest.trust)


def _through(move: Homography, x: Pixels, y: Pixels) -> Places:
    places = carry(np.stack([x, y], axis=-1), move)
    return places[..., 0], places[..., 1]


def _glance(there: Ring, places: Places, offset: tuple[int, int]) -> tuple[npt.NDArray[np.uint8], Mask]:
    """Grey levels of `there` and where it is clear, at places counted from the first pixel of the box."""
    x, y = places[0] - np.float32(offset[0]), places[1] - np.float32(offset[1])
    grey = cv2.remap(tone(there.rgb[..., 1]), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    clear = cv2.remap(there.clear.astype(np.uint8), x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
    return grey, clear > 0


def _at_rest(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8], ring: Mask) -> bool:
    """Whether a ring lies where it lay, as far as grain lets tell.

    By the steps of Lucas and Kanade, which leave out what differs.
    """
    before, after = (cv2.GaussianBlur(grey.astype(np.float32), (0, 0), GRAIN) for grey in (first, second))
    dx, dy = (cv2.Sobel(before, cv2.CV_32F, *order, scale=1 / 8)[ring] for order in ((1, 0), (0, 1)))
    change = (after - before)[ring]
    shift, error = np.zeros(2), 0.0
    for _ in range(3):
        left = change + dx * np.float32(shift[0]) + dy * np.float32(shift[1])
        left -= np.median(left)  # light, not motion
        same = np.abs(left) <= 3 * np.median(np.abs(left)) + 0.5
        x, y = dx[same], dy[same]
        across, mixed, down = (float((one * two).sum()) for one, two in ((x, x), (x, y), (y, y)))
        inverse = np.linalg.inv(np.array([[across, mixed], [mixed, down]]) + np.eye(2) * 1e-3)
        shift -= inverse @ [float((x * left[same]).sum()), float((y * left[same]).sum())]
        # Blurred grain is the same over 4 pi GRAIN^2 pixels.
        error = GRAIN * math.sqrt(4 * math.pi * np.trace(inverse) * left[same].var())
    return bool(np.hypot(*shift) < min(RESTS + 2 * error, UNSURE))


@dataclass(frozen=True)
class _Rest:
    """How far what stands still lies off, float32 [h, w] in pixels across and down; trust: [h, w] in 0..1, how far it
    all lies off alike, or it does not matter."""

    x: Pixels
    y: Pixels
    trust: Pixels


def _rest(
    here: npt.NDArray[np.uint8], there: npt.NDArray[np.uint8], clear_here: Mask, clear_there: Mask
) -> _Rest | None:
    """How far what stands still lies off in `there`, in every pixel of the box; None if nothing tells."""
    if min(here.shape) < SMALLEST:
        return None
    # What only one of them shows would be matched with something: show both the same there.
    both_here = np.where(clear_here, here, there)
    both_there = np.where(clear_there, there, both_here)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow.setFinestScale(0)
    out = flow.calc(both_here, both_there, None)
    back = flow.calc(both_there, both_here, None)
    x, y = grid(here.shape)
    returned = cv2.remap(back, x + out[..., 0], y + out[..., 1], cv2.INTER_LINEAR)
    agree = clear_here & clear_there & (np.linalg.norm(out + returned, axis=-1) < BACK)
    if agree.sum() < FEWEST:
        return None
    fit = _affine(out, agree)
    plain = np.stack([x * fit[0, c] + y * fit[1, c] + fit[2, c] for c in range(2)], axis=-1)
    weight = agree.astype(np.float32)
    whole = np.asarray(plain + spread_into(out - plain, weight, SPREAD, towards_zero=0.02), np.float32)
    return _Rest(whole[..., 0], whole[..., 1], _alike(out - plain, both_here, weight))


def _alike(off: Pixels, grey: npt.NDArray[np.uint8], weight: Pixels) -> Pixels:
    """Whether all lies off alike around every pixel, 0..1, or what that mistakes is not seen.

    Two depths (parallax) lie off by more than one flow tells; on a wall without detail any flow does.
    """
    soft = cv2.GaussianBlur(grey.astype(np.float32) / 255, (0, 0), GRAIN)
    steep = sum(cv2.Sobel(soft, cv2.CV_32F, *order, scale=1 / 8) ** 2 for order in ((1, 0), (0, 1)))
    moments = np.stack([off[..., 0], off[..., 1], (off * off).sum(axis=-1), steep], axis=-1)
    across, down, square, steep = np.moveaxis(spread_into(moments, weight, SPREAD), -1, 0)
    return _agreement(2 * (square - across * across - down * down) * steep)  # blur has hidden half of what is steep


def _agreement(square: Pixels) -> Pixels:
    """1 where two frames differ by little, 0 where by much, from the difference squared."""
    low, high = ALIKE
    return np.asarray(np.clip((high - np.sqrt(np.clip(square, 0, None))) / (high - low), 0, 1), np.float32)


def _affine(flow: Pixels, agree: Mask) -> npt.NDArray[np.float64]:
    """The affine move [3, 2] (of x, y and 1) nearest to a flow [h, w, 2] where it holds, little moved by outliers."""
    rows, columns = np.nonzero(agree)
    every = max(1, len(rows) // 20_000)
    rows, columns = rows[::every], columns[::every]
    basis = np.stack([columns, rows, np.ones_like(rows)], axis=-1).astype(np.float64)
    target = flow[rows, columns].astype(np.float64)
    weight = np.ones(len(rows))
    fit = np.zeros((3, 2))
    for _ in range(4):
        fit[...] = np.linalg.lstsq(basis * weight[:, None], target * weight[:, None], rcond=None)[0]
        off = np.linalg.norm(target - basis @ fit, axis=-1)
        weight = 1 / (1 + (off / 0.3) ** 2)
    return fit


def spread_into(values: Pixels, weight: Pixels, sigma: float, *, towards_zero: float = 1e-6) -> Pixels:
    """Smooth values [h, w, c] from where their weight [h, w] is, to everywhere: normalised convolution (Knutsson 1993).

    sigma: of the Gaussian, in pixels. towards_zero: the weight below which values fade to 0.
    """
    height, width = weight.shape
    size = max(1, width // COARSE), max(1, height // COARSE)
    reach = max(sigma / COARSE, 0.5)

    def gathered(channel: Pixels) -> Pixels:
        coarse = cv2.resize(channel, size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.GaussianBlur(coarse, (0, 0), reach, borderType=cv2.BORDER_CONSTANT), np.float32)

    below = gathered(weight) + np.float32(towards_zero)
    means = [gathered(values[..., c] * weight) / below for c in range(values.shape[-1])]
    return np.stack([cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR) for mean in means], axis=-1)


def _exposed(here: Ring, found: Ring) -> Carried | None:
    """Found pixels in the light of `here`, and how far they can be trusted."""
    ring = here.clear & found.clear
    if ring.sum() < FEWEST:
        return None
    gains = [_gain(here.rgb[..., c][ring], found.rgb[..., c][ring]) for c in range(3)]
    rgb = found.rgb if gains == [1.0] * 3 else found.rgb * np.asarray(gains, np.float32)
    trust = np.where(found.clear, _trust(here.rgb, rgb, ring), np.float32(0))
    return Carried(rgb, trust)


def _gain(here: npt.NDArray[Any], there: npt.NDArray[Any]) -> float:
    """By what the light of one channel has grown from there to here, robustly; 1 where it cannot be told from that."""
    lit = (here > 0.004) & (there > 0.004)
    if lit.sum() < FEWEST:
        return 1.0
    ratio = np.log(here[lit].astype(np.float64) / there[lit])
    near = np.abs(ratio - np.median(ratio)) < 0.35
    if near.sum() < FEWEST:
        return 1.0
    gain = float(np.clip(here[lit][near].sum(dtype=np.float64) / there[lit][near].sum(dtype=np.float64), 0.5, 2.0))
    unsure = 3 * float(ratio[near].std()) / math.sqrt(np.count_nonzero(near))  # by grain
    return gain if abs(gain - 1) > 0.003 + unsure else 1.0


def _trust(here: Pixels, found: Pixels, ring: Mask) -> Pixels:
    """How well two frames agree on the ring, carried into the hole: float32 [h, w] in 0..1.

    They agree where the difference is small (ALIKE, grain blurred away), or where detail goes
    together (a correlation of 0.7 to 0.4) whatever the light does.
    """
    weight = ring.astype(np.float32)
    one, two = (_toned(rgb[..., 1], ring) for rgb in (here, found))
    moments = np.stack([(one - two) ** 2, one, two, one * one, two * two, one * two], axis=-1)
    extent = max(SPREAD, max(ring.shape) / 4)
    square, m1, m2, s1, s2, s12 = np.moveaxis(spread_into(moments, weight, extent), -1, 0)
    spread = np.sqrt(np.clip((s1 - m1 * m1) * (s2 - m2 * m2), 1e-8, None))
    together = (s12 - m1 * m2) / spread
    aligned = np.clip((together - 0.4) / 0.3, 0, 1)
    return np.asarray(np.maximum(_agreement(square), aligned), np.float32)


def _toned(green: npt.NDArray[Any], ring: Mask) -> Pixels:
    """The tone curve in 0..1, grain blurred away, from the ring's pixels alone."""
    weight = ring.astype(np.float32)
    grey = tone(green).astype(np.float32) / 255 * weight
    below = cv2.GaussianBlur(weight, (0, 0), GRAIN)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), GRAIN) / np.maximum(below, 1e-3), np.float32)
