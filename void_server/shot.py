"""One shot, EXRs to EXRs. Read this first.

    masking   roto, SAM 2, hints -> quadmask of every frame, at plate resolution     masking.py, mattes.py, quadmasks.py
    prepare   every plate frame is read and checked: the part around what changes -> small clip            prepare.py
    engine    clip and quadmask at the model's size -> the clip without the object (both passes)
    finish    every frame is read again: result -> linear, plate resolution -> laid over the plate inside the matte

`remove_object` does it all; `build_quadmasks` stops at the quadmask, for an artist to look at and paint over.
At plate resolution a few frames are in memory at a time, however long the shot is.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from void_server.engine import Engine, Progress, RemovalRequest
from void_server.footage import Footage
from void_server.masking import NO_TOOLS, MaskTools, Shot, complete, frame_range, needs_clip, refuse_early
from void_server.masks.model_size import shrink_quadmask
from void_server.masks.quadmask import KEEP
from void_server.mattes import Mattes
from void_server.plates.colour import ModelCurve
from void_server.plates.composite import bounding_box, composite, matte_ramp
from void_server.plates.crop import crop_window
from void_server.plates.exr import Layout
from void_server.plates.frame import Frame, Part
from void_server.plates.resize import enlarge
from void_server.plates.window import Window
from void_server.prepare import Pixels, common_window, prepare_clip, stage
from void_server.quadmasks import Quadmask, Quadmasks
from void_server.settings import ShotSettings

LEVELS = np.arange(256, dtype=np.float32) / np.float32(255)  # as a quadmask's levels are shown and stored
QUADMASK_LAYER = LEVELS.astype(np.float16)  # beside the half channels of a plate


def remove_object(
    plate: Footage,
    mattes: Mattes,
    settings: ShotSettings,
    engine: Engine,
    progress: Progress,
    *,
    prompt: str = "",
    hints: str = "",
    tools: MaskTools = NO_TOOLS,
    checkpoint: Path | None = None,
) -> Iterator[Frame]:
    """The plate's frames without the object, in order, each with the layers void.quadmask and void.matte.

    Scene-linear Rec.709 is assumed. Where void.matte is 0, every bit of every channel is the plate's. An empty prompt
    becomes the scene that the hints (a hints file's text, or an answer) describe. checkpoint: a folder in which the
    engine keeps what a restart goes on from. Nothing is yielded before every frame has been read and checked. Raises
    BadPlate, BadMask, BadHints, CannotReason and what `progress` raises.
    """
    window = common_window(plate, mattes.given())
    refuse_early(mattes, frame_range(plate), window, settings, hints, tools)
    mattes, scene = _completed(plate, mattes, window, settings, hints, tools, progress)
    if scene and not prompt:
        prompt = scene
        progress.notice(f"the prompt is the hints': {scene}")
    quadmasks = Quadmasks(plate, mattes, window, progress)
    crop = _crop(quadmasks, plate, settings)
    clip, curve = prepare_clip(plate, crop, settings, progress)
    result = engine.remove(
        RemovalRequest(
            clip=clip,
            quadmask=_model_quadmask(quadmasks, crop, plate.frames, settings),
            prompt=prompt,
            settings=settings,
            progress=progress,
            frames=plate.frames,
            windows=(crop,) * len(plate.frames),
            curve=curve,
            checkpoint=checkpoint,
        )
    )
    finish = functools.partial(_finish, plate, quadmasks, crop, curve, settings.feather)
    yield from stage("finishing", finish, zip(plate.frames, result, strict=True), len(plate.frames), progress)


def build_quadmasks(
    plate: Footage,
    mattes: Mattes,
    settings: ShotSettings,
    progress: Progress,
    *,
    hints: str = "",
    tools: MaskTools = NO_TOOLS,
) -> Iterator[Frame]:
    """The quadmask that `remove_object` would work with, in order, one frame a plate frame.

    R, G and B hold level / 255 in float32 and A holds 1, in the plate's format and pixel aspect, over all of that
    format and the shot's overscan (around a smaller picture Nuke would show 0, which is remove): something to look
    at, to paint over in rgb and to give back as the quadmask. Of the plate, headers alone are read, unless SAM 2 or a
    reasoner has to see it. Nothing is yielded before every matte has been read and checked. Raises as `remove_object`
    does (but for what is wrong with plates that are not looked at), and what `progress` raises.
    """
    window = common_window(plate, mattes.given())
    refuse_early(mattes, frame_range(plate), window, settings, hints, tools)
    mattes, _ = _completed(plate, mattes, window, settings, hints, tools, progress)
    quadmasks = Quadmasks(plate, mattes, window, progress)

    def finish(frame: int) -> Frame:
        return _as_picture(quadmasks[frame], window, plate.layout(frame))

    yield from stage("finishing", finish, plate.frames, len(plate.frames), progress)


def _completed(
    plate: Footage,
    mattes: Mattes,
    window: Window,
    settings: ShotSettings,
    hints: str,
    tools: MaskTools,
    progress: Progress,
) -> tuple[Mattes, str]:
    """The mattes with what SAM 2 and hints add, and the hints' scene. The plate is read only if they have to see it."""
    clip = np.empty((0, 0, 0, 3), np.float32)
    if needs_clip(mattes, frame_range(plate), settings, hints, tools):
        clip, _ = prepare_clip(plate, window, settings, progress)
    return complete(mattes, Shot(plate, window, clip), settings, hints, tools, progress)


def _crop(quadmasks: Quadmasks, plate: Footage, settings: ShotSettings) -> Window:
    """The part of the plate that the model is shown: around all that it changes and the ramp about it."""
    if settings.crop == "full":
        return quadmasks.window
    reach = math.ceil(settings.feather)
    region = quadmasks.region
    wider = Window(region.x - reach, region.y - reach, region.width + 2 * reach, region.height + 2 * reach)
    aspect = plate.layout(plate.frames[0]).pixel_aspect
    return crop_window(wider.intersection(quadmasks.window), quadmasks.window, settings.width, settings.height, aspect)


def _model_quadmask(quadmasks: Quadmasks, crop: Window, frames: tuple[int, ...], settings: ShotSettings) -> Quadmask:
    """The crop's quadmask uint8 [T, H, W] at the model's size."""
    here = crop.slices_in(quadmasks.window)
    size = settings.width, settings.height
    return np.stack([shrink_quadmask(quadmasks[frame][here], *size, settings.mask_levels) for frame in frames])


def _as_picture(quadmask: Quadmask, window: Window, layout: Layout) -> Frame:
    """A quadmask over `window` as an EXR of its own in this layout's format, keep where there is no plate."""
    whole = window.union(layout.display_window)
    level = np.ones((whole.height, whole.width), np.float32)
    level[window.slices_in(whole)] = LEVELS[quadmask]
    header = {
        "dataWindow": whole.box,
        "displayWindow": layout.display_window.box,
        "pixelAspectRatio": layout.pixel_aspect,
    }
    return Frame((Part(header, dict.fromkeys("RGB", level) | {"A": np.ones_like(level)}),))


def _finish(
    plate: Footage,
    quadmasks: Quadmasks,
    crop: Window,
    curve: ModelCurve,
    feather: float,
    item: tuple[int, Pixels],
) -> Frame:
    """One frame of the result over its plate."""
    number, generated = item
    image = plate.read(number)
    data = image.data_window
    here = data.slices_in(quadmasks.window)
    quadmask = quadmasks[number]
    matte = matte_ramp(quadmask != KEEP, feather)[here]
    layers = {
        "void.quadmask": QUADMASK_LAYER[quadmask[here]],
        "void.matte": matte.astype(np.float16),
    }
    box = bounding_box(matte > 0)
    if box is not None:
        rows, columns = box
        filled = Window(data.x + columns.start, data.y + rows.start, *_size(box))
        encoded = enlarge(generated, crop.width, crop.height)[filled.slices_in(crop)]
        layers |= _filled(image, curve.decode(encoded), matte[box], box)
    return image.with_channels(layers)


def _size(box: tuple[slice, slice]) -> tuple[int, int]:
    """Width and height of a box of rows and columns."""
    return box[1].stop - box[1].start, box[0].stop - box[0].start


def _filled(image: Frame, linear: Pixels, matte: Pixels, box: tuple[slice, slice]) -> dict[str, npt.NDArray[Any]]:
    """R, G and B with the generated picture laid into a box by the matte."""
    channels = {}
    for index, name in enumerate("RGB"):
        channel = image.channel(name).copy()
        channel[box] = composite(channel[box], np.ascontiguousarray(linear[..., index]), matte)
        channels[name] = channel
    return channels
