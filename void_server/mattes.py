"""What says where the object is: painted mattes, what SAM 2 carried on, hints; together, a quadmask a frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from void_server.footage import Footage
from void_server.masks.grid import cells_to_pixels, grid_shape, grown, touched_cells
from void_server.masks.layer import quadmask_layer
from void_server.masks.quadmask import combine, read_quadmask
from void_server.masks.regions import Regions
from void_server.masks.roto import object_channels, primary_from_alpha, read_matte
from void_server.plates.window import Window

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Mattes:
    """A finished quadmask, or the roto, perhaps on some frames only, and what says what is affected.

    roto: what is to go. carried: what is to go on frames that it does not have, or that lack one of its objects, bool
    [H, W] of any size over the common window.
    affected: a second roto. regions: hints, in cells, by index into `frames`. grow: cells around what was painted as
    affected (`regions` are grown already).
    """

    roto: Footage | None = None
    affected: Footage | None = None
    quadmask: Footage | None = None
    carried: Mapping[int, Mask] = field(default_factory=dict)
    regions: Regions | None = None
    grow: int = 0

    def given(self) -> list[Footage]:
        """Those that were given as pictures."""
        return [footage for footage in (self.roto, self.affected, self.quadmask) if footage]

    def objects(self, frame: int, window: Window) -> dict[str, Mask]:
        """What is painted of each object on a frame of the roto, by its channel: bool [h, w] over `window`.

        Raises BadPlate, BadMask.
        """
        assert self.roto is not None
        image = self.roto.read(frame)
        label = self.roto.label(frame)
        return {
            name: primary_from_alpha(read_matte(image, name, window), label) for name in object_channels(image, label)
        }

    def primary(self, frame: int, window: Window) -> Mask:
        """What is to be removed on a frame, painted or carried, bool [h, w] over `window`. Raises BadPlate, BadMask."""
        assert self.roto is not None
        masks = list(self.objects(frame, window).values()) if frame in self.roto.paths else []
        if frame in self.carried:
            masks.append(_enlarged(self.carried[frame], window))
        return np.asarray(np.any(masks, axis=0))

    def read(self, frame: int, window: Window, *, index: int) -> npt.NDArray[np.uint8]:
        """The quadmask of a frame, the shot's `index`-th: uint8 [h, w] over `window`. Raises BadPlate, BadMask.

        What is affected is whole cells of the grid.
        """
        if self.quadmask:
            return read_quadmask(quadmask_layer(self.quadmask.read(frame), window), self.quadmask.label(frame))
        primary = self.primary(frame, window)
        rows, cols = grid_shape(window.height, window.width)
        cells = np.zeros((rows, cols), bool)
        if self.affected:
            image = self.affected.read(frame)
            painted = primary_from_alpha(read_matte(image, "A", window), self.affected.label(frame))
            cells |= grown(touched_cells(painted, rows, cols), self.grow)
        if self.regions:
            cells |= self.regions.affected[index]
            primary = primary | cells_to_pixels(self.regions.belongings[index], window.height, window.width)
        return combine(primary, cells_to_pixels(cells, window.height, window.width))


def _enlarged(mask: Mask, window: Window) -> Mask:
    """A carried mask [H, W] over `window`, its edge where a linear filter has it."""
    size = (window.width, window.height)
    return np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) >= 0.5)
