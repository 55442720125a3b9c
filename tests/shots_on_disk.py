"""EXR sequences small enough to be checked pixel by pixel, and what a shot needs beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from void_server.engine import RemovalRequest
from void_server.footage import Footage
from void_server.plates.exr import read_frame, write_frame
from void_server.plates.frame import Frame, Part
from void_server.plates.window import Window
from void_server.settings import ShotSettings

Pixels = npt.NDArray[np.float32]
SETTINGS = ShotSettings.from_dict({"height": 48, "width": 80, "window": 13, "overlap": 8, "feather": 3.0})


class Engine:
    """Answers with `answer(request)` and keeps the request."""

    name = "known"
    notice = ""

    def __init__(self, answer: Callable[[RemovalRequest], Pixels]) -> None:
        self.answer = answer
        self.requests: list[RemovalRequest] = []

    def remove(self, request: RemovalRequest) -> Pixels:
        self.requests.append(request)
        return self.answer(request)


class Progress:
    def __init__(self) -> None:
        self.steps: list[tuple[str, int, int]] = []
        self.parts: list[tuple[int, int]] = []
        self.notices: list[str] = []

    def step(self, stage: str, step: int, steps: int) -> None:
        self.steps.append((stage, step, steps))

    def part(self, number: int, count: int) -> None:
        self.parts.append((number, count))

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def hints(self, text: str) -> None:
        self.kept = text


def footage(folder: Path, name: str, frames: range) -> Footage:
    return Footage(f"{name}.####.exr", {frame: folder / f"{name}.{frame:04d}.exr" for frame in frames})


def flat_image(value: float, window: Window, display: Window, names: str = "RGBA") -> Frame:
    pixels = {name: np.full((window.height, window.width), value, np.float16) for name in names}
    return Frame((Part({"dataWindow": window.box, "displayWindow": display.box}, pixels),))


def write_flat_shot(folder: Path, *, count: int = 3, value: float = 5.0) -> tuple[Footage, Footage]:
    """A grey plate of one value, 64x40, and a roto of a square in its middle."""
    display = Window(0, 0, 64, 40)
    for frame in range(1, count + 1):
        (folder / f"plate.{frame:04d}.exr").write_bytes(write_frame(flat_image(value, display, display)))
        roto = flat_image(1.0, Window(24, 12, 16, 16), display, "A")
        (folder / f"roto.{frame:04d}.exr").write_bytes(write_frame(roto))
    frames = range(1, count + 1)
    return footage(folder, "plate", frames), footage(folder, "roto", frames)


def rewrite(path: Path, change: Callable[[dict[str, npt.NDArray[np.generic]]], None]) -> None:
    """Change the channels of an EXR on disk."""
    frame = read_frame(path)
    part = frame.parts[0]
    channels = {name: pixels.copy() for name, pixels in part.channels.items()}
    change(channels)
    path.write_bytes(write_frame(Frame((Part(part.header, channels),))))


def bits(pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.uint16]:
    return pixels.view(np.uint16)
