"""A quadmask over its plate, to look at without Nuke: a contact sheet, or a film of every frame.

Colours, their meaning and their strength are VOID_QuadmaskView's: red is removed, yellow is removed and affected,
blue is affected, pink is none of the four levels. The plate is shown in sRGB; what is above 1 is cut before the colours
are laid over it, or a highlight would outshine them.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from void_client.errors import BadInput
from void_client.sequences import FileSequence, FrameRange

from void_server.footage import Footage
from void_server.masks.evidence import still_indices
from void_server.masks.layer import quadmask_layer
from void_server.masks.quadmask import AFFECTED, KEEP, OVERLAP, PRIMARY, TOLERANCE
from void_server.plates.colour import ModelCurve
from void_server.plates.frame import BadPlate, Frame
from void_server.plates.resize import shrink
from void_server.plates.stream import ordered_map
from void_server.plates.video import Picture, write_mp4
from void_server.plates.window import Window
from void_server.plates.working_space import LINEAR_REC709, WorkingSpace

# The gizmo's, scene-linear; the words of its legend have the levels to paint, level / 255.
MIX = 0.6
COLOURS = {PRIMARY: (0.6, 0.01, 0.01), OVERLAP: (1.0, 0.6, 0.02), AFFECTED: (0.0, 0.06, 0.9)}
NO_LEVEL = (1.0, 0.1, 0.6)
LEGEND = {
    "remove  0": COLOURS[PRIMARY],
    "both  0.247": COLOURS[OVERLAP],
    "affected  0.498": COLOURS[AFFECTED],
    "none of the four": NO_LEVEL,
}

SIDE = 960  # a picture's long side in pixels, at most
SHEET_FRAMES, SHEET_SIDE = 9, 1920
RATE, QUALITY = Fraction(24), 18
GAP, LINE, ENTRY = 8, 24, 150  # pixels: between pictures; a line of words; the width of a legend's entry

SCREEN = ModelCurve(1.0)
_PAPER, _INK = 24, (220, 220, 220)


def write_overlay(
    target: Path,
    plate: FileSequence,
    quadmask: FileSequence,
    frames: FrameRange,
    space: WorkingSpace = LINEAR_REC709,
) -> None:
    """Write a sheet of up to nine frames, evenly spaced (.png), or a film of every frame at 24 a second (.mp4).

    plate: EXRs, scene-linear, in `space`. quadmask: EXRs of levels / 255, as `void quadmask` writes them, a painter
    leaves them or a result carries them. What the format shows is shown, its long side at most 960 pixels, with
    square pixels. The file is there whole or not at all; a few frames are in memory at a time.
    Raises BadInput for another kind of target, one that can't be written, frames that are missing or can't be read,
    and frames of several formats.
    """
    if target.suffix.lower() not in (".png", ".mp4"):
        raise BadInput(f"the overlay {target} is neither .png (a contact sheet) nor .mp4 (every frame): name it so")
    plate.require(frames)
    quadmask.require(frames)
    shown, masks = (Footage(given.pattern, {n: given.path(n) for n in frames}) for given in (plate, quadmask))
    shown = replace(shown, space=space)
    try:
        size = _common_size(shown, masks)
        with _whole_file(target) as file:
            write = _write_sheet if target.suffix.lower() == ".png" else _write_film
            write(file, shown, masks, size)
    except BadPlate as error:
        raise BadInput(str(error)) from error


def overlay_picture(
    plate: Frame, quadmask: Frame, width: int, height: int, space: WorkingSpace = LINEAR_REC709
) -> Picture:
    """One frame's plate under its quadmask's colours: sRGB, uint8 [height, width, 3], over the plate's format.

    The plate's light, in linear Rec.709, is cut to 0..1 (NaN is black, and so is what it does not cover) and mixed with
    the colours in linear light. A level counts as one of the four within 12 of 255, as in the gizmo. Raises BadPlate.
    """
    under = _light(plate, width, height, space)
    mixed = under.copy()
    for colour, where in _coloured(255 * quadmask_layer(quadmask, plate.display_window)):
        share = MIX * shrink(where, width, height)[..., None]
        mixed += share * (np.array(colour, np.float32) - under)
    return np.rint(255 * SCREEN.encode(mixed)).astype(np.uint8)


def screen_picture(frame: Frame, width: int, height: int, space: WorkingSpace = LINEAR_REC709) -> Picture:
    """One frame alone, as overlay_picture shows it."""
    return np.rint(255 * SCREEN.encode(_light(frame, width, height, space))).astype(np.uint8)


def _light(frame: Frame, width: int, height: int, space: WorkingSpace) -> npt.NDArray[np.float32]:
    """A frame's format in linear Rec.709 within 0..1, float32 [height, width, 3]."""
    window = frame.display_window
    light = np.zeros((window.height, window.width, 3), np.float32)
    common = window.intersection(frame.data_window)
    if common.width and common.height:
        rgb = frame.rgb()[common.slices_in(frame.data_window)]
        light[common.slices_in(window)] = SCREEN.clean(space.to_rec709(rgb))
    return shrink(light, width, height)


