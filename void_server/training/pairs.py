"""Pairs of clips to learn from: a scene with its object and the same scene as it would have been without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from void_server.masks.grid import grid_shape, gridify
from void_server.masks.quadmask import before_effects, combine
from void_server.masks.roto import primary_from_alpha
from void_server.training.drawing import Pixels
from void_server.training.physics import Kind, Poses, draw_kind
from void_server.training.scenes import Painter, make_scene

HEIGHT, WIDTH, FRAMES = 64, 112, 21  # of the clips that a small model is trained on
FIRST_HELD_OUT = 1_000_000  # seeds from here on are never trained on
MOVED = 0.02  # heights: a body that lies further than this from its place with the object has moved


@dataclass(frozen=True)
class Pair:
    """Clips float32 [T, h, w, 3], display-referred in 0..1, and what is known of them.

    without: the true counterfactual. quadmask: uint8 [T, h, w] in {0, 63, 127, 255}. primary: bool [T, h, w], the
    object. moved, moved_before: float32 [T, h, w] in 0..1, the coverage of the body that goes elsewhere, at its place
    without the object and with it; 0 in frames where those places are the same. centres: float64 [T, 2], x and y in
    pixels of that body without the object (0.5 is the middle of the first pixel), NaN in a scene that has none.
    """

    kind: Kind
    seed: int
    with_object: Pixels
    without: Pixels
    quadmask: npt.NDArray[np.uint8]
    primary: npt.NDArray[np.bool_]
    moved: Pixels
    moved_before: Pixels
    centres: npt.NDArray[np.float64]


def make_pair(
    seed: int, kind: Kind | None = None, *, frames: int = FRAMES, height: int = HEIGHT, width: int = WIDTH
) -> Pair:
    """The pair of a seed: the same arguments give the same bits. Where `kind` is None the seed decides that too."""
    kind = kind or draw_kind(seed)
    scene = make_scene(kind, seed, frames, width / height)
    shown = range(frames)
    painter = Painter(scene, height)
    with_object, without = (np.stack(clip) for clip in painter.paint(shown, ("with", "without")))
    covered = painter.matte(scene.primary, scene.primary.before, shown)
    moved, moved_before = np.zeros_like(covered), np.zeros_like(covered)
    centres = np.full((frames, 2), np.nan)
    if scene.moved and scene.moved.after is not None:
        before, after = scene.moved.before, scene.moved.after
        in_front = painter.matte(scene.moved, before, shown)
        covered *= 1 - in_front
        elsewhere = has_moved(before, after)
        moved[elsewhere] = painter.matte(scene.moved, after, np.flatnonzero(elsewhere).tolist())
        moved_before[elsewhere] = in_front[elsewhere]
        centres = (after[:, :2] - np.stack([scene.camera, np.zeros(frames)], axis=1)) * height
    primary = np.stack([primary_from_alpha(alpha, f"of seed {seed}") for alpha in covered])
    changed = (with_object != without).any(axis=3) & ~primary | (moved > 0) | (moved_before > 0)
    quadmask = quadmask_of(primary, changed)
    return Pair(kind, seed, with_object, without, quadmask, primary, moved, moved_before, centres)


def empty(pair: Pair) -> Pixels:
    """The pair's clip with neither the object nor the body that it moves: what is behind them, [T, h, w, 3]."""
    frames, height, width = pair.primary.shape
    scene = make_scene(pair.kind, pair.seed, frames, width / height)
    return np.stack(Painter(scene, height).paint(range(frames), ("empty",))[0])


def has_moved(before: Poses, after: Poses) -> npt.NDArray[np.bool_]:
    """The frames in which a body's two places [T, 3] lie apart."""
    return np.asarray(np.hypot(*(after - before)[:, :2].T) > MOVED)


def quadmask_of(primary: npt.NDArray[np.bool_], changed: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """The quadmask [T, h, w] of a clip of which all is known: whole cells are affected, on frame 0 none."""
    cells = grid_shape(*primary.shape[1:])
    levels: list[npt.NDArray[Any]] = [
        combine(object_, gridify(other, *cells)) for object_, other in zip(primary, changed, strict=True)
    ]
    levels[0] = before_effects(levels[0])
    return np.stack(levels)
