"""One shot, EXRs to EXRs. Read this first.

    prepare   every plate frame is read and checked: plate -> small clip, the shot's maximum       prepare.py
    masking   roto, SAM 2, hints -> quadmask, at plate resolution and at the model's               masking.py, mattes.py
    engine    clip and quadmask at the model's size -> the clip without the object (both passes)
    finish    every frame is read again: result -> linear, plate resolution -> laid over the plate inside the matte

`remove_object` does it all; `build_quadmasks` stops at the quadmask, for an artist to look at and paint over.
At plate resolution a few frames are in memory at a time, however long the shot is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from void_server.engine import Engine, Progress, RemovalRequest
from void_server.footage import Footage
from void_server.masking import NO_TOOLS, MaskTools, Shot, complete, frame_range, needs_clip, refuse_early
from void_server.masks.model_size import shrink_quadmask
from void_server.masks.quadmask import KEEP, BadMask, split
from void_server.mattes import Mattes
from void_server.plates.colour import ModelCurve
from void_server.plates.composite import bounding_box, composite, matte_ramp
from void_server.plates.exr import Layout
from void_server.plates.frame import Frame, Part
from void_server.plates.resize import enlarge
from void_server.plates.window import Window
from void_server.prepare import Pixels, common_window, prepare_clip, stage
from void_server.settings import ShotSettings

LEVELS = np.arange(256, dtype=np.float32) / np.float32(255)  # as a quadmask's levels are shown and stored
QUADMASK_LAYER = LEVELS.astype(np.float16)  # beside the half channels of a plate

Quadmask = npt.NDArray[np.uint8]


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
) -> Iterator[Frame]:
    """The plate's frames without the object, in order, each with the layers void.quadmask and void.matte.

    Scene-linear Rec.709 is assumed. Where void.matte is 0, every bit of every channel is the plate's. An empty prompt
    becomes the scene that the hints (a hints file's text, or an answer) describe. Nothing is yielded before every
    frame has been read and checked. Raises BadPlate, BadMask, BadHints, CannotReason and what `progress` raises.
    """
    window = common_window(plate, mattes.given())
    refuse_early(mattes, frame_range(plate), window, settings, hints, tools)
    clip, curve = prepare_clip(plate, window, settings, progress)
    mattes, scene = complete(mattes, Shot(plate, window, clip), settings, hints, tools, progress)
    if scene and not prompt:
        prompt = scene
        progress.notice(f"the prompt is the hints': {scene}")
    result = engine.remove(
        RemovalRequest(
            clip=clip,
            quadmask=_model_quadmasks(plate, mattes, window, settings, progress),
            prompt=prompt,
            settings=settings,
            progress=progress,
            frames=plate.frames,
            windows=(window,) * len(plate.frames),
            curve=curve,
        )
    )
    finish = functools.partial(_finish, plate, mattes, window, curve, settings.feather)
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
    clip = np.empty((0, 0, 0, 3), np.float32)
    if needs_clip(mattes, frame_range(plate), settings, hints, tools):
        clip, _ = prepare_clip(plate, window, settings, progress)
    mattes, _ = complete(mattes, Shot(plate, window, clip), settings, hints, tools, progress)
    count = len(plate.frames)
    removes = stage(
        "masking", lambda frame: _removes(_read_quadmask(plate, mattes, window, frame)), plate.frames, count, progress
    )
    if not any(list(removes)):  # the list: what comes after the first hit is checked too
        raise _nothing_to_remove(plate, mattes)

    def finish(frame: int) -> Frame:
        return _as_picture(_read_quadmask(plate, mattes, window, frame), window, plate.layout(frame))

    yield from stage("finishing", finish, plate.frames, count, progress)


def _model_quadmasks(
    plate: Footage, mattes: Mattes, window: Window, settings: ShotSettings, progress: Progress
) -> Quadmask:
    """The shot's quadmask uint8 [T, H, W] at the model's size. Raises BadMask where nothing is to be removed."""
    count = len(plate.frames)
    quadmasks = np.empty((count, settings.height, settings.width), np.uint8)
    removes = False

    def small(frame: int) -> tuple[Quadmask, bool]:
        quadmask = _read_quadmask(plate, mattes, window, frame)
        return shrink_quadmask(quadmask, settings.width, settings.height, settings.mask_levels), _removes(quadmask)

    for index, (quadmask, has) in enumerate(stage("masking", small, plate.frames, count, progress)):
        quadmasks[index] = quadmask
        removes |= has
    if not removes:
        raise _nothing_to_remove(plate, mattes)
    return quadmasks


def _read_quadmask(plate: Footage, mattes: Mattes, window: Window, frame: int) -> Quadmask:
    """One frame's quadmask over the common window."""
    return mattes.read(frame, window, index=frame - plate.frames[0])


def _removes(quadmask: Quadmask) -> bool:
    """Whether a quadmask has anything that is to go."""
    return bool(split(quadmask)[0].any())


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


def _nothing_to_remove(plate: Footage, mattes: Mattes) -> BadMask:
    frames = f"{plate.frames[0]}-{plate.frames[-1]}"
    if mattes.roto:
        return BadMask(
            f"the roto {mattes.roto.name} is empty on every frame of {frames} (no alpha of 1/32 or more inside the "
            "plate): paint what is to be removed into its alpha"
        )
    return BadMask(f"the quadmask has nothing to remove (0 or 63) on any frame of {frames}: paint what is to go")


def _finish(
    plate: Footage, mattes: Mattes, window: Window, curve: ModelCurve, feather: float, item: tuple[int, Pixels]
) -> Frame:
    """One frame of the result over its plate."""
    number, generated = item
    image = plate.read(number)
    here = image.data_window.slices_in(window)
    quadmask = _read_quadmask(plate, mattes, window, number)
    matte = matte_ramp(quadmask != KEEP, feather)[here]
    layers = {
        "void.quadmask": QUADMASK_LAYER[quadmask[here]],
        "void.matte": matte.astype(np.float16),
    }
    if matte.any():
        layers |= _filled(image, enlarge(generated, window.width, window.height)[here], matte, curve.decode)
    return image.with_channels(layers)


def _filled(
    image: Frame, encoded: Pixels, matte: Pixels, decode: Callable[[Pixels], Pixels]
) -> dict[str, npt.NDArray[Any]]:
    """R, G and B with the generated picture laid in by the matte."""
    box = bounding_box(matte > 0)
    assert box is not None
    linear = decode(encoded[box])
    channels = {}
    for index, name in enumerate("RGB"):
        channel = image.channel(name).copy()
        channel[box] = composite(channel[box], np.ascontiguousarray(linear[..., index]), matte[box])
        channels[name] = channel
    return channels