def _coloured(levels: npt.NDArray[np.float32]) -> Iterator[tuple[tuple[float, float, float], npt.NDArray[np.bool_]]]:
    """Each colour and where in the levels [h, w] it lies; no two share a pixel."""
    rest = ~(np.abs(levels - KEEP) <= TOLERANCE)  # written so that NaN is no level
    for level, colour in COLOURS.items():
        here = np.abs(levels - level) <= TOLERANCE
        rest &= ~here
        yield colour, here
    yield NO_LEVEL, rest


def _common_size(plate: Footage, quadmask: Footage) -> tuple[float, float]:
    """Width and height of every frame's format, in square pixels. Raises BadPlate, and BadInput where they differ."""
    first = plate.layout(plate.frames[0])
    for footage in (plate, quadmask):
        for frame in footage.frames:
            display = footage.layout(frame).display_window
            if display != first.display_window:
                raise BadInput(
                    f"{footage.label(frame)} has the format {_words(display)}, {plate.label(plate.frames[0])} has "
                    f"{_words(first.display_window)}: an overlay needs plate and quadmask in one format"
                )
    return first.display_window.width * first.pixel_aspect, first.display_window.height


def _words(display: Window) -> str:
    at = f" at {display.x}, {display.y}" if (display.x, display.y) != (0, 0) else ""
    return f"{display.width}x{display.height}{at}"


def _pictures(
    plate: Footage, quadmask: Footage, frames: Iterable[int], size: tuple[float, float], side: int
) -> Iterator[Picture]:
    """These frames' overlays with their numbers, in order, as large as they are but for a long side of `side`."""
    scale = min(1.0, side / max(size))
    width, height = (max(1, round(length * scale)) for length in size)

    def picture(frame: int) -> Picture:
        shown = overlay_picture(plate.read(frame), quadmask.read(frame), width, height, plate.space)
        return _stacked([shown, _line(f"frame {frame}")])

    return ordered_map(picture, frames, threads=2, ahead=4)


def _write_film(file: BinaryIO, plate: Footage, quadmask: Footage, size: tuple[float, float]) -> None:
    pictures = _pictures(plate, quadmask, plate.frames, size, SIDE)
    write_mp4(file, (_stacked([picture, _legend(picture.shape[1])]) for picture in pictures), RATE, QUALITY)


def _write_sheet(file: BinaryIO, plate: Footage, quadmask: Footage, size: tuple[float, float]) -> None:
    frames = [plate.frames[index] for index in still_indices(len(plate.frames), SHEET_FRAMES)]
    columns = math.ceil(math.sqrt(len(frames)))
    pictures = [_framed(one) for one in _pictures(plate, quadmask, frames, size, min(SIDE, SHEET_SIDE // columns))]
    rows = [np.hstack(pictures[start : start + columns]) for start in range(0, len(pictures), columns)]
    sheet = _stacked([*rows, _legend(rows[0].shape[1])])
    Image.fromarray(sheet).save(file, "PNG")


def _framed(picture: Picture) -> Picture:
    """With a gap above and on its left."""
    return np.pad(picture, ((GAP, 0), (GAP, 0), (0, 0)), constant_values=_PAPER)


def _stacked(pictures: Iterable[Picture]) -> Picture:
    """One above the other, on the left, as wide as the widest."""
    given = list(pictures)
    width = max(picture.shape[1] for picture in given)
    return np.vstack([np.pad(p, ((0, 0), (0, width - p.shape[1]), (0, 0)), constant_values=_PAPER) for p in given])


def _line(text: str) -> Picture:
    """Words on a line of their own, as wide as they need."""
    font = ImageFont.load_default(14)
    line = Image.new("RGB", (math.ceil(font.getlength(text)) + GAP, LINE), (_PAPER,) * 3)
    ImageDraw.Draw(line).text((GAP // 2, LINE / 2), text, _INK, font, anchor="lm")
    return np.asarray(line)


def _legend(width: int) -> Picture:
    """What the colours mean, in as many lines as the width takes."""
    entries = []
    for words, colour in LEGEND.items():
        entry = np.full((LINE, ENTRY, 3), _PAPER, np.uint8)
        entry[GAP // 2 : -GAP // 2, GAP : 4 * GAP] = np.rint(255 * SCREEN.encode(np.array(colour)))
        written = _line(words)
        entry[:, 4 * GAP + 2 : 4 * GAP + 2 + written.shape[1]] = written
        entries.append(entry)
    across = max(1, width // ENTRY)
    return _stacked(np.hstack(entries[start : start + across]) for start in range(0, len(entries), across))


@contextmanager
def _whole_file(target: Path) -> Iterator[BinaryIO]:
    """A file that becomes `target` once it is written, and is gone where that fails. Raises BadInput."""
    temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("w+b") as file:
                yield file
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(
            f"the overlay {target} can't be written ({error.strerror or error}): choose another place, make room, or "
            "ask for access"
        ) from error
