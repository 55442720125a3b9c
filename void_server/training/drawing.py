"""Painting a scene at any size: a room, soft shadows, balls and boxes. Display-referred values, float32 in 0..1.

Lengths are heights of the picture, as in `physics`; pictures are [h, w, 3]. Bodies and shadows change the pixels that
they cover and no others, to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from void_server.training.physics import Body, Poses

Pixels = npt.NDArray[np.float32]
Colour = npt.NDArray[np.float32]

HORIZON = 0.68  # where the wall meets the floor
SHADE = 0.5  # of the floor's value, taken by the shadow of what stands on it
SHADE_REACH = 0.9  # heights above the floor at which a body has next to no shadow left
_LIGHT = np.array([-0.4, -0.7], np.float32)  # towards the light: left and up
_SHINE = np.float32(0.85)  # of the way to white, at a ball's highlight


@dataclass(frozen=True)
class Paint:
    """A body's two colours, float32 [3], and how wide its band is, in parts of its half width."""

    base: Colour
    band: Colour
    width: float


def draw_paint(rng: np.random.Generator) -> Paint:
    """Two colours that stand out from a room: strong ones, far apart in light."""
    base = _hue(rng.uniform(0, 1), rng.uniform(0.6, 0.95), rng.uniform(0.6, 0.95))
    band = _hue(rng.uniform(0, 1), rng.uniform(0.2, 0.8), rng.choice([0.2, 0.95]))
    return Paint(base, band, rng.uniform(0.25, 0.45))


