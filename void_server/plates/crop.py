"""Which parts of a plate the model is shown: one window or several, at rest or moving."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from void_server.plates.path import path
from void_server.plates.window import Window

# What the model sees around what it changes: on every side, in parts of that region's own size, whether the window
# rests or moves; and in all, in parts of that region's area, itself included. A region of the model's shape has about
# a third of its size on every side, so that a window around it that moves has room to move smoothly.
CONTEXT = 0.15
AREA = 3.0

# A crop that would leave out less than this of the picture's height is none: the model was trained on whole pictures.
WORTH_IT = 0.1

# How many times finer than without it the plate must be shown for a window to move, or for one window more, which
# costs a whole run of the model.
SHARPER = 1.5
MOST_WINDOWS = 4

Boxes = Sequence[Window | None]
Group = tuple[int, ...]
Edges = npt.NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """The picture, `within` plate pixels of some aspect, and the model's own, width x height square pixels."""

    within: Window
    width: int
    height: int
    pixel_aspect: float = 1.0

    @property
    def shape(self) -> float:
        """Width over height, in plate pixels, of what the model sees without squeezing it."""
        return self.width / self.height / self.pixel_aspect

    def scale(self, window: Window) -> float:
        """Plate pixels (square ones) under one of the model's: the larger, the less it sees. At least 1."""
        return max(window.width * self.pixel_aspect / self.width, window.height / self.height, 1.0)


@dataclass(frozen=True)
class Crop:
    """What one run of the model is shown: a window a frame, all of one size, and which components it is for."""

    windows: tuple[Window, ...]
    components: Group

    @property
    def moves(self) -> bool:
        """Whether the window is elsewhere on some frame."""
        return len(set(self.windows)) > 1


def plan(components: Mapping[int, Boxes], view: View) -> list[Crop]:
    """The crops for components of what changes, given by their box on each frame (None: nothing there).

    Each component is in one crop, and on every frame its box lies in that crop's window. There is one crop, unless
    the largest window of several is SHARPER than it, or than that of fewer; at most MOST_WINDOWS.
    """
    chosen: list[Crop] = []
    for groups in _groupings(components, view):
        crops = [Crop(windows_for(_joint([components[label] for label in group]), view), group) for group in groups]
        if not chosen or _coarsest(crops, view) * SHARPER <= _coarsest(chosen, view):
            chosen = crops
    return chosen


def windows_for(boxes: Boxes, view: View) -> tuple[Window, ...]:
    """The window of each frame, all of one size, that shows the model these boxes (None: nothing on that frame).

    At rest, as `crop_window` has it for all of them, unless one that moves is SHARPER: that is as small as it can be
    and still follow every box within `path`'s limits, CONTEXT around it. Raises ValueError without any box.
    """
    found = [box for box in boxes if box]
    if not found:
        raise ValueError("there is no box on any frame")
    rest = crop_window(functools.reduce(Window.union, found), view)
    width, height = max(box.width for box in found), max(box.height for box in found)
    low = math.ceil(max(_height_for(width, height, view), height, width / view.shape, view.height))
    high = int(min(view.scale(rest) / SHARPER * view.height, view.within.height, view.within.width / view.shape))
    best = None
    while low <= high:  # the larger the window, the slower it need be
        tall = (low + high) // 2
        moving = _following(boxes, view, round(tall * view.shape), tall)
        if moving is None:
            low = tall + 1
        else:
            best, high = moving, tall - 1
    return best or (rest,) * len(boxes)


