"""A plate as the model sees it, and what every stage of a shot shares: the common window, steps of progress."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from void_server.engine import Progress
from void_server.footage import Footage
from void_server.plates.colour import HIGHEST_MAXIMUM, ModelCurve
from void_server.plates.frame import BadPlate
from void_server.plates.resize import shrink
from void_server.plates.stream import ordered_map
from void_server.plates.window import Window
from void_server.settings import ShotSettings

THREADS = 2
AHEAD = 4

Item = TypeVar("Item")
Made = TypeVar("Made")
Pixels = npt.NDArray[np.float32]


def stage(
    name: str, function: Callable[[Item], Made], items: Iterable[Item], count: int, progress: Progress
) -> Iterator[Made]:
    """`function` of each of `count` items, in order, a few at a time; a step of progress after each."""
    progress.step(name, 0, count)
    for index, made in enumerate(ordered_map(function, items, threads=THREADS, ahead=AHEAD)):
        yield made
        progress.step(name, index + 1, count)


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


def prepare_clips(
    plate: Footage, crops: Sequence[Sequence[Window]], settings: ShotSettings, progress: Progress
) -> tuple[list[Pixels], ModelCurve]:
    """Of each crop, a window a frame, a clip float32 [T, H, W, 3] in 0..1 at the model's size; and the shot's curve.

    Every plate frame is read once. Linear Rec.709 behind the curve. The curve's maximum is that of all the windows. Raises BadPlate.
    """
    count = len(plate.frames)
    clips = [np.empty((count, settings.height, settings.width, 3), np.float32) for _ in crops]
    maximum, not_finite = 1.0, {}
    shrunk = functools.partial(_shrink_frame, plate, settings)
    frames = zip(plate.frames, zip(*crops, strict=True), strict=True)
    for index, small in enumerate(stage("masking", shrunk, frames, count, progress)):
        for clip, picture in zip(clips, small.pictures, strict=True):
            clip[index] = picture
        maximum = max(maximum, small.maximum)
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


def _shrink_frame(plate: Footage, settings: ShotSettings, item: tuple[int, tuple[Window, ...]]) -> _Small:
    """A frame as it lies in each of the windows."""
    frame, windows = item
    image = plate.read(frame)
    rgb = image.rgb()
    pictures, maxima, not_finite = [], [], 0
    for window in windows:
        seen = _within(rgb, image.data_window, window)
        finite = np.isfinite(seen)
        all_finite = bool(finite.all())
        # Before any filter, which would spread one NaN over its neighbours.
        cleaned = ModelCurve(HIGHEST_MAXIMUM).clean(plate.space.to_rec709(seen))
        pictures.append(shrink(cleaned, settings.width, settings.height))
        maxima.append(
            float(cleaned.max() if all_finite else np.where(finite.all(axis=-1, keepdims=True), cleaned, 0).max())
        )
        not_finite += 0 if all_finite else int(finite.size - np.count_nonzero(finite))
    return _Small(pictures, max(maxima), not_finite)


def _within(pixels: Pixels, data: Window, window: Window) -> Pixels:
    """Pixels [h, w, 3] over `data` as they lie in `window`, black around them."""
    common = data.intersection(window)
    inside = pixels[common.slices_in(data)]
    if common == window:
        return inside
    canvas = np.zeros((window.height, window.width, 3), np.float32)
    canvas[common.slices_in(window)] = inside
    return canvas
