"""What the first look at a plate tells of what lies around the hole: the camera, which frames show what, grain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from void_server.behind import Behind, clear_of
from void_server.footage import Footage
from void_server.masks.quadmask import KEEP, PRIMARY
from void_server.plates.camera import CameraPath, Follower, Link, Proxy, proxy
from void_server.plates.composite import bounding_box
from void_server.plates.frame import Frame
from void_server.plates.grain import Grain, GrainSample, sample_grain
from void_server.plates.visible import CELL, cells, choose_sources
from void_server.plates.window import Window
from void_server.quadmasks import Quadmasks
from void_server.settings import ShotSettings

Mask = npt.NDArray[np.bool_]

GRAIN_FRAMES = 8  # spread over the shot, that grain is measured on


@dataclass(frozen=True)
class Shown:
    """Where a frame is to be filled and what it shows: bool [rows, columns] by the grid of plates.visible."""

    proxy: Proxy
    wanted: Mask
    clear: Mask


@dataclass(frozen=True)
class Seen:
    """One frame, as far as it was asked for."""

    shown: Shown | None
    grain: GrainSample | None


class Survey:
    """A shot's frames looked at once, in order, none of them kept."""

    def __init__(self, plate: Footage, quadmasks: Quadmasks, settings: ShotSettings) -> None:
        self._plate = plate
        self._quadmasks = quadmasks
        self._settings = settings
        self._grainy = set(_spread(plate.frames, GRAIN_FRAMES)) if settings.grain else set()
        self._follow = Follower()
        self._links: list[Link | None] = []
        self._wanted: list[Mask] = []
        self._clear: list[Mask] = []
        self._samples: list[GrainSample] = []

    def look(self, frame: int, image: Frame) -> Seen:
        """At one frame, in any thread."""
        if not (self._settings.real_pixels or frame in self._grainy):
            return Seen(None, None)
        window, data = self._quadmasks.window, image.data_window
        here = data.slices_in(window)
        quadmask = self._quadmasks[frame]
        clear = clear_of(quadmask, self._settings.feather)
        sample = sample_grain(list(image.picture().values()), clear[here]) if frame in self._grainy else None
        if not self._settings.real_pixels:
            return Seen(None, sample)
        green, still = image.channel("G"), quadmask == KEEP
        if data != window:
            stored, whole = np.zeros(clear.shape, np.bool_), np.zeros(clear.shape, green.dtype)
            stored[here], whole[here] = True, green
            green, clear, still = whole, clear & stored, still & stored
        wanted = cells(quadmask == PRIMARY, whole=False)
        return Seen(Shown(proxy(green, still), wanted, cells(clear, whole=True)), sample)

    def note(self, seen: Seen) -> None:
        """What was seen of the next frame, in the shot's order."""
        if seen.shown:
            self._links.append(self._follow(seen.shown.proxy))
            self._wanted.append(seen.shown.wanted)
            self._clear.append(seen.shown.clear)
        if seen.grain:
            self._samples.append(seen.grain)

    def behind(self) -> Behind | None:
        """After the last frame: where to find what the object hides; None if that is not asked for."""
        if not self._settings.real_pixels:
            return None
        path = CameraPath(self._links)
        sources = choose_sources(self._wanted, self._clear, path)
        return Behind(self._plate, self._quadmasks, self._settings.feather, path, sources, self._hidden())

    def _hidden(self) -> Window:
        """What is wanted on any frame, in plate pixels."""
        whole = self._quadmasks.window
        slices = bounding_box(np.any(self._wanted, axis=0))
        if slices is None:
            return whole
        rows, columns = (slice(span.start * CELL, span.stop * CELL) for span in slices)
        return Window.from_slices((rows, columns), whole)

    def grain(self) -> Grain:
        """After the last frame: the plate's grain, none if none is asked for."""
        return Grain.of(self._samples)


def _spread(frames: tuple[int, ...], count: int) -> Iterator[int]:
    """`count` of the frames, or all, evenly."""
    for place in np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int):
        yield frames[place]
