"""A roto that is painted on some frames only: who carries it to the others, and what is said where nobody can."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from void_server.masks.quadmask import BadMask

Mask = npt.NDArray[np.bool_]
# One mapping an object (a roto layer): index of a painted frame in the clip -> its matte [H, W]. An empty matte says
# that the object isn't there.
Painted = Sequence[Mapping[int, Mask]]
# Frames done, frames in all; what it raises ends the work.
OnFrame = Callable[[int, int], None]

_LISTED = 5


class OutOfMemory(RuntimeError):
    """The card has too little memory to carry a roto; the message says what to do."""


class Propagator(Protocol):
    """What carries a roto from its painted frames to all frames; `void_server.masks.sam2.Sam2` does."""

    def carry(self, clip: npt.NDArray[np.float32], painted: Painted, on_frame: OnFrame | None = None) -> Mask:
        """What is to be removed on every frame, bool [T, H, W]; on a frame that is painted, the painted matte.

        clip: float32 [T, H, W, 3] in 0..1, display-referred. painted: mattes bool [H, W], by object and frame.
        on_frame(done, total) is called as the work goes on. Raises ValueError for what doesn't fit the clip.
        """


def unpainted(frames: Iterable[int], painted: Sequence[Container[int]]) -> list[int]:
    """Those of `frames` on which an object has no matte, not even an empty one. painted: one container an object."""
    return [frame for frame in frames if not painted or any(frame not in mattes for mattes in painted)]


def refuse_unpainted(frames: Iterable[int], painted: Sequence[Container[int]], roto: str) -> None:
    """Raise BadMask where `unpainted` finds frames and nobody can carry the roto, whose name is `roto`, to them."""
    missing = unpainted(frames, painted)
    if not missing:
        return
    listed = ", ".join(map(str, missing[:_LISTED]))
    more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
    raise BadMask(
        f"the roto {roto} is not painted on {'frame' if len(missing) == 1 else 'frames'} {listed}{more}, and there are "
        "no SAM 2 weights to carry it there: paint every frame (empty where the object isn't), or give the server the "
        "weights"
    )
