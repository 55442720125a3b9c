"""One shot, EXRs to EXRs. Read this first.

    masking   roto, SAM 2, hints -> quadmask of every frame, at plate resolution     masking.py, mattes.py, quadmasks.py
    crop      what changes -> one window or several, each a run of the engine           cropping.py, plates/crop.py
    prepare   every plate frame is read and checked: each window -> a small clip                              prepare.py
    engine    clip and quadmask at the model's size -> the clip without the object (both passes)
    finish    every frame is read again: real pixels of other frames, else the result, and grain, inside the matte
                                                                                     survey.py, behind.py, finish.py

`remove_object` does it all; `build_quadmasks` stops at the quadmask, for an artist to look at and paint over.
At plate resolution a few frames are in memory at a time, however long the shot is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from void_server.asked import Asked
from void_server.cropping import take_apart
from void_server.engine import Engine, Progress, RemovalRequest
from void_server.finish import LEVELS, Made, finish
from void_server.footage import Footage
from void_server.masking import NO_TOOLS, MaskTools, Shot, complete, frame_range, needs_clip, refuse_early, tell
from void_server.masks.model_size import shrink_quadmask
from void_server.mattes import Mattes
from void_server.plates.crop import Crop
from void_server.plates.exr import Layout
from void_server.plates.frame import Frame, Part
from void_server.plates.window import Window
from void_server.prepare import common_window, prepare_clips
from void_server.quadmasks import Quadmask, Quadmasks
from void_server.settings import ShotSettings
from void_server.stages import stage
from void_server.survey import Survey


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
    """The plate's frames without the object, in order, each with the layers that `finish` names.

    All is in the plate's own space; the model alone sees Rec.709. Where void.matte is 0, every bit of every channel is
    the plate's. An empty prompt becomes the scene that the hints (a hints file's text, or an answer) describe.
    checkpoint: a folder in which the engine keeps what a restart goes on from. Nothing is yielded before every frame
    has been read and checked. Raises BadPlate, BadMask, BadHints, CannotReason and what `progress` raises.
    """
    window = common_window(plate, mattes.given())
    mattes, scene = _completed(plate, mattes, window, settings, hints, tools, progress, checkpoint)
    if scene and not prompt:
        prompt = scene
        progress.notice(f"the prompt is the hints': {scene}")
    quadmasks = Quadmasks(plate, mattes, window, progress)
    parts = take_apart(quadmasks, plate, settings, progress)
    progress.part(1, len(parts.crops))
    survey = Survey(plate, quadmasks, settings)
    clips, curve = prepare_clips(plate, [crop.windows for crop in parts.crops], settings, progress, survey)
    for index, crop in enumerate(parts.crops):  # in place of the clip, so that a run adds nothing to what is held
        progress.part(index + 1, len(parts.crops))
        clips[index] = engine.remove(
            RemovalRequest(
                clip=clips[index],
                quadmask=_model_quadmask(quadmasks, crop, plate.frames, settings),
                prompt=prompt,
                settings=settings,
                progress=progress,
                frames=plate.frames,
                windows=crop.windows,
                curve=curve,
                checkpoint=checkpoint / f"part{index + 1}" if checkpoint else None,
            )
        )
    made = Made(parts, clips, curve, plate.space, survey.behind(), survey.grain())
    yield from finish(plate, quadmasks, made, settings, progress)


def build_quadmasks(
    plate: Footage,
    mattes: Mattes,
    settings: ShotSettings,
    progress: Progress,
    *,
    hints: str = "",
    tools: MaskTools = NO_TOOLS,
    checkpoint: Path | None = None,
) -> Iterator[Frame]:
    """The quadmask that `remove_object` would work with, in order, one frame a plate frame.

    R, G and B hold level / 255 in float32 and A holds 1, in the plate's format and pixel aspect, over all of that
    format and the shot's overscan (around a smaller picture Nuke would show 0, which is remove): something to look
    at, to paint over in rgb and to give back as the quadmask. Of the plate, headers alone are read, unless SAM 2 or a
    reasoner has to see it. Nothing is yielded before every matte has been read and checked. Raises as `remove_object`
    does (but for what is wrong with plates that are not looked at), and what `progress` raises.
    """
    window = common_window(plate, mattes.given())
    mattes, _ = _completed(plate, mattes, window, settings, hints, tools, progress, checkpoint)
    quadmasks = Quadmasks(plate, mattes, window, progress)

    def picture(frame: int) -> Frame:
        return _as_picture(quadmasks[frame], window, plate.layout(frame))

    yield from stage("finishing", picture, plate.frames, len(plate.frames), progress)


def _completed(
    plate: Footage,
    mattes: Mattes,
    window: Window,
    settings: ShotSettings,
    hints: str,
    tools: MaskTools,
    progress: Progress,
    checkpoint: Path | None,
) -> tuple[Mattes, str]:
    """The mattes with what SAM 2 and hints add, and the hints' scene. The plate is read only if they have to see it.

    Where an earlier attempt has asked for hints, this one has those, or none, as that one had.
    """
    if settings.ask != "never" and not hints and (asked := Asked.earlier(checkpoint)):
        settings, hints = replace(settings, ask="never"), asked.hints
        tell(asked, progress)
    refuse_early(mattes, frame_range(plate), window, settings, hints, tools)
    clip = np.empty((0, 0, 0, 3), np.float32)
    if needs_clip(mattes, frame_range(plate), settings, hints, tools):
        whole = (window,) * len(plate.frames)
        (clip,), _ = prepare_clips(plate, [whole], settings, progress)
    return complete(mattes, Shot(plate, window, clip), settings, hints, tools, progress, checkpoint)


def _model_quadmask(quadmasks: Quadmasks, crop: Crop, frames: tuple[int, ...], settings: ShotSettings) -> Quadmask:
    """The crop's quadmask uint8 [T, H, W] at the model's size."""
    size = settings.width, settings.height
    return np.stack(
        [
            shrink_quadmask(quadmasks.shown(frame)[window.slices_in(quadmasks.window)], *size, settings.mask_levels)
            for frame, window in zip(frames, crop.windows, strict=True)
        ]
    )


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
