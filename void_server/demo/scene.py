"""A scene of the training's kind as a shot: HDR, grain, overscan, and the plate as it would be without the object.

Scene-linear Rec.709. Everything follows the fields, so the same scene gives the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import OpenEXR

from void_server.plates.colour import ModelCurve
from void_server.plates.exr import write_frame
from void_server.plates.frame import Frame, Part
from void_server.plates.window import Window
from void_server.training.pairs import has_moved
from void_server.training.physics import Kind
from void_server.training.scenes import Counterfactual, Painter, World, make_scene

Pixels = npt.NDArray[np.float32]

# What is white on the display that the scenes are painted for: highlights come close to it.
CURVE = ModelCurve(16.0)
LASTS = 20.0  # frames of the training's scenes, from a shot's first frame to its last, where no pace is given


@dataclass(frozen=True)
class Scene:
    """`width` x `height` pixels of format, with `overscan` pixels of picture on each side, `count` frames.

    kind, seed: which scene; by default a ball rolls by. pace: frames of the training's scenes that pass from one
    frame to the next; None: as many as it takes to show all of the scene.
    """

    width: int = 960
    height: int = 540
    count: int = 24
    first: int = 1001
    overscan: int = 16
    kind: Kind = "plain"
    seed: int = 1_001_802
    pace: float | None = None

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
    def _story(self) -> Counterfactual:
        pace = LASTS / max(1, self.count - 1) if self.pace is None else self.pace
        return make_scene(self.kind, self.seed, self.count, self.width / self.height, pace)

    @cached_property
    def _painter(self) -> Painter:
        return Painter(self._story, self.height, self.overscan)

    def plate(self, frame: int) -> Pixels:
        """The frame as shot: float32 [h, w, 3] over the data window, with the object and with grain."""
        return _grained(self._light(frame, "with"), self.seed, frame)

    def truth(self, frame: int) -> Pixels:
        """The frame as it would be without the object: float32 [h, w, 3], without grain."""
        return self._light(frame, "without")

    def object_matte(self, frame: int) -> Pixels:
        """What an artist would paint: how much of each pixel is the object, in 0..1, [h, w]."""
        story, shown = self._story, [frame - self.first]
        matte = self._painter.matte(story.primary, story.primary.before, shown)[0]
        hidden = self._painter.matte(story.moved, story.moved.before, shown)[0] if story.moved else np.float32(0)
        return np.asarray(matte * (1 - hidden), np.float32)

    def affected_matte(self, frame: int) -> Pixels:
        """Where the frame would be another without the object, beside it: 0 or 1, [h, w].

        Shadows, and a body that would be elsewhere: its place and where it would be.
        """
        story, shown = self._story, [frame - self.first]
        with_object, without = (pictures[0] for pictures in self._painter.paint(shown, ("with", "without")))
        affected = (with_object != without).any(axis=2) & (self.object_matte(frame) == 0)
        moved = story.moved
        if moved and moved.after is not None and has_moved(moved.before[shown], moved.after[shown])[0]:
            for poses in (moved.before, moved.after):
                affected |= self._painter.matte(moved, poses, shown)[0] > 0
        return np.asarray(affected, np.float32)

    def write(self, folder: Path) -> None:
        """Write plate and truth (half, with overscan), roto and affected (alpha, cropped), each NAME.####.exr."""
        folder.mkdir(parents=True, exist_ok=True)
        for frame in self.frames:
            files = {
                "plate": self._colour_exr(self.plate(frame), frame),
                "truth": self._colour_exr(self.truth(frame), frame),
                "roto": self._matte_exr(self.object_matte(frame)),
                "affected": self._matte_exr(self.affected_matte(frame)),
            }
            for name, image in files.items():
                (folder / f"{name}.{frame:04d}.exr").write_bytes(write_frame(image))

    def _light(self, frame: int, world: World) -> Pixels:
        return CURVE.decode(self._painter.paint([frame - self.first], (world,))[0][0])

    def _header(self, window: Window) -> dict[str, object]:
        return {
            "displayWindow": Window(0, 0, self.width, self.height).box,
            "dataWindow": window.box,
            "compression": OpenEXR.ZIP_COMPRESSION,
        }

    def _colour_exr(self, picture: Pixels, frame: int) -> Frame:
        channels = {name: picture[..., index].astype(np.float16) for index, name in enumerate("RGB")}
        channels["A"] = np.ones(picture.shape[:2], np.float16)
        note = {"nuke/input/frame": str(frame), "comments": "made by void demo"}
        return Frame((Part(self._header(self.data_window) | note, channels),))

    def _matte_exr(self, matte: Pixels) -> Frame:
        rows, columns = (np.flatnonzero(matte.any(axis=axis)) for axis in (1, 0))
        if not len(rows):  # nothing is painted on this frame: one pixel says so
            rows = columns = np.zeros(1, int)
        cropped = matte[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float16)
        outer = self.data_window
        window = Window(outer.x + int(columns[0]), outer.y + int(rows[0]), len(cropped[0]), len(cropped))
        return Frame((Part(self._header(window), {"A": cropped}),))


def _grained(picture: Pixels, seed: int, frame: int) -> Pixels:
    """Film-like grain: a little soft, stronger with light (a deviation of 2 % at 0.18), fresh in every frame."""
    noise = np.random.default_rng((11, seed, frame)).standard_normal(picture.shape, np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 0.7) * 2.4
    return np.asarray(picture + soft * 0.0085 * np.sqrt(np.clip(picture, 0, 4) / 0.18 + 0.05), np.float32)
