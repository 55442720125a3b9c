"""One shot, EXRs to EXRs. Read this first.

    prepare   every frame is read and checked: plate -> small linear clip, roto -> small quadmask, the shot's maximum
    engine    clip and quadmask at the model's size -> the clip without the object (both passes)
    finish    every frame is read again: result -> linear, plate resolution -> laid over the plate inside the matte

`remove_object` does all three; `build_quadmasks` stops at the quadmask, for an artist to look at and paint over.
At plate resolution a few frames are in memory at a time, however long the shot is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from void_server.engine import Engine, Progress, RemovalRequest
from void_server.footage import Footage
from void_server.masks.quadmask import KEEP, BadMask, read_quadmask, split
from void_server.masks.roto import build_quadmask, primary_from_alpha, read_matte
from void_server.plates.colour import HIGHEST_MAXIMUM, ModelCurve
from void_server.plates.composite import bounding_box, composite, matte_ramp
from void_server.plates.exr import Layout
from void_server.plates.frame import BadPlate, Frame, Part
from void_server.plates.resize import enlarge, shrink
from void_server.plates.stream import ordered_map
from void_server.plates.window import Window
from void_server.settings import ShotSettings

THREADS = 2
AHEAD = 4

LEVELS = np.arange(256, dtype=np.float32) / np.float32(255)  # as a quadmask's levels are shown and stored
QUADMASK_LAYER = LEVELS.astype(np.float16)  # beside the half channels of a plate

Item = TypeVar("Item")
Made = TypeVar("Made")
Pixels = npt.NDArray[np.float32]
Quadmask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Mattes:
    """What says where the object is: a finished quadmask, or the roto and perhaps a painted affected region."""

    roto: Footage | None = None
    affected: Footage | None = None
    quadmask: Footage | None = None

    def given(self) -> list[Footage]:
        """Those that there are."""
        return [footage for footage in (self.roto, self.affected, self.quadmask) if footage]

    def read(self, frame: int, window: Window, *, first: bool) -> Quadmask:
        """One frame's quadmask, uint8 [h, w] over `window`. Raises BadPlate, BadMask."""
        if self.quadmask:
            image = self.quadmask.read(frame)
            names = [name for part in image.parts for name in part.channels]
            channel = next((name for name in ("void.quadmask", "R", "Y", "A") if name in names), names[0])
            return read_quadmask(read_matte(image, channel, window, outside=1.0), self.quadmask.label(frame))
        assert self.roto is not None
        primary = primary_from_alpha(read_matte(self.roto.read(frame), "A", window), self.roto.label(frame))
        affected = None
        if self.affected:
            alpha = read_matte(self.affected.read(frame), "A", window)
            affected = primary_from_alpha(alpha, self.affected.label(frame))
        return build_quadmask(primary, affected, first=first)


def remove_object(
    plate: Footage,
    mattes: Mattes,
    settings: ShotSettings,
    engine: Engine,
    progress: Progress,
    *,
    prompt: str = "",
) -> Iterator[Frame]:
    """The plate's frames without the object, in order, each with the layers void.quadmask and void.matte.

    Scene-linear Rec.709 is assumed. Where void.matte is 0, every bit of every channel is the plate's. Nothing is
    yielded before every frame has been read and checked. Raises BadPlate, BadMask and what `progress` raises.
    """
    window = _common_window(plate, mattes)
    clip, quadmask, curve = _prepare(plate, mattes, window, settings, progress)
    request = RemovalRequest(
        clip=clip,
        quadmask=quadmask,
        prompt=prompt,
        settings=settings,
        progress=progress,
        frames=plate.frames,
        windows=(window,) * len(plate.frames),
        curve=curve,
    )
    result = engine.remove(request)
    finish = functools.partial(_finish, plate, mattes, window, curve, settings.feather)
    yield from _stage("finishing", finish, zip(plate.frames, result, strict=True), len(plate.frames), progress)


def build_quadmasks(plate: Footage, mattes: Mattes, progress: Progress) -> Iterator[Frame]:
    """The quadmask that `remove_object` would work with, in order, one frame a plate frame.

    R, G and B hold level / 255 in float32 and A holds 1, in the plate's format and pixel aspect, over all of that
    format and the shot's overscan (around a smaller picture Nuke would show 0, which is remove): something to look
    at, to paint over in rgb and to give back as the quadmask. Of the plate, headers alone are read. Nothing is
    yielded before every matte has been read and checked. Raises BadPlate and BadMask as `remove_object` does (but for
    what is wrong with the plate's pixels), and what `progress` raises.
    """
    window = _common_window(plate, mattes)
    read = functools.partial(_read_quadmask, plate, mattes, window)
    count = len(plate.frames)
    removes = _stage("masking", lambda frame: _removes(read(frame)), plate.frames, count, progress)
    if not any(list(removes)):  # the list: what comes after the first hit is checked too
        raise _nothing_to_remove(plate, mattes)

    def finish(frame: int) -> Frame:
        return _as_picture(read(frame), window, plate.layout(frame))

    yield from _stage("finishing", finish, plate.frames, count, progress)


