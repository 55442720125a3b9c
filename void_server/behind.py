"""What stands behind an object, from frames that show it."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from void_server.footage import Footage
from void_server.masks.quadmask import KEEP
from void_server.plates.camera import CameraPath, Homography, carry
from void_server.plates.frame import Frame, Part
from void_server.plates.register import Carried, carried_over
from void_server.plates.sampling import Ring
from void_server.plates.window import Window
from void_server.quadmasks import Quadmasks

Mask = npt.NDArray[np.bool_]

MARGIN = 48  # plate pixels around a hole by which frames are laid over each other
SLACK = 24  # plate pixels by which the camera's path may be wrong
ENOUGH = 0.5  # the trust from which on a pixel is not looked for in one more frame
SHELF_BYTES, SHELF_FRAMES = 256 << 20, 32


@dataclass(frozen=True)
class Found:
    """Over `window`, in plate pixels. rgb: float32 [h, w, 3], scene-linear, in the frame's own exposure. trust:
    float32 [h, w] in 0..1. frame: float32 [h, w], the number of the frame it is from, 0 where trust is 0. ring: bool
    [h, w], what this frame itself shows of the background."""

    window: Window
    rgb: npt.NDArray[np.float32]
    trust: npt.NDArray[np.float32]
    frame: npt.NDArray[np.float32]
    ring: Mask


def clear_of(quadmask: npt.NDArray[np.uint8], feather: float) -> Mask:
    """What of a quadmask [h, w] is background for certain: kept, and beyond the ramp and a soft edge of the rest."""
    reach = 2 * (math.ceil(feather) + 2) + 1
    return np.asarray(cv2.dilate((quadmask != KEEP).astype(np.uint8), np.ones((reach, reach), np.uint8)) == 0)


class Behind:
    """For every frame of a shot, the pixels that other frames show of what is removed."""

    def __init__(
        self,
        plate: Footage,
        quadmasks: Quadmasks,
        feather: float,
        path: CameraPath,
        sources: list[list[int]],
        hidden: Window,
    ) -> None:
        """path, sources: by a frame's place in the shot. feather: of the ramp, in plate pixels. hidden: the part of the
        plate that something is looked for in, on any frame."""
        self._plate = plate
        self._quadmasks = quadmasks
        self._feather = feather
        self._path = path
        self._sources = sources
        self._useful = {source for of_frame in sources for source in of_frame}
        # Behind a camera at rest no more of a frame is ever wanted than this.
        reach = hidden.grown(2 * MARGIN + math.ceil(feather)) if path.rests else quadmasks.window
        self._shelf = Shelf(plate, reach)

    def find(self, frame: int, image: Frame, box: Window) -> Found | None:
        """What other frames show of a box of a frame, in plate pixels; None where none does. Safe in threads.

        image: that frame, decoded. Raises BadPlate.
        """
        index = frame - self._plate.frames[0]
        if index in self._useful:
            self._shelf.put(frame, image)
        if not self._sources[index]:
            return None
        outer = box.grown(MARGIN).intersection(self._quadmasks.window).intersection(image.data_window)
        here = self._ring(frame, image, outer)
        rgb = np.zeros_like(here.rgb)
        trust = np.zeros(here.clear.shape, np.float32)
        number = np.zeros_like(trust)
        for source in self._sources[index]:
            move = self._path.between(index, source)
            other = self._plate.frames[source]
            laid = None
            if move is not None:
                laid = self._laid(here, other, outer, _from_corner(move, outer, self._quadmasks.window))
            if laid is None:
                continue
            better = (trust < ENOUGH) & (laid.trust > trust)
            rgb[better], trust[better], number[better] = laid.rgb[better], laid.trust[better], other
            if (trust[~here.clear] >= ENOUGH).all():
                break
        return Found(outer, rgb, trust, number, here.clear) if trust.any() else None

    def _laid(self, here: Ring, other: int, outer: Window, move: Homography) -> Carried | None:
        """Another frame over the window `outer` of this one; move: between pixels counted from outer's first."""
        corners = np.array([[0, 0], [outer.width, 0], [0, outer.height], [outer.width, outer.height]], np.float32)
        low, high = (edge(carry(corners, move), axis=0) for edge in (np.min, np.max))
        left, top = np.floor(low).astype(int)
        right, bottom = np.ceil(high).astype(int)
        image = self._shelf.get(other)
        wanted = Window(outer.x + left, outer.y + top, right - left, bottom - top).grown(SLACK)
        window = wanted.intersection(self._quadmasks.window).intersection(image.data_window)
        if not (window.width and window.height):
            return None
        return carried_over(here, self._ring(other, image, window), (window.x - outer.x, window.y - outer.y), move)

    def _ring(self, frame: int, image: Frame, window: Window) -> Ring:
        rgb = image.rgb(window)
        # The ramp of what lies outside reaches in.
        wider = window.grown(math.ceil(self._feather) + 3).intersection(self._quadmasks.window)
        quadmask = self._quadmasks[frame][wider.slices_in(self._quadmasks.window)]
        clear = clear_of(quadmask, self._feather)[window.slices_in(wider)]
        return Ring(rgb, clear & np.isfinite(rgb).all(axis=-1))


class Shelf:
    """The frames last used, R, G and B of what lies within `reach`, so that few are decoded twice.

    SHELF_FRAMES of them, or as many as SHELF_BYTES hold, or one.
    """

    def __init__(self, plate: Footage, reach: Window) -> None:
        self._plate = plate
        self._reach = reach
        self._lock = threading.Lock()
        self._frames: OrderedDict[int, Frame] = OrderedDict()

    def put(self, frame: int, image: Frame) -> Frame:
        """Keep what is within reach of a decoded frame; returns that."""
        kept = self._within_reach(image)
        with self._lock:
            self._frames[frame] = kept
            self._frames.move_to_end(frame)
            while len(self._frames) > 1 and self._full():
                self._frames.popitem(last=False)
        return kept

    def _within_reach(self, image: Frame) -> Frame:
        common = self._reach.intersection(image.data_window)
        if common == image.data_window or not (common.width and common.height):
            return Frame((Part({"dataWindow": image.data_window.box}, image.picture()),), image.name)
        inside = common.slices_in(image.data_window)
        channels = {name: channel[inside].copy() for name, channel in image.picture().items()}
        return Frame((Part({"dataWindow": common.box}, channels),), image.name)

    def _full(self) -> bool:
        return len(self._frames) > SHELF_FRAMES or sum(map(_bytes, self._frames.values())) > SHELF_BYTES

    def get(self, frame: int) -> Frame:
        """What is within reach of a frame, decoded where it is not at hand. Raises BadPlate."""
        with self._lock:
            kept = self._frames.get(frame)
            if kept is not None:
                self._frames.move_to_end(frame)
        return kept or self.put(frame, self._plate.read(frame))


def _bytes(image: Frame) -> int:
    return sum(channel.nbytes for part in image.parts for channel in part.channels.values())


def _from_corner(move: Homography, corner: Window, whole: Window) -> Homography:
    """A move between pixels counted from the first of `whole`, counted from the first of `corner`."""
    to_whole = np.array([[1.0, 0, corner.x - whole.x], [0, 1.0, corner.y - whole.y], [0, 0, 1.0]])
    return np.asarray(np.linalg.inv(to_whole) @ move @ to_whole)
