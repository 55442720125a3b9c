"""A shot's quadmasks at plate resolution, compressed in memory: every matte is decoded once."""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from void_server.engine import Progress
from void_server.footage import Footage
from void_server.masks.quadmask import KEEP, BadMask, split
from void_server.mattes import Mattes
from void_server.plates.composite import bounding_box
from void_server.plates.window import Window
from void_server.prepare import stage

Quadmask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Kept:
    """One frame: levels, compressed; the box of what is not kept, in plate pixels; whether anything is to go."""

    data: bytes
    box: Window | None
    removes: bool


class Quadmasks:
    """The quadmask of every frame, uint8 [h, w] over `window`. `region`: all that is not kept on some frame."""

    def __init__(self, plate: Footage, mattes: Mattes, window: Window, progress: Progress) -> None:
        """Read and check every matte. Raises BadPlate, BadMask (nothing is to be removed on any frame)."""
        self.window = window

        def keep(frame: int) -> _Kept:
            quadmask = mattes.read(frame, window, index=frame - plate.frames[0])
            box = _box(quadmask, window)
            return _Kept(zlib.compress(quadmask.tobytes(), 1), box, bool(split(quadmask)[0].any()))

        kept = list(stage("masking", keep, plate.frames, len(plate.frames), progress))
        if not any(frame.removes for frame in kept):
            raise _nothing_to_remove(plate, mattes)
        self._kept = dict(zip(plate.frames, kept, strict=True))
        self.region = functools.reduce(Window.union, [frame.box for frame in kept if frame.box])

    def __getitem__(self, frame: int) -> Quadmask:
        """One frame's quadmask."""
        levels = np.frombuffer(zlib.decompress(self._kept[frame].data), np.uint8)
        return levels.reshape(self.window.height, self.window.width)


def _box(quadmask: Quadmask, window: Window) -> Window | None:
    """Where a quadmask over `window` is not kept, in plate pixels."""
    slices = bounding_box(quadmask != KEEP)
    if slices is None:
        return None
    rows, columns = slices
    return Window(window.x + columns.start, window.y + rows.start, columns.stop - columns.start, rows.stop - rows.start)


def _nothing_to_remove(plate: Footage, mattes: Mattes) -> BadMask:
    frames = f"{plate.frames[0]}-{plate.frames[-1]}"
    if mattes.roto:
        return BadMask(
            f"the roto {mattes.roto.name} is empty on every frame of {frames} (no alpha of 1/32 or more inside the "
            "plate): paint what is to be removed into its alpha"
        )
    return BadMask(f"the quadmask has nothing to remove (0 or 63) on any frame of {frames}: paint what is to go")
