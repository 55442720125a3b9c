"""Laying one frame's pixels over another's: where what stands still around a hole has gone, and how it was exposed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from void_server.plates.camera import Homography, carry, tone

Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.float32]

RESTS = 0.08  # plate pixels: a smaller shift is none, and pixels are copied to the bit
BACK = 0.5  # plate pixels between where flow takes a pixel and where the flow back leaves it
SPREAD = 32.0  # plate pixels over which what the ring tells is carried into the hole, at least
COARSE = 8  # plate pixels in one of the grid on which that is done
FEWEST = 400  # pixels of ring, without which nothing is known
GRAIN = 1.5  # plate pixels of blur, under which grain says nothing of how well two frames agree


@dataclass(frozen=True)
class Ring:
    """A box of a frame around a hole. rgb: float32 [h, w, 3], scene-linear. clear: bool [h, w], neither removed,
    affected nor on the ramp around that, and finite."""

    rgb: Pixels
    clear: Mask


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
    x, y = _grid(here.clear.shape)
    places = (x, y) if rests else _through(move, x, y)
    grey_here = tone(here.rgb[..., 1])
    grey_there, clear_there = _glance(there, places, offset)
    ring = here.clear & clear_there
    if ring.sum() < FEWEST:
        return None
    if not (rests and np.hypot(*_shift(grey_here, grey_there, ring)) < RESTS):
        rest = _rest(grey_here, grey_there, here.clear, clear_there)
        if rest is None:
            return None
        places = _through(move, x + rest[0], y + rest[1])
    return _exposed(here, _sample(there, places, offset))


def _grid(shape: tuple[int, ...]) -> tuple[Pixels, Pixels]:
    """x and y of every pixel of an array [h, w]."""
    x, y = np.meshgrid(np.arange(shape[1], dtype=np.float32), np.arange(shape[0], dtype=np.float32))
    return x, y


def _through(move: Homography, x: Pixels, y: Pixels) -> tuple[Pixels, Pixels]:
    places = carry(np.stack([x, y], axis=-1), move)
    return places[..., 0], places[..., 1]


def _glance(there: Ring, places: tuple[Pixels, Pixels], offset: tuple[int, int]) -> tuple[npt.NDArray[np.uint8], Mask]:
    """Grey levels of `there` and where it is clear, at places counted from the first pixel of the box."""
    x, y = places[0] - np.float32(offset[0]), places[1] - np.float32(offset[1])
    grey = cv2.remap(tone(there.rgb[..., 1]), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    clear = cv2.remap(there.clear.astype(np.uint8), x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
    return grey, clear > 0


def _sample(there: Ring, places: tuple[Pixels, Pixels], offset: tuple[int, int]) -> Ring:
    """`there` read at places counted from the first pixel of the box; whole pixels are copied to the bit."""
    x, y = places[0] - np.float32(offset[0]), places[1] - np.float32(offset[1])
    if _whole(x) and _whole(y):
        return _copied(there, int(x[0, 0]), int(y[0, 0]), x.shape)
    # Lanczos in linear light rings around highlights: a root that keeps the sign takes most of it away, and what is
    # left stays within the range of the pixels around.
    clear = cv2.erode(there.clear.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0)
    seen = cv2.remap(clear, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0) > 0
    rooted = _root(there.rgb)
    rgb = cv2.remap(rooted, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
    return Ring(_unroot(rgb), np.asarray(seen))


def _whole(x: Pixels) -> bool:
    """Whether x counts columns, or rows, one by one from a whole number on."""
    start = float(x[0, 0])
    grid = _grid(x.shape)
    return start.is_integer() and any(np.array_equal(x - np.float32(start), axis) for axis in grid)


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


def _shift(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8], ring: Mask) -> npt.NDArray[np.float64]:
    """The shift (dx, dy) of a ring between two frames, by steps of Lucas and Kanade that leave out what differs."""
    before, after = (cv2.GaussianBlur(grey.astype(np.float32), (0, 0), GRAIN) for grey in (first, second))
    dx, dy = (cv2.Sobel(before, cv2.CV_32F, *order, scale=1 / 8)[ring] for order in ((1, 0), (0, 1)))
    change = (after - before)[ring]
    shift = np.zeros(2)
    for _ in range(3):
        left = change + dx * np.float32(shift[0]) + dy * np.float32(shift[1])
        left -= np.median(left)  # light, not motion
        same = np.abs(left) <= 3 * np.median(np.abs(left)) + 0.5
        x, y = dx[same], dy[same]
        normal = np.array([[x @ x, x @ y], [x @ y, y @ y]], np.float64) + np.eye(2) * 1e-3
        shift -= np.linalg.solve(normal, np.array([x @ left[same], y @ left[same]], np.float64))
    return shift


def _rest(
    here: npt.NDArray[np.uint8], there: npt.NDArray[np.uint8], clear_here: Mask, clear_there: Mask
) -> tuple[Pixels, Pixels] | None:
    """How far what stands still lies off in `there`, in every pixel of the box, (dx, dy); None if nothing tells."""
    # What only one of them shows would be matched with something: show both the same there.
    both_here = np.where(clear_here, here, there)
    both_there = np.where(clear_there, there, both_here)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow.setFinestScale(0)
    out = flow.calc(both_here, both_there, None)
    back = flow.calc(both_there, both_here, None)
    x, y = _grid(here.shape)
    returned = cv2.remap(back, x + out[..., 0], y + out[..., 1], cv2.INTER_LINEAR)
    agree = clear_here & clear_there & (np.linalg.norm(out + returned, axis=-1) < BACK)
    if agree.sum() < FEWEST:
        return None
    fit = _affine(out, agree)
    plain = np.stack([x * fit[0, c] + y * fit[1, c] + fit[2, c] for c in range(2)], axis=-1)
    left = spread_into(out - plain, agree.astype(np.float32), SPREAD, towards_zero=0.02)
    whole = plain + left
    if np.abs(whole).max() < RESTS:
        return np.zeros_like(x), np.zeros_like(y)
    return np.asarray(whole[..., 0], np.float32), np.asarray(whole[..., 1], np.float32)


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
    gain = float(np.clip(here[lit][near].sum(dtype=np.float64) / there[lit][near].sum(dtype=np.float64), 0.5, 2.0))
    return gain if abs(gain - 1) > 0.003 else 1.0


def _trust(here: Pixels, found: Pixels, ring: Mask) -> Pixels:
    """How well two frames agree on the ring, carried into the hole: float32 [h, w] in 0..1.

    They agree where the difference is small (0.02 to 0.06 of the tone curve, grain blurred away), or where detail goes
    together (a correlation of 0.7 to 0.4) whatever the light does.
    """
    weight = ring.astype(np.float32)
    one, two = (_toned(rgb[..., 1], ring) for rgb in (here, found))
    moments = np.stack([(one - two) ** 2, one, two, one * one, two * two, one * two], axis=-1)
    extent = max(SPREAD, max(ring.shape) / 4)
    square, m1, m2, s1, s2, s12 = np.moveaxis(spread_into(moments, weight, extent), -1, 0)
    difference = np.sqrt(np.clip(square, 0, None))
    spread = np.sqrt(np.clip((s1 - m1 * m1) * (s2 - m2 * m2), 1e-8, None))
    together = (s12 - m1 * m2) / spread
    alike = np.clip((0.06 - difference) / 0.04, 0, 1)
    aligned = np.clip((together - 0.4) / 0.3, 0, 1)
    return np.asarray(np.maximum(alike, aligned), np.float32)


def _toned(green: npt.NDArray[Any], ring: Mask) -> Pixels:
    """The tone curve in 0..1, grain blurred away, from the ring's pixels alone."""
    weight = ring.astype(np.float32)
    grey = tone(green).astype(np.float32) / 255 * weight
    below = cv2.GaussianBlur(weight, (0, 0), GRAIN)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), GRAIN) / np.maximum(below, 1e-3), np.float32)
