"""What stands behind a shot: an engine takes the shot as the model sees it and returns it without the object."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from void_server.engine_options import CannotLoad, EngineOptions
from void_server.plates.colour import ModelCurve
from void_server.plates.window import Window
from void_server.settings import ShotSettings


class Progress(Protocol):
    """Whom a shot tells how far it is. What its methods raise stops the work."""

    def step(self, stage: str, step: int, steps: int) -> None:
        """`step` of `steps` of a stage (masking, pass1, warping, pass2, finishing) is done."""

    def part(self, number: int, count: int) -> None:
        """The passes' steps from now on are those of run `number`, from 1, of `count` of the engine."""

    def notice(self, text: str) -> None:
        """Something the artist should know of the result."""

    def hints(self, text: str) -> None:
        """Hints that somebody was asked for, as a hints file's text: to be kept beside the result."""


@dataclass(frozen=True)
class RemovalRequest:
    """A shot as the model sees it.

    clip: float32 [T, H, W, 3] in 0..1, display-referred. quadmask: uint8 [T, H, W] of 0, 63, 127, 255.
    frames, windows, curve: which frames of the plate these are, from which window (in plate pixels) each was
    cut, and by which curve it was encoded. checkpoint: a folder of this shot alone, there or not, in which the engine
    may keep what it needs to go on after a restart.
    """

    clip: npt.NDArray[np.float32]
    quadmask: npt.NDArray[np.uint8]
    prompt: str
    settings: ShotSettings
    progress: Progress
    frames: tuple[int, ...]
    windows: tuple[Window, ...]
    curve: ModelCurve
    checkpoint: Path | None = None


class Engine(Protocol):
    """Anything that removes objects. `name` and `notice` are said beside every result."""

    name: str
    notice: str

    def remove(self, request: RemovalRequest) -> npt.NDArray[np.float32]:
        """The clip without the object, float32 [T, H, W, 3] in 0..1."""


@runtime_checkable
class WarmsUp(Protocol):
    """An engine whose first removal takes longer than the next: kernels are loaded, memory is set up."""

    def warm_up(self) -> None:
        """Do once what would make the first shot wait. What it raises keeps the worker from becoming ready."""


def load_engine(options: EngineOptions) -> Engine:
    """The engine of that name: "void", or an operator's own factory, called with the weights folder.

    Raises CannotLoad.
    """
    if options.name == "void":
        from void_server.void_engine import VoidEngine  # torch: only where it is needed

        return VoidEngine.load(options)
    module, _, factory = options.name.partition(":")
    try:
        return cast(Engine, getattr(importlib.import_module(module), factory)(options.weights))
    except (ImportError, AttributeError) as error:
        raise CannotLoad(f"there is no engine '{options.name}' ({error}): give it as module:factory") from error
