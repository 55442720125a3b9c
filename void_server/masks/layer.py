"""Where an EXR keeps its quadmask."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from void_server.masks.roto import read_matte
from void_server.plates.frame import Frame
from void_server.plates.window import Window

CHANNELS = ("void.quadmask", "R", "Y", "A")


def quadmask_layer(frame: Frame, window: Window) -> npt.NDArray[np.float32]:
    """A quadmask's levels / 255 as stored, float32 [h, w] over `window`; keep (1) outside its own data window.

    They are in void.quadmask (a result of ours), else in R, Y or A, else in the first channel there is.
    Raises BadPlate where the picture's part doesn't cover that channel.
    """
    names = [name for part in frame.parts for name in part.channels]
    return read_matte(frame, next((name for name in CHANNELS if name in names), names[0]), window, outside=1.0)
