"""Which parts of a shot the engine is shown, each in a run of its own, and whose result a pixel takes."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from void_server.engine import Progress
from void_server.footage import Footage
from void_server.plates.components import Labels
from void_server.plates.crop import Crop, View, crop_window, plan
from void_server.plates.window import Window
from void_server.quadmasks import Components, Quadmasks
from void_server.settings import ShotSettings


@dataclass(frozen=True)
class Parts:
    """The crops, one a run of the engine, and `owner` uint8 [h, w] over the common window: which of them fills a pixel.

    On every frame each pixel of the matte lies in its owner's window.
    """

    crops: list[Crop]
    owner: Labels


def take_apart(quadmasks: Quadmasks, plate: Footage, settings: ShotSettings, progress: Progress) -> Parts:
    """The parts of a shot by its setting `crop`; what is more than one window at rest is said in a notice."""
    window = quadmasks.window
    if settings.crop == "full":
        whole = Crop((window,) * len(plate.frames), components=())
        return Parts([whole], np.zeros((window.height, window.width), np.uint8))
    view = View(window, settings.width, settings.height, plate.layout(plate.frames[0]).pixel_aspect)
    components = quadmasks.components(settings.feather)
    crops = plan(components.boxes, view)
    owner_of = np.zeros(256, np.uint8)
    for index, crop in enumerate(crops):
        owner_of[list(crop.components)] = index
    if len(crops) > 1 or crops[0].moves:
        progress.notice(_in_words(crops, components, view))
    return Parts(crops, owner_of[components.labels])


def _in_words(crops: list[Crop], components: Components, view: View) -> str:
    """What the model is shown, and why not all of it in one window at rest."""
    boxes = [box for frames in components.boxes.values() for box in frames if box]
    rest = crop_window(functools.reduce(Window.union, boxes), view)
    windows = [f"{_size(crop.windows[0])}{', moving' if crop.moves else ''}" for crop in crops]
    what = f"the model sees the plate in a window of {windows[0]}"
    if len(crops) > 1:
        what = (
            f"the model runs {len(crops)} times, for {len(crops)} parts of the plate that lie apart "
            f"({'; '.join(windows)}): the passes and the time left are those of one run"
        )
    return f"{what}. One window at rest would be {_size(rest)}, and coarser; with crop full the model sees everything"


def _size(window: Window) -> str:
    return f"{window.width}x{window.height}"
