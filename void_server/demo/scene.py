"""A shot made on the spot: a ball rolls over a lit floor and casts a shadow. HDR, grain, overscan, known background.

Scene-linear Rec.709. Everything follows the frame number and the size, so the same call gives the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import OpenEXR

from void_server.plates.exr import write_frame
from void_server.plates.frame import Frame, Part
from void_server.plates.window import Window

Pixels = npt.NDArray[np.float32]

HORIZON = 0.42  # of the height, from the top
BALL = np.array([0.55, 0.06, 0.03], np.float32)
LIGHT = np.array([-0.45, -0.75, 0.49], np.float32)  # towards the light: left, up, to the camera


@dataclass(frozen=True)
class Scene:
    """`width` x `height` pixels of format, with `overscan` pixels of picture on each side, `count` frames."""

    width: int = 960
    height: int = 540
    count: int = 24
    first: int = 1001
    overscan: int = 16

    @property
    def frames(self) -> range:
        """The frame numbers."""
        return range(self.first, self.first + self.count)

    @property
    def data_window(self) -> Window:
        """All pixels that are rendered: the format and its overscan."""
        edge = self.overscan
        return Window(-edge, -edge, self.width + 2 * edge, self.height + 2 * edge)

    @cached_property
    def _grid(self) -> tuple[Pixels, Pixels]:
        """x and y of every pixel's centre in heights of the format, from its top left corner."""
        window = self.data_window
        x = (np.arange(window.x, window.right, dtype=np.float32) + 0.5) / self.height
        y = (np.arange(window.y, window.bottom, dtype=np.float32) + 0.5) / self.height
        return np.meshgrid(x, y)

    @cached_property
    def background(self) -> Pixels:
        """The true background without grain, float32 [h, w, 3] over the data window, highlights up to about 14."""
        x, y = self._grid
        rng = np.random.default_rng(7)
        wall = 0.22 + 0.06 * _clouds(rng, x.shape, self.height / 3)
        boards = (
            0.16 + 0.05 * _clouds(rng, x.shape, self.height / 10) + 0.03 * (np.sin((x - 0.9) / (y + 0.15) * 40) > 0.9)
        )
        floor = y > HORIZON
        picture = np.where(floor[..., None], boards[..., None] * [1.15, 0.9, 0.65], wall[..., None] * [0.8, 0.95, 1.1])
        for centre, strength in ((0.35, 14.0), (1.25, 9.0)):  # two lamps on the wall, and their light on it
            distance = np.hypot(x - centre, y - 0.17)
            lamp = _soft_edge((0.045 - distance) * 400)
            picture += lamp[..., None] * (strength * np.array([1.0, 0.85, 0.6]))
            picture += (0.25 * np.exp(-((distance / 0.22) ** 2)))[..., None] * np.array([1.0, 0.85, 0.6])
        return np.asarray(picture, np.float32)

    def _ball(self, frame: int) -> tuple[float, float, float]:
        """Centre and radius in heights."""
        along = (frame - self.first) / max(1, self.count - 1)
        return 0.45 + 0.75 * along, 0.62, 0.11

    def ball_matte(self, frame: int) -> Pixels:
        """What an artist would paint: the ball's coverage in 0..1, [h, w]."""
        x, y = self._grid
        cx, cy, radius = self._ball(frame)
        return np.asarray(np.clip((radius - np.hypot(x - cx, y - cy)) * self.height + 0.5, 0, 1), np.float32)

    def shadow_matte(self, frame: int) -> Pixels:
        """How much of the light the ball takes from the floor, in 0..1, [h, w]."""
        x, y = self._grid
        cx, cy, radius = self._ball(frame)
        squashed = np.hypot((x - cx - 0.10) / 1.5, (y - cy - radius * 0.95) / 0.34)
        shadow = _soft_edge((radius * 0.85 - squashed) * 90)
        return np.asarray(np.where(y > HORIZON, shadow, 0), np.float32)

    def plate(self, frame: int) -> Pixels:
        """The frame as shot: float32 [h, w, 3] with ball, shadow and grain."""
        lit = self.background * (1 - 0.75 * self.shadow_matte(frame))[..., None]
        matte = self.ball_matte(frame)[..., None]
        return _grained(lit * (1 - matte) + self._shaded_ball(frame) * matte, frame)

    def _shaded_ball(self, frame: int) -> Pixels:
        x, y = self._grid
        cx, cy, radius = self._ball(frame)
        across, down = (x - cx) / radius, (y - cy) / radius
        depth = np.sqrt(np.clip(1 - across**2 - down**2, 0, 1))
        facing = np.clip(across * LIGHT[0] + down * LIGHT[1] + depth * LIGHT[2], 0, 1)
        stripes = 0.6 + 0.4 * (np.sin(14 * (across + (frame - self.first) * 0.12)) > 0)
        shine = 22 * facing**90
        return np.asarray((0.15 + 1.1 * facing * stripes)[..., None] * BALL + shine[..., None], np.float32)

    def write(self, folder: Path) -> None:
        """Write plate.####.exr (half, with overscan), roto.####.exr and affected.####.exr (alpha, cropped)."""
        folder.mkdir(parents=True, exist_ok=True)
        for frame in self.frames:
            files = {
                "plate": self._plate_exr(frame),
                "roto": self._matte_exr(self.ball_matte(frame)),
                "affected": self._matte_exr(self.shadow_matte(frame) * (self.shadow_matte(frame) > 0.08)),
            }
            for name, image in files.items():
                (folder / f"{name}.{frame:04d}.exr").write_bytes(write_frame(image))

    def _header(self, window: Window) -> dict[str, object]:
        return {
            "displayWindow": Window(0, 0, self.width, self.height).box,
            "dataWindow": window.box,
            "compression": OpenEXR.ZIP_COMPRESSION,
        }

    def _plate_exr(self, frame: int) -> Frame:
        picture = self.plate(frame)
        channels = {name: picture[..., index].astype(np.float16) for index, name in enumerate("RGB")}
        channels["A"] = np.ones(picture.shape[:2], np.float16)
        note = {"nuke/input/frame": str(frame), "comments": "made by void demo"}
        return Frame((Part(self._header(self.data_window) | note, channels),))

    def _matte_exr(self, matte: Pixels) -> Frame:
        rows, columns = np.flatnonzero(matte.any(axis=1)), np.flatnonzero(matte.any(axis=0))
        cropped = matte[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float16)
        outer = self.data_window
        window = Window(outer.x + int(columns[0]), outer.y + int(rows[0]), len(cropped[0]), len(cropped))
        return Frame((Part(self._header(window), {"A": cropped}),))


def _clouds(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Pixels:
    """Smooth noise of several octaves, about -1..1; `scale` in pixels is that of the coarsest."""
    height, width = shape
    total = np.zeros(shape, np.float32)
    for octave in range(5):
        cell = max(1.0, scale / 2**octave)
        coarse = rng.uniform(-1, 1, (int(height / cell) + 3, int(width / cell) + 3)).astype(np.float32)
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    return np.asarray(total / 2, np.float32)


def _soft_edge(depth: Pixels) -> Pixels:
    """The logistic curve: 0 far outside, 0.5 on the edge, 1 inside."""
    return np.asarray(0.5 + 0.5 * np.tanh(depth / 2), np.float32)


def _grained(picture: Pixels, frame: int) -> Pixels:
    """Film-like grain: a little soft, stronger with light (a deviation of 2 % at 0.18), fresh in every frame."""
    noise = np.random.default_rng((11, frame)).standard_normal(picture.shape, np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 0.7) * 2.4
    return np.asarray(picture + soft * 0.0085 * np.sqrt(np.clip(picture, 0, 4) / 0.18 + 0.05), np.float32)
