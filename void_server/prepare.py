"""A plate as the model sees it."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from void_server.engine import Progress
from void_server.footage import Footage
from void_server.plates.colour import HIGHEST_MAXIMUM, ModelCurve
from void_server.plates.frame import BadPlate
from void_server.plates.resize import shrink
from void_server.plates.window import Window
from void_server.plates.working_space import IDENTITY, WorkingSpace
from void_server.settings import ShotSettings
from void_server.stages import stage
from void_server.survey import Seen, Survey

Pixels = npt.NDArray[np.float32]

WIDEST = ModelCurve(HIGHEST_MAXIMUM)


def common_window(plate: Footage, others: Iterable[Footage]) -> Window:
    """The window that holds the data of every plate frame, overscan included. Raises BadPlate where formats differ."""
    window: Window | None = None
    display: Window | None = None
    for frame in plate.frames:
        layout = plate.layout(frame)
        window = layout.data_window if window is None else window.union(layout.data_window)
        display = display or layout.display_window
        for footage in (plate, *(other for other in others if frame in other.paths)):
            here = footage.layout(frame).display_window
            if here != display:
                raise BadPlate(
                    f"{footage.label(frame)} has the format {_format(here)}, {plate.label(plate.frames[0])} has "
                    f"{_format(display)}: render both in one format"
                )
    assert window is not None
    return window


def _format(display: Window) -> str:
    at = f" at {display.x}, {display.y}" if (display.x, display.y) != (0, 0) else ""
    return f"{display.width}x{display.height}{at}"


@dataclass(frozen=True)
class _Small:
    """One frame as the model will see it, still linear: one picture a window."""

    pictures: list[Pixels]
    maximum: float
    not_finite: int
    seen: Seen | None


def prepare_clips(
    plate: Footage,
    crops: Sequence[Sequence[Window]],
    settings: ShotSettings,
    progress: Progress,
    survey: Survey | None = None,
) -> tuple[list[Pixels], ModelCurve]:
    """Of each crop, a window a frame, a clip float32 [T, H, W, 3] in 0..1 at the model's size; and the shot's curve.

    Every plate frame is read once, and shown to `survey`. Linear Rec.709 behind the curve, whose maximum is that of all
    windows. Raises BadPlate.
    """
    count = len(plate.frames)
    clips = [np.empty((count, settings.height, settings.width, 3), np.float32) for _ in crops]
    maximum, not_finite = 1.0, {}
    shrunk = functools.partial(_shrink_frame, plate, settings, survey)
    frames = zip(plate.frames, zip(*crops, strict=True), strict=True)
    for index, small in enumerate(stage("masking", shrunk, frames, count, progress)):
        for clip, picture in zip(clips, small.pictures, strict=True):
            clip[index] = picture
        maximum = max(maximum, small.maximum)
        if survey and small.seen:
            survey.note(small.seen)
        if small.not_finite:
            not_finite[plate.frames[index]] = small.not_finite
    if not_finite:
        progress.notice(
            f"{plate.name} has NaN or Inf in {len(not_finite)} of {count} frames (first: {next(iter(not_finite))}, "
            f"{next(iter(not_finite.values()))} values): the model saw them cleaned; outside the matte they are kept"
        )
    curve = ModelCurve.for_shot(maximum)
    for clip in clips:
        for picture in clip:
            picture[...] = curve.encode(picture)
    return clips, curve


def _shrink_frame(
    plate: Footage, settings: ShotSettings, survey: Survey | None, item: tuple[int, tuple[Window, ...]]
) -> _Small:
    """A frame as it lies in each of the windows."""
    frame, windows = item
    image = plate.read(frame)
    pictures, maximum, not_finite = [], 0.0, 0
    for window in windows:
        planes = [_within(channel, image.data_window, window) for channel in image.picture().values()]
        bad = [_not_finite(plane) for plane in planes]
        not_finite += sum(bad)
        known = np.isfinite(planes).all(axis=0) if any(bad) else ...
        # Before any filter, which would spread one NaN over its neighbours.
        cleaned = [WIDEST.clean(plane) for plane in _as_rec709(planes, plate.space)]
        maximum = max(maximum, *(float(plane[known].max(initial=0)) for plane in cleaned))
        small = [shrink(plane, settings.width, settings.height) for plane in cleaned]
        pictures.append(np.stack(small, axis=-1))
    return _Small(pictures, maximum, not_finite, survey.look(frame, image) if survey else None)


def _not_finite(plane: Pixels) -> int:
    """How many values are NaN or Inf; the extremes tell in most frames, without a look at each."""
    if math.isfinite(plane.min()) and math.isfinite(plane.max()):
        return 0
    return int(plane.size - np.count_nonzero(np.isfinite(plane)))


def _as_rec709(planes: list[Pixels], space: WorkingSpace) -> Sequence[Pixels]:
    """R, G and B [h, w] as linear Rec.709, plane by plane: to lay them side by side costs more than all else here."""
    return planes if space.matrix == IDENTITY else cv2.split(space.to_rec709(np.stack(planes, axis=-1)))


def _within(channel: npt.NDArray[Any], data: Window, window: Window) -> Pixels:
    """What of a channel [h, w] over `data` lies in `window`, black around it."""
    common = data.intersection(window)
    if common == window:
        return channel[common.slices_in(data)].astype(np.float32)
    canvas = np.zeros((window.height, window.width), np.float32)
    if common.width and common.height:
        canvas[common.slices_in(window)] = channel[common.slices_in(data)]
    return canvas