def crop_window(region: Window, view: View) -> Window:
    """The part of the picture that the model is shown for a region that stays where it is, in plate pixels.

    It holds the region and CONTEXT around it, and AREA times its pixels, as far as a window has room in the picture; is
    of the model's shape, so that what it sees is not squeezed; and is no smaller than the model's picture, so that
    nothing is enlarged on the way in. Where no such part is worth it (the region fills the picture, or the picture is
    no larger than the model's), all of the picture. Raises ValueError for a region that is not inside.
    """
    within = view.within
    if region.union(within) != within or not (region.width and region.height):
        raise ValueError(f"the region {region} is not a part of the picture {within}")
    height = _height_for(region.width, region.height, view)
    wide, tall = round(height * view.shape), round(height)
    too_small = tall < max(region.height, view.height) or wide < region.width
    if too_small or tall > within.height * (1 - WORTH_IT):
        return within
    x = _placed(region.x + region.width / 2, wide, within.x, within.right)
    y = _placed(region.y + region.height / 2, tall, within.y, within.bottom)
    return Window(x, y, wide, tall)


def _height_for(width: float, height: float, view: View) -> float:
    """How high a window of the model's shape is, with the context for a box of that size, as far as there is room."""
    around = 1 + 2 * CONTEXT
    tall = max(height * around, width * around / view.shape, math.sqrt(AREA * width * height / view.shape), view.height)
    return min(tall, view.within.height, view.within.width / view.shape)


def _placed(centre: float, length: int, first: int, end: int) -> int:
    """Where a span of that length begins, around the centre and between first and end."""
    return min(max(round(centre - length / 2), first), end - length)


def _following(boxes: Boxes, view: View, width: int, height: int) -> tuple[Window, ...] | None:
    """Windows of that size that move along with the boxes, or None where they would have to move too fast."""
    within = view.within
    columns = [(box.x, box.right) if box else None for box in boxes]
    rows = [(box.y, box.bottom) if box else None for box in boxes]
    xs = path(columns, width, within.x, within.right, CONTEXT)
    ys = path(rows, height, within.y, within.bottom, CONTEXT)
    if xs is None or ys is None:
        return None
    return tuple(Window(x, y, width, height) for x, y in zip(xs, ys, strict=True))


def _coarsest(crops: list[Crop], view: View) -> float:
    return max(view.scale(crop.windows[0]) for crop in crops)


def _groupings(components: Mapping[int, Boxes], view: View) -> Iterator[list[Group]]:
    """The components in one group, then in two, and so on to MOST_WINDOWS.

    From each on its own, the pair that needs the smallest window together is joined again and again.
    """
    groups: dict[Group, Edges] = {(label,): _edges(boxes) for label, boxes in sorted(components.items())}
    sizes: dict[tuple[Group, Group], tuple[float, float]] = {}
    found: list[list[Group]] = [list(groups)]
    while len(groups) > 1:
        pairs = list(itertools.combinations(groups, 2))
        for one, other in pairs:
            if (one, other) not in sizes:
                sizes[one, other] = _needed(np.minimum(groups[one], groups[other]), view)
        one, other = min(pairs, key=sizes.__getitem__)
        groups[one + other] = np.minimum(groups.pop(one), groups.pop(other))
        found.append(list(groups))
    return iter(found[: -MOST_WINDOWS - 1 : -1])


def _edges(boxes: Boxes) -> Edges:
    """Left, top, -right, -bottom of each box, float64 [T, 4], inf without one: their minimum is what holds both."""
    nothing = (math.inf,) * 4
    return np.array([(box.x, box.y, -box.right, -box.bottom) if box else nothing for box in boxes])


def _needed(edges: Edges, view: View) -> tuple[float, float]:
    """How high the window must be on the frame that needs the largest, then for all of them at rest."""
    widest, highest = -(edges[:, :2] + edges[:, 2:]).min(axis=0)
    whole = edges.min(axis=0)
    width, height = -(whole[:2] + whole[2:])
    return _height_for(widest, highest, view), _height_for(width, height, view)


def _joint(members: Sequence[Boxes]) -> list[Window | None]:
    """On every frame the box around those of all members."""
    return [
        functools.reduce(Window.union, found) if (found := [box for box in frame if box]) else None
        for frame in zip(*members, strict=True)
    ]
