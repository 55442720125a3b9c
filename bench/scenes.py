"""Shots whose true background is known in every frame, to judge what comes back at plate resolution.

A world larger than the picture, painted once at twice the plate's resolution and seen through a camera: its light has
passed a soft lens, so that sampling it between its pixels loses nothing that a plate could hold, and no frame is
softer than another. In front of it an object and its shadow. Scene-linear Rec.709. Everything follows the fields, so
the same scene gives the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from bench.world import OVERSAMPLING, painted_world
from void_server.footage import Footage
from void_server.plates.exr import write_frame
from void_server.plates.frame import Frame, Part
from void_server.plates.stream import ordered_map
from void_server.plates.window import Window

Pixels = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Camera = Literal["static", "pan", "handheld"]

PAN = np.array([0.00165, 0.00031])  # widths a frame: 3.4 pixels across and 0.6 down at 2K
SHAKE, ROLL, ZOOM = 0.004, 0.004, 0.006  # widths, radians and parts; the most that a held camera strays
MARGIN = 0.03  # widths of world beyond what a static camera sees
SHADE = 0.55  # of the light, taken by the shadow
GRAIN = np.array([0.0035, 0.0030, 0.0048], np.float32)  # deviation at light 0.18, in R, G and B
GRAIN_BASE = 0.05  # of the grain's variance at 0.18 is there in the dark
GRAIN_SOFTNESS = 0.7  # pixels; deviation of the Gaussian that white noise goes through


@dataclass(frozen=True)
class TruthScene:
    """`count` frames of width x height pixels.

    shows: the object crosses the picture, so that what is behind it shows in other frames; else it stays at its place
    in the world and nothing ever shows that. object_width: in widths of the picture; it is 0.9 as high. drop: heights
    of the picture between the object's lowest point and its shadow's middle; None: no shadow. grain: 1 is that of a
    clean digital plate. flicker: parts of the light by which the exposure strays, other in every frame.
    """

    width: int
    height: int
    count: int = 16
    camera: Camera = "static"
    shows: bool = True
    object_width: float = 0.125
    drop: float | None = None
    grain: float = 1.0
    flicker: float = 0.0
    first: int = 1001
    seed: int = 3

    @property
    def frames(self) -> range:
        """The frame numbers."""
        return range(self.first, self.first + self.count)

    @property
    def still(self) -> bool:
        """Whether every frame has the same truth and the same hole."""
        return self.camera == "static" and not self.shows and not self.flicker

    @property
    def window(self) -> Window:
        """The picture: data and display window of every plate."""
        return Window(0, 0, self.width, self.height)

    @cached_property
    def _world(self) -> Pixels:
        """The world's light, float32 [h, w, 3], OVERSAMPLING pixels a plate pixel; kept."""
        size = self._reach[1] - self._reach[0]
        return painted_world(int(size[0]), int(size[1]), self.width, self.seed)

    @cached_property
    def _reach(self) -> npt.NDArray[np.int64]:
        """The world's first and last corner (x, y) in plate pixels of the first frame."""
        corners = np.array([[0, 0, self.width, self.width], [0, self.height, 0, self.height], [1, 1, 1, 1]])
        seen = np.concatenate([self.to_world(frame) @ corners for frame in self.frames], axis=1)
        margin = MARGIN * self.width
        return np.stack([np.floor(seen.min(axis=1) - margin), np.ceil(seen.max(axis=1) + margin)]).astype(np.int64)

    def to_world(self, frame: int) -> npt.NDArray[np.float64]:
        """The camera: [2, 3], from (x, y, 1) in this frame's picture to x, y in the world, both in plate pixels."""
        since = frame - self.first
        if self.camera == "pan":
            return np.concatenate([np.eye(2), (PAN * since * self.width)[:, None]], axis=1)
        if self.camera == "static":
            return np.eye(2, 3)
        phases = np.random.default_rng(self.seed).uniform(0, 2 * np.pi, (4, 2))
        waves = np.sin(phases + since * np.array([0.31, 0.83])) - np.sin(phases)
        x, y, roll, zoom = waves @ [0.35, 0.15]  # each within -1..1, and 0 on the first frame
        scale, angle = 1 + ZOOM * zoom, ROLL * roll
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = np.array([self.width, self.height]) / 2
        shift = SHAKE * self.width * np.array([x, y])
        return np.concatenate([turn, (centre + shift - turn @ centre)[:, None]], axis=1)

    def truth(self, frame: int) -> Pixels:
        """What the camera would have seen without object, shadow and grain: float32 [h, w, 3]."""
        # Centres of pixels: 0.5, 0.5 is the middle of the first one, in the plate and in the world.
        sampled = self.to_world(frame)
        sampled[:, 2] += sampled[:, :2] @ [0.5, 0.5] - self._reach[0]
        sampled *= OVERSAMPLING
        sampled[:, 2] -= 0.5
        flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
        seen = cv2.warpAffine(self._world, sampled, (self.width, self.height), flags=flags)
        return np.asarray(np.maximum(seen, 0) * np.float32(self.exposure(frame)), np.float32)

    def exposure(self, frame: int) -> float:
        """What the light of this frame is multiplied by."""
        return 1 + self.flicker * float(np.random.default_rng((self.seed, 5, frame)).uniform(-1, 1))

    def _places(self, frame: int, window: Window) -> tuple[Pixels, Pixels]:
        """Where the centres of a window's pixels lie in the world, in plate pixels."""
        x = np.arange(window.x, window.right) + 0.5
        y = np.arange(window.y, window.bottom)[:, None] + 0.5
        (a, b, c), (d, e, f) = self.to_world(frame)
        return np.asarray(a * x + b * y + c, np.float32), np.asarray(d * x + e * y + f, np.float32)

    def _object(self, frame: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The ellipse's centre in the world and its half axes, in plate pixels."""
        along = (frame - self.first) / max(1, self.count - 1) if self.shows else 0.5
        place = [(0.25 + 0.5 * along) * self.width, 0.42 * self.height, 1]
        centre = self.to_world(frame if self.shows else self.first) @ place
        across = self.object_width * self.width / 2
        return centre, np.array([across, 0.9 * across])

    def _coverage(self, frame: int, places: tuple[Pixels, Pixels]) -> Pixels:
        """How much of each place the object covers, 0..1, its edge one pixel wide."""
        (cx, cy), (rx, ry) = self._object(frame)
        radius = np.hypot((places[0] - cx) / rx, (places[1] - cy) / ry)
        return np.asarray(np.clip((1 - radius) * ry + 0.5, 0, 1), np.float32)

    def _shading(self, frame: int, places: tuple[Pixels, Pixels]) -> Pixels:
        """How deep in the shadow each place lies, 0..1, exactly 0 outside; its edge is a tenth of it wide."""
        if self.drop is None:
            return np.zeros_like(places[0])
        (cx, cy), (rx, ry) = self._object(frame)
        cy += ry + self.drop * self.height
        radius = np.hypot((places[0] - cx) / rx, (places[1] - cy) / (0.3 * ry))
        return np.asarray(np.clip((1 - radius) * 10, 0, 1), np.float32)

    def matte(self, frame: int) -> Pixels:
        """The roto: the object's coverage in 0..1, [h, w]."""
        return self._coverage(frame, self._places(frame, self.window))

    def shadow(self, frame: int) -> Pixels:
        """The second roto: how deep each pixel lies in the shadow, 0..1, [h, w]."""
        return self._shading(frame, self._places(frame, self.window))

    def shows_elsewhere(self, frame: int, window: Window) -> Mask:
        """Where in a window of this frame another frame has the same place free of object and shadow: bool [h, w]."""
        places = self._places(frame, window)
        shown = np.zeros(places[0].shape, bool)
        for other in self.frames:
            if other == frame:
                continue
            matrix = cv2.invertAffineTransform(self.to_world(other))
            x, y = (row[0] * places[0] + row[1] * places[1] + row[2] for row in matrix)
            inside = (x >= 2) & (y >= 2) & (x < self.width - 2) & (y < self.height - 2)
            free = (self._coverage(other, places) == 0) & (self._shading(other, places) == 0)
            shown |= inside & free
        return shown

    def plate(self, frame: int) -> Pixels:
        """The frame as shot: float32 [h, w, 3] with object, shadow and grain."""
        lit = self.truth(frame) * (1 - SHADE * self.shadow(frame))[..., None]
        matte = self.matte(frame)[..., None]
        x, y = self._places(frame, self.window)
        cx, cy = self._object(frame)[0]
        stripes = 0.5 + 0.4 * np.sin((x - cx + 0.6 * (y - cy)) / 9)
        body = stripes[..., None] * np.array([0.75, 0.1, 0.06], np.float32) * np.float32(self.exposure(frame))
        return self.grained(lit * (1 - matte) + body * matte, frame)

    def grain_deviation(self, light: Pixels) -> Pixels:
        """The deviation of the grain on light [..., 3]."""
        return np.asarray(self.grain * GRAIN * np.sqrt(np.maximum(light, 0) / 0.18 + GRAIN_BASE), np.float32)

    def grained(self, light: Pixels, frame: int) -> Pixels:
        """Light [h, w, 3] with the grain of a frame, which may be any number: soft, stronger with light."""
        white = np.random.default_rng((self.seed, 11, frame)).standard_normal(light.shape, np.float32)
        soft = cv2.GaussianBlur(white, (0, 0), GRAIN_SOFTNESS)
        kernel = cv2.getGaussianKernel(2 * round(4 * GRAIN_SOFTNESS) + 1, GRAIN_SOFTNESS)
        unit = np.float32(1 / np.sum(kernel**2))  # a separable kernel's gain is the product of both axes'
        return np.asarray(light + soft * unit * self.grain_deviation(light), np.float32)

    def write(self, folder: Path) -> dict[str, Footage]:
        """Write plate, roto and affected (with a shadow) as half EXRs; returns them by those names."""
        folder.mkdir(parents=True, exist_ok=True)
        _ = self._world  # painted once, before two threads ask for it
        for _ in ordered_map(partial(self._write_frame, folder), self.frames, threads=2, ahead=2):
            pass
        names = ["plate", "roto", *(["affected"] if self.drop is not None else [])]
        return {
            name: Footage(f"{name}.####.exr", {frame: folder / f"{name}.{frame:04d}.exr" for frame in self.frames})
            for name in names
        }

    def _write_frame(self, folder: Path, frame: int) -> None:
        plate = self.plate(frame)
        files = {"plate": {name: plate[..., index] for index, name in enumerate("RGB")}}
        files["roto"] = {"A": self.matte(frame)}
        if self.drop is not None:
            files["affected"] = {"A": self.shadow(frame)}
        for name, channels in files.items():
            half = {channel: pixels.astype(np.float16) for channel, pixels in channels.items()}
            (folder / f"{name}.{frame:04d}.exr").write_bytes(write_frame(Frame((Part({}, half),))))
