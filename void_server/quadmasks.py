"""A shot's quadmasks at plate resolution, compressed in memory: every matte is decoded once."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from void_server.engine import Progress
from void_server.footage import Footage
from void_server.masks.quadmask import KEEP, BadMask, before_effects, split
from void_server.mattes import Mattes
from void_server.plates.components import Labels, label_components
from void_server.plates.composite import bounding_box
from void_server.plates.stream import ordered_map
from void_server.plates.window import Window
from void_server.stages import AHEAD, THREADS, stage

Quadmask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Components:
    """What changes, in parts that lie apart: `labels` uint8 [h, w] for the whole shot, 0 where nothing ever changes.

    boxes: of each label on every frame, the ramp around the matte included, in plate pixels.
    """

    labels: Labels
    boxes: dict[int, list[Window | None]]


class Quadmasks:
    """The quadmask of every frame, uint8 [h, w] over `window`: what changes there, and what the model is shown of it.

    The two differ on the first frame: the model was trained to see nothing affected there. What is affected is filled
    from its result all the same, or an object's shadow would stay for a frame.
    """

    def __init__(self, plate: Footage, mattes: Mattes, window: Window, progress: Progress) -> None:
        """Read and check every matte. Raises BadPlate, BadMask (nothing is to be removed on any frame)."""
        self.window = window
        self._first = plate.frames[0]
        self._kept: dict[int, bytes] = {}
        self._changed = np.zeros((window.height, window.width), bool)  # on any frame, as is what is removed
        self._removed = np.zeros_like(self._changed)

        def read(frame: int) -> tuple[bytes, Quadmask]:
            quadmask = mattes.read(frame, window, index=frame - plate.frames[0])
            return zlib.compress(quadmask.tobytes(), 1), quadmask

        each = stage("masking", read, plate.frames, len(plate.frames), progress)
        for frame, (data, quadmask) in zip(plate.frames, each, strict=True):
            self._kept[frame] = data
            self._add(quadmask)
        if not self._removed.any():
            raise _nothing_to_remove(plate, mattes)

    def __getitem__(self, frame: int) -> Quadmask:
        """One frame's quadmask."""
        levels = np.frombuffer(zlib.decompress(self._kept[frame]), np.uint8)
        return levels.reshape(self.window.height, self.window.width)

    def shown(self, frame: int) -> Quadmask:
        """One frame's quadmask as the model sees it."""
        return before_effects(self[frame]) if frame == self._first else self[frame]

    def components(self, feather: float) -> Components:
        """What changes and the ramp of `feather` pixels around it, taken apart."""
        labels = label_components(self._changed, self._removed, feather)
        present = [int(label) for label in np.unique(labels) if label]
        places = {label: _slices(labels == label) for label in present}
        reach = int(np.ceil(feather))

        def boxes(frame: int) -> list[Window | None]:
            changed = self[frame] != KEEP
            return [
                self._box(changed[places[label]] & (labels[places[label]] == label), places[label], reach)
                for label in present
            ]

        each = ordered_map(boxes, self._kept, threads=THREADS, ahead=AHEAD)
        return Components(labels, dict(zip(present, map(list, zip(*each, strict=True)), strict=True)))

    def _add(self, quadmask: Quadmask) -> None:
        """Note what one frame changes and removes."""
        here = bounding_box(quadmask != KEEP)
        if here is not None:
            self._changed[here] |= quadmask[here] != KEEP
            self._removed[here] |= split(quadmask[here])[0]

    def _box(self, selected: npt.NDArray[np.bool_], place: tuple[slice, slice], reach: int) -> Window | None:
        """The box of what is selected in a place, and `reach` pixels around it, in plate pixels."""
        box = bounding_box(selected)
        if box is None:
            return None
        found = Window.from_slices(box, Window.from_slices(place, self.window))
        return found.grown(reach).intersection(self.window)


def _slices(selected: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    box = bounding_box(selected)
    assert box is not None
    return box


def _nothing_to_remove(plate: Footage, mattes: Mattes) -> BadMask:
    frames = f"{plate.frames[0]}-{plate.frames[-1]}"
    if mattes.roto:
        return BadMask(
            f"the roto {mattes.roto.name} is empty on every frame of {frames} (no alpha of 1/32 or more inside the "
            "plate): paint what is to be removed into its alpha"
        )
    return BadMask(f"the quadmask has nothing to remove (0 or 63) on any frame of {frames}: paint what is to go")
