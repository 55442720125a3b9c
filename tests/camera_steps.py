"""A camera's path by its moves from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from void_server.plates.camera import CameraPath, Link


def steps(moves: Sequence[np.ndarray | None]) -> CameraPath:
    """Moves from each frame but the last to the next; None: not known."""
    links = [None if move is None else Link(place, move) for place, move in enumerate(moves)]
    return CameraPath([None, *links])