def _stage(
    name: str, function: Callable[[Item], Made], items: Iterable[Item], count: int, progress: Progress
) -> Iterator[Made]:
    """`function` of each of `count` items, in order, a few at a time; a step of progress after each."""
    progress.step(name, 0, count)
    for index, made in enumerate(ordered_map(function, items, threads=THREADS, ahead=AHEAD)):
        yield made
        progress.step(name, index + 1, count)


def _common_window(plate: Footage, mattes: Mattes) -> Window:
    """The window that holds the data of every plate frame, overscan included. Raises BadPlate where formats differ."""
    window: Window | None = None
    display: Window | None = None
    for frame in plate.frames:
        layout = plate.layout(frame)
        window = layout.data_window if window is None else window.union(layout.data_window)
        display = display or layout.display_window
        for footage in (plate, *mattes.given()):
            other = footage.layout(frame).display_window
            if other != display:
                raise BadPlate(
                    f"{footage.label(frame)} has the format {_format(other)}, {plate.label(plate.frames[0])} has "
                    f"{_format(display)}: render both in one format"
                )
    assert window is not None
    return window


def _read_quadmask(plate: Footage, mattes: Mattes, window: Window, frame: int) -> Quadmask:
    """One frame's quadmask over the common window."""
    return mattes.read(frame, window, first=frame == plate.frames[0])


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


def _format(display: Window) -> str:
    at = f" at {display.x}, {display.y}" if (display.x, display.y) != (0, 0) else ""
    return f"{display.width}x{display.height}{at}"


@dataclass(frozen=True)
class _Small:
    """One frame as the model will see it, still linear."""

    linear: Pixels
    quadmask: Quadmask
    maximum: float
    not_finite: int
    selected: bool


def _prepare(
    plate: Footage, mattes: Mattes, window: Window, settings: ShotSettings, progress: Progress
) -> tuple[Pixels, Quadmask, ModelCurve]:
    """Clip float32 [T, H, W, 3] in 0..1 and quadmask uint8 [T, H, W] at the model's size, and the shot's curve."""
    count = len(plate.frames)
    linear = np.empty((count, settings.height, settings.width, 3), np.float32)
    quadmask = np.empty((count, settings.height, settings.width), np.uint8)
    maximum, selected, not_finite = 1.0, False, {}
    shrunk = functools.partial(_shrink_frame, plate, mattes, window, settings)
    for index, small in enumerate(_stage("masking", shrunk, plate.frames, count, progress)):
        linear[index], quadmask[index] = small.linear, small.quadmask
        maximum = max(maximum, small.maximum)
        selected |= small.selected
        if small.not_finite:
            not_finite[plate.frames[index]] = small.not_finite
    if not selected:
        raise _nothing_to_remove(plate, mattes)
    if not_finite:
        progress.notice(
            f"{plate.name} has NaN or Inf in {len(not_finite)} of {count} frames (first: {next(iter(not_finite))}, "
            f"{next(iter(not_finite.values()))} values): the model saw them cleaned; outside the matte they are kept"
        )
    curve = ModelCurve.for_shot(maximum)
    for picture in linear:
        picture[...] = curve.encode(picture)
    return linear, quadmask, curve


def _shrink_frame(plate: Footage, mattes: Mattes, window: Window, settings: ShotSettings, frame: int) -> _Small:
    image = plate.read(frame)
    rgb = image.rgb()
    finite = np.isfinite(rgb)
    all_finite = bool(finite.all())
    # Before any filter, which would spread one NaN over its neighbours.
    cleaned = ModelCurve(HIGHEST_MAXIMUM).clean(rgb)
    maximum = float(cleaned.max() if all_finite else np.where(finite, cleaned, 0).max())
    quadmask = _read_quadmask(plate, mattes, window, frame)
    small = shrink(quadmask, settings.width, settings.height)
    return _Small(
        linear=shrink(_within(cleaned, image.data_window, window), settings.width, settings.height),
        quadmask=np.rint(small).astype(np.uint8),
        maximum=maximum,
        not_finite=0 if all_finite else int(finite.size - np.count_nonzero(finite)),
        selected=_removes(quadmask),
    )


def _within(pixels: Pixels, data: Window, window: Window) -> Pixels:
    """Pixels [h, w, 3] over `data` as they lie in `window`, black around."""
    if data == window:
        return pixels
    canvas = np.zeros((window.height, window.width, 3), np.float32)
    canvas[data.slices_in(window)] = pixels
    return canvas


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