def _hue(hue: float, saturation: float, value: float) -> Colour:
    """HSV in 0..1 to RGB (Smith 1978)."""
    wheel = np.clip(np.abs((hue * 6 + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    return np.asarray(value * (1 - saturation + saturation * wheel), np.float32)


def paint_room(rng: np.random.Generator, height: int, left: float, right: float, margin: int = 0) -> Pixels:
    """Wall and floor from x = `left` to `right`, `height` pixels high, and `margin` pixels more on every side.

    One draw gives the same room at any size.
    """
    rows, columns = height + 2 * margin, round((right - left) * height) + 2 * margin
    x = (left + (np.arange(columns, dtype=np.float32) - margin + 0.5) / height)[None, :]
    y = ((np.arange(rows, dtype=np.float32) - margin + 0.5) / height)[:, None]
    tints = [
        _hue(rng.uniform(0, 1), rng.uniform(0.05, 0.35), rng.uniform(*light)) for light in ((0.3, 0.7), (0.25, 0.6))
    ]
    wall = 1 + 0.16 * _clouds(rng, height, (rows, columns), 0.45, margin) + rng.uniform(-0.25, 0.25) * (y - 0.3)
    floor = 1 + 0.14 * _clouds(rng, height, (rows, columns), 0.30, margin) + rng.uniform(0.2, 0.6) * (y - 0.8)
    period, phase, depth = rng.uniform(0.3, 0.6), rng.uniform(0, 1), rng.uniform(0, 0.12)
    seen = (x - 0.9) / (y + 0.4) if rng.random() < 0.5 else x + 0 * y  # boards towards the horizon, or upright
    floor = floor * (1 + depth * np.tanh(4 * np.sin(2 * np.pi * (seen / period + phase))))
    if rng.random() < 0.5:
        panels = rng.uniform(0.3, 0.7), rng.uniform(0, 1), rng.uniform(0.05, 0.12)
        wall = wall * (1 + panels[2] * np.tanh(4 * np.sin(2 * np.pi * (x / panels[0] + panels[1]))))
    picture = np.where((y > HORIZON)[..., None], floor[..., None] * tints[1], wall[..., None] * tints[0])
    picture = np.asarray(np.clip(picture, 0.02, 0.9), np.float32)
    for _ in range(rng.integers(1, 4)):
        _hang_picture(rng, picture, x, y)
    return picture


def _hang_picture(rng: np.random.Generator, picture: Pixels, x: npt.NDArray[Any], y: npt.NDArray[Any]) -> None:
    """A window or a painting on the wall: a soft-edged field of one colour."""
    centre = rng.uniform(-0.2, 2.4), rng.uniform(0.15, 0.4)
    half = rng.uniform(0.08, 0.25), rng.uniform(0.08, 0.2)
    colour = _hue(rng.uniform(0, 1), rng.uniform(0.1, 0.5), rng.uniform(0.25, 0.9))
    inside = np.clip((half[0] - np.abs(x - centre[0])) * 64, 0, 1) * np.clip(
        (half[1] - np.abs(y - centre[1])) * 64, 0, 1
    )
    picture += inside[..., None] * (colour - picture)


def _clouds(rng: np.random.Generator, height: int, shape: tuple[int, int], scale: float, margin: int) -> Pixels:
    """Smooth noise of three octaves, about -1..1; `scale` in heights is that of the coarsest."""
    total = np.zeros(shape, np.float32)
    for octave in range(3):
        cell = scale / 2**octave
        # As many values as the widest picture needs, so that the draw doesn't follow the size.
        coarse = rng.uniform(-1, 1, (int(1 / cell) + 4, int(6 / cell) + 4)).astype(np.float32)
        step = 1 / (cell * height)
        start = 1 + (0.5 - margin) * step
        place = np.array([[step, 0, start], [0, step, start]], np.float32)
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        total += cv2.warpAffine(coarse, place, shape[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT) / 2**octave
    return np.asarray(total * 0.6, np.float32)


def _grids(height: int, middles: Poses, reach: tuple[float, float]) -> tuple[npt.NDArray[np.int64], Pixels, Pixels]:
    """A small window around each of n middles (x, y in heights): corners [n, 2], and x and y of its pixels from there.

    x is [n, 1, b], y is [n, a, 1], in heights.
    """
    size = np.ceil(np.array(reach) * 2 * height).astype(int) + 2
    corners = np.floor((middles - reach) * height).astype(np.int64)
    start = corners / height - middles + 0.5 / height
    x = np.asarray(start[:, :1] + np.arange(size[0]) / height, np.float32)
    y = np.asarray(start[:, 1:] + np.arange(size[1]) / height, np.float32)
    return corners, x[:, None, :], y[:, :, None]


def body_layers(body: Body, paint: Paint, poses: Poses, height: int) -> tuple[npt.NDArray[np.int64], Pixels, Pixels]:
    """A body in n poses [n, 3] as the camera sees them.

    Returns corners [n, 2] in pixels, coverage [n, a, b], colour [n, a, b, 3].
    """
    reach = max(body.half) if body.shape == "ball" else float(np.hypot(*body.half))
    corners, x, y = _grids(height, poses[:, :2], (reach, reach))
    angle = poses[:, 2].astype(np.float32)[:, None, None]
    across, down = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    size, pixel = body.half, np.float32(height)
    if body.shape == "ball":
        radius = np.float32(size[0])
        coverage = np.clip((radius - np.sqrt(x * x + y * y)) * pixel + 0.5, 0, 1)
        light = 0.78 + 0.35 * (x * _LIGHT[0] + y * _LIGHT[1]) / radius
        spot = ((x - 0.4 * radius * _LIGHT[0]) ** 2 + (y - 0.4 * radius * _LIGHT[1]) ** 2) / np.float32(
            radius * 0.35
        ) ** 2
        shine = _SHINE * np.clip(1 - spot, 0, 1) ** 2
    else:
        coverage = np.clip((size[0] - np.abs(across)) * pixel + 0.5, 0, 1)
        coverage = coverage * np.clip((size[1] - np.abs(down)) * pixel + 0.5, 0, 1)
        light = 0.85 - 0.2 * down / np.float32(size[1])
        shine = None
    in_band = np.clip((paint.width * size[0] - np.abs(across)) * 40 + 0.5, 0, 1)[..., None]
    colour = (paint.base + in_band * (paint.band - paint.base)) * light[..., None]
    if shine is not None:
        colour += shine[..., None] * (1 - colour)
    return corners, coverage, np.clip(colour, 0, 1)


def shadow_layers(body: Body, poses: Poses, height: int, ground: float) -> tuple[npt.NDArray[np.int64], Pixels]:
    """The share of the floor's light that a body in n poses takes: corners [n, 2] in pixels, share [n, a, b]."""
    turned = np.abs(poses[:, 2])
    half = np.full(len(poses), body.half[0])
    lowest = np.full(len(poses), body.half[1])
    if body.shape == "box":
        half = body.half[0] * np.abs(np.cos(turned)) + body.half[1] * np.abs(np.sin(turned))
        lowest = body.half[0] * np.abs(np.sin(turned)) + body.half[1] * np.abs(np.cos(turned))
    above = np.clip((ground - poses[:, 1] - lowest) / SHADE_REACH, 0, 1)
    wide, deep = half * (1.3 + above), 0.075 * (1 + above)
    middles = np.stack([poses[:, 0] + 0.06 + 0.1 * above, np.full(len(poses), ground)], axis=1)
    corners, x, y = _grids(height, middles, (float(wide.max()), float(deep.max())))
    wide, deep, strength = (value.astype(np.float32)[:, None, None] for value in (wide, deep, SHADE * (1 - above)))
    return corners, strength * np.clip(1 - (x / wide) ** 2 - (y / deep) ** 2, 0, 1) ** 1.5


def put_body(pictures: Sequence[Pixels], corners: npt.NDArray[np.int64], coverage: Pixels, colour: Pixels) -> None:
    """Lay a body over n pictures, in place."""
    for picture, corner, matte, light in zip(pictures, corners, coverage, colour, strict=True):
        inside, part = _overlap(picture.shape, matte.shape, corner)
        below = picture[inside]
        below += matte[part][..., None] * (light[part] - below)


def put_shadow(pictures: Sequence[Pixels], corners: npt.NDArray[np.int64], share: Pixels) -> None:
    """Darken n pictures, in place."""
    for picture, corner, taken in zip(pictures, corners, share, strict=True):
        inside, part = _overlap(picture.shape, taken.shape, corner)
        picture[inside] *= (1 - taken[part])[..., None]


def put_matte(mattes: Pixels, corners: npt.NDArray[np.int64], coverage: Pixels) -> None:
    """Write a body's coverage into n mattes [n, h, w], in place."""
    for matte, corner, covered in zip(mattes, corners, coverage, strict=True):
        inside, part = _overlap(matte.shape, covered.shape, corner)
        matte[inside] = covered[part]


def _overlap(
    picture: tuple[int, ...], patch: tuple[int, ...], corner: npt.NDArray[np.int64]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a patch at a corner (x, y) lies in the picture, and which part of it does."""
    inside, part = [], []
    for length, size, start in ((picture[0], patch[0], int(corner[1])), (picture[1], patch[1], int(corner[0]))):
        first, last = max(0, start), max(0, min(length, start + size))
        inside.append(slice(first, max(first, last)))
        part.append(slice(first - start, max(first, last) - start))
    return (inside[0], inside[1]), (part[0], part[1])
