"""What the first look at a plate tells of what lies around the hole: the camera's path, and which frames show what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from void_server.behind import Behind, clear_of
from void_server.footage import Footage
from void_server.masks.quadmask import KEEP, PRIMARY
from void_server.plates.camera import CameraPath, Follower, Homography, Proxy, proxy
from void_server.plates.frame import Frame
from void_server.plates.visible import cells, choose_sources
from void_server.quadmasks import Quadmasks

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Seen:
    """One frame of it. wanted, clear: bool [rows, columns], by cells of the grid of plates.visible."""

    proxy: Proxy
    wanted: Mask
    clear: Mask


class Survey:
    """A shot's frames looked at once, in order, none of them kept."""

    def __init__(self, plate: Footage, quadmasks: Quadmasks, feather: float) -> None:
        self._plate = plate
        self._quadmasks = quadmasks
        self._feather = feather
        self._follow = Follower()
        self._moves: list[Homography | None] = []
        self._wanted: list[Mask] = []
        self._clear: list[Mask] = []

    def look(self, frame: int, image: Frame) -> Seen:
        """At one frame, in any thread."""
        window = self._quadmasks.window
        quadmask = self._quadmasks[frame]
        clear, still = clear_of(quadmask, self._feather), quadmask == KEEP
        green = image.channel("G")
        if image.data_window != window:
            stored = np.zeros(quadmask.shape, np.bool_)
            stored[image.data_window.slices_in(window)] = True
            whole = np.zeros(quadmask.shape, green.dtype)
            whole[stored] = green.ravel()
            green, clear, still = whole, clear & stored, still & stored
        return Seen(proxy(green, still), cells(quadmask == PRIMARY, whole=False), cells(clear, whole=True))

    def note(self, seen: Seen) -> None:
        """What was seen of the next frame, in the shot's order."""
        self._moves.append(self._follow(seen.proxy))
        self._wanted.append(seen.wanted)
        self._clear.append(seen.clear)

    def behind(self) -> Behind:
        """After the last frame: where to find what the object hides."""
        path = CameraPath(self._moves[1:])
        sources = choose_sources(self._wanted, self._clear, path)
        return Behind(self._plate, self._quadmasks, self._feather, path, sources)
