"""A shot with a disc that moves, its roto, its hints, and who carries or tells them in a way that is known."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from shots_on_disk import SETTINGS, Engine, Progress, flat_image, footage

from void_server.footage import Footage
from void_server.masks.endpoint import CannotReason
from void_server.masks.hints import Hints, read_hints
from void_server.masks.propagate import Mask, OnFrame, Painted
from void_server.masks.reasoner import Question
from void_server.mattes import Mattes
from void_server.plates.exr import write_frame
from void_server.plates.frame import Frame
from void_server.plates.window import Window
from void_server.settings import ShotSettings
from void_server.shot import build_quadmasks, remove_object

PICTURE = Window(0, 0, 128, 80)  # a grid of 8 rows of 10 pixels, 13 columns: 0, 9, 19, 29, 39, 49, 59, 68, 78, ...
FRAMES = range(1001, 1007)
SHADOW = np.s_[60:70, 68:88]  # row 6, columns 7 and 8
SCENE = "an empty table"


def disc(frame: int, x: float = 30.0) -> npt.NDArray[np.bool_]:
    """A disc that moves 8 pixels a frame, at the plate's resolution: no smaller mask enlarges to it."""
    rows, columns = np.mgrid[0:80, 0:128]
    return np.hypot(columns - x - 8.3 * (frame - 1001), rows - 37.4) < 13.7


def as_the_model_sees(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """A mask at 80x48: what covers half of a pixel or more."""
    return np.asarray(cv2.resize(mask.astype(np.float32), (80, 48), interpolation=cv2.INTER_AREA) >= 0.5)


def write_plate(folder: Path) -> Footage:
    """Noise with a bright disc that moves, 128x80."""
    for frame in FRAMES:
        image = flat_image(0.0, PICTURE, PICTURE)
        for name in "RGB":
            noise = np.random.default_rng(frame).random((80, 128), np.float32) / 4
            image.channel(name)[...] = np.where(disc(frame), 0.9, noise)
        (folder / f"plate.{frame:04d}.exr").write_bytes(write_frame(image))
    return footage(folder, "plate", FRAMES)


def paint(folder: Path, frames: Sequence[int], **objects: float) -> Footage:
    """A roto on these frames alone; a disc for each object, which starts at this x. None: just A."""
    objects = objects or {"A": 30.0}
    for frame in frames:
        image = flat_image(0.0, PICTURE, PICTURE, [name.replace("_", ".") for name in objects])  # type: ignore[arg-type]
        for name, x in objects.items():
            image.channel(name.replace("_", "."))[disc(frame, x)] = 1.0
        (folder / f"roto.{frame:04d}.exr").write_bytes(write_frame(image))
    return Footage("roto.####.exr", {frame: folder / f"roto.{frame:04d}.exr" for frame in frames})


class Carrier:
    """A Propagator that keeps what it is given and answers with a mask of its own."""

    def __init__(self) -> None:
        self.painted: list[dict[int, Mask]] = []

    def carry(self, clip: npt.NDArray[np.float32], painted: Painted, on_frame: OnFrame | None = None) -> Mask:
        self.clip = clip
        self.painted = [dict(mattes) for mattes in painted]
        result = np.zeros(clip.shape[:3], bool)
        for index in range(len(clip)):
            result[index, :, index * 8 : index * 8 + 8] = True
            if on_frame:
                on_frame(index + 1, len(clip))
        return result


class Seer:
    """A Reasoner that answers with these hints, or can't."""

    identity = "a seer"

    def __init__(self, answer: Hints | CannotReason) -> None:
        self.answer = answer
        self.questions: list[Question] = []

    def ask(self, question: Question) -> Hints:
        self.questions.append(question)
        if isinstance(self.answer, CannotReason):
            raise self.answer
        return self.answer


def hints(**changes: Any) -> dict[str, Any]:
    """A shadow in two cells, and a hat."""
    return {
        "grid": {"rows": 8, "cols": 13},
        "scene": SCENE,
        "confidence": 0.9,
        "belongings": [
            {"noun": "hat", "grid_localizations": [{"frame": 1001, "grid_regions": [{"row": 0, "col": 0}]}]}
        ],
        "affected": [
            {
                "noun": "shadow",
                "category": "visual_artifact",
                "grid_localizations": [
                    {"frame": 1002, "grid_regions": [{"row": 6, "col": 7}, {"row": 6, "col": 8}]},
                ],
            }
        ],
    } | changes


def parsed() -> Hints:
    return read_hints(json.dumps(hints()).encode(), "a test", FRAMES, (8, 13))


def expected(frame: int) -> npt.NDArray[np.uint8]:
    """The levels of the disc and those hints."""
    levels = np.full((80, 128), 255, np.uint8)
    if frame > 1001:
        levels[SHADOW] = 127
    removed = disc(frame)
    removed[0:10, 0:9] = True
    levels[removed] = np.where(levels[removed] == 127, 63, 0)
    return levels


def levels(frames: Iterator[Frame]) -> dict[int, npt.NDArray[np.uint8]]:
    """The levels of quadmasks, or of the layer beside plates."""
    shown = {}
    for number, frame in zip(FRAMES, frames, strict=True):
        names = frame.parts[0].channels
        channel = frame.channel("void.quadmask" if "void.quadmask" in names else "R")
        shown[number] = np.rint(channel.astype(np.float64) * 255).astype(np.uint8)
    return shown


def quadmasks(plate: Footage, mattes: Mattes, settings: ShotSettings = SETTINGS, **given: Any) -> dict[int, Any]:
    progress = given.pop("progress", None) or Progress()
    return levels(build_quadmasks(plate, mattes, settings, progress, **given))


def asking(how: str) -> ShotSettings:
    return replace(SETTINGS, ask=how, subject="the ball")  # type: ignore[arg-type]


def refused(plate: Footage, mattes: Mattes, error: type[Exception], settings: ShotSettings, **given: Any) -> str:
    """What both kinds of job say, before the engine is called."""
    engine = Engine(lambda request: request.clip)
    with pytest.raises(error) as caught:
        next(remove_object(plate, mattes, settings, engine, Progress(), **given))
    assert not engine.requests
    with pytest.raises(error) as alone:
        next(build_quadmasks(plate, mattes, settings, Progress(), **given))
    assert str(alone.value) == str(caught.value)
    return str(caught.value)
