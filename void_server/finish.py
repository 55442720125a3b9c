"""The last step of a shot: what the engine made, laid over the plate inside the matte."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from void_server.cropping import Parts
from void_server.engine import Progress
from void_server.footage import Footage
from void_server.masks.quadmask import KEEP
from void_server.plates.colour import ModelCurve
from void_server.plates.composite import bounding_box, composite, matte_ramp
from void_server.plates.frame import Frame
from void_server.plates.resize import enlarge
from void_server.plates.window import Window
from void_server.plates.working_space import WorkingSpace
from void_server.prepare import Pixels, stage
from void_server.quadmasks import Quadmasks

LEVELS = np.arange(256, dtype=np.float32) / np.float32(255)  # as a quadmask's levels are shown and stored
QUADMASK_LAYER = LEVELS.astype(np.float16)  # beside the half channels of a plate


def finish(
    plate: Footage,
    quadmasks: Quadmasks,
    parts: Parts,
    results: Sequence[Pixels],
    curve: ModelCurve,
    feather: float,
    progress: Progress,
) -> Iterator[Frame]:
    """The plate's frames, read again, each part's result (float32 [T, H, W, 3] in 0..1) laid over them by the matte.

    With the layers void.quadmask and void.matte. Where the matte is 0, every bit is the plate's. Raises BadPlate.
    """
    lay = functools.partial(_finish_frame, plate, quadmasks, parts, results, curve, feather)
    return stage("finishing", lay, enumerate(plate.frames), len(plate.frames), progress)


def _finish_frame(
    plate: Footage,
    quadmasks: Quadmasks,
    parts: Parts,
    results: Sequence[Pixels],
    curve: ModelCurve,
    feather: float,
    item: tuple[int, int],
) -> Frame:
    """One frame: its index and number."""
    index, number = item
    image = plate.read(number)
    here = image.data_window.slices_in(quadmasks.window)
    quadmask = quadmasks[number]
    matte = matte_ramp(quadmask != KEEP, feather)[here]
    owner = parts.owner[here]
    for part, (crop, result) in enumerate(zip(parts.crops, results, strict=True)):
        own = np.where(owner == part, matte, np.float32(0))
        image = _laid_over(image, own, crop.windows[index], result[index], curve, plate.space)
    return image.with_channels(
        {"void.quadmask": QUADMASK_LAYER[quadmask[here]], "void.matte": matte.astype(np.float16)}
    )


def _laid_over(
    image: Frame, matte: Pixels, window: Window, generated: Pixels, curve: ModelCurve, space: WorkingSpace
) -> Frame:
    """An image with what was generated for a window laid over it by a matte [h, w] that lies in that window."""
    box = bounding_box(matte > 0)
    if box is None:
        return image
    rows, columns = box
    data = image.data_window
    size = columns.stop - columns.start, rows.stop - rows.start
    filled = Window(data.x + columns.start, data.y + rows.start, *size)
    linear = space.from_rec709(curve.decode(enlarge(generated, window.width, window.height)[filled.slices_in(window)]))
    channels: dict[str, npt.NDArray[Any]] = {}
    for index, name in enumerate("RGB"):
        channel = image.channel(name).copy()
        channel[box] = composite(channel[box], np.ascontiguousarray(linear[..., index]), matte[box])
        channels[name] = channel
    return image.with_channels(channels)
