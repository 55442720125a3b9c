"""A counterfactual scene: who takes part, where they are with the object and without it, and how it all looks.

It has no size in pixels yet: `render` paints any of its frames at any height.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from void_server.training.drawing import (
    Paint,
    Pixels,
    body_layers,
    draw_paint,
    paint_room,
    put_body,
    put_matte,
    put_shadow,
    shadow_layers,
)
from void_server.training.physics import BEHIND, FLOOR, Body, Kind, Poses, simulate, stage

World = Literal["with", "without", "empty"]

PANNING = 1 / 3  # of the scenes
PAN = 0.012  # heights a frame, at most
SAME_PLACE = 1e-6  # heights: bodies that lie so near each other in both worlds were computed alike


@dataclass(frozen=True)
class Actor:
    """A body, its colours, and its poses [frames, 3] with the object and without; None where it isn't there."""

    body: Body
    paint: Paint
    ground: float
    before: Poses
    after: Poses | None


@dataclass(frozen=True)
class Scene:
    """`frames` frames of a scene `width` heights wide. camera: x of the picture's left edge in each frame, [frames]."""

    kind: Kind
    seed: int
    width: float
    camera: npt.NDArray[np.float64]
    primary: Actor
    moved: Actor | None
    bystanders: tuple[Actor, ...]

    @property
    def frames(self) -> int:
        return len(self.camera)


def make_scene(kind: Kind, seed: int, frames: int, width: float) -> Scene:
    """Stage and simulate a scene; the same arguments give the same scene on every machine of a kind."""
    staging = stage(kind, seed, width)
    rng = np.random.default_rng((seed, 3))
    paints = [draw_paint(rng) for _ in range(2 + len(staging.bystanders))]
    bodies = (staging.primary, staging.moved) if staging.moved else (staging.primary,)
    before = simulate(bodies, frames)
    moved = None
    if staging.moved:
        after = simulate((staging.moved,), frames)[0]
        same = np.abs(after - before[1]).max(axis=1) < SAME_PLACE
        after[same] = before[1][same]
        moved = Actor(staging.moved, paints[1], FLOOR, before[1], after)
    standing = [_simulated(body, frames) for body in staging.bystanders]
    bystanders = tuple(
        Actor(body, paint, BEHIND, poses, poses)
        for body, paint, poses in zip(staging.bystanders, paints[2:], standing, strict=True)
    )
    speed = rng.uniform(-PAN, PAN) if rng.random() < PANNING else 0.0
    camera = np.asarray(speed * (np.arange(frames) - (frames - 1) / 2), np.float64)
    return Scene(
        kind, seed, width, camera, Actor(staging.primary, paints[0], FLOOR, before[0], None), moved, bystanders
    )


def _simulated(body: Body, frames: int) -> Poses:
    """A bystander's poses: it meets nobody."""
    return simulate((body,), frames)[0]


def render(scene: Scene, frames: Sequence[int], height: int, worlds: Sequence[World]) -> list[list[Pixels]]:
    """Paint some frames of some worlds, each [len(frames)] pictures float32 [height, w, 3] in 0..1.

    "with" the object, "without" it, and "empty": with neither it nor what it moves. Where nothing differs, they have
    the same bits.
    """
    ground = _backgrounds(scene, frames, height)
    for actor in scene.bystanders:
        _shade(ground, scene, actor, actor.before, frames, height)
    for actor in scene.bystanders:
        _put(ground, scene, actor, actor.before, frames, height)
    painted = []
    for world in worlds:
        pictures = [picture.copy() for picture in ground]
        present = _present(scene, world)
        for actor, poses in present:
            _shade(pictures, scene, actor, poses, frames, height)
        for actor, poses in present:
            _put(pictures, scene, actor, poses, frames, height)
        painted.append(pictures)
    return painted


def matte(scene: Scene, actor: Actor, poses: Poses, frames: Sequence[int], height: int) -> Pixels:
    """An actor's coverage in some frames, float32 [n, height, w] in 0..1, whatever stands before it."""
    covered = np.zeros((len(frames), height, round(scene.width * height)), np.float32)
    corners, coverage, _ = body_layers(actor.body, actor.paint, _seen(scene, poses, frames), height)
    put_matte(covered, corners, coverage)
    return covered


def _present(scene: Scene, world: World) -> list[tuple[Actor, Poses]]:
    """Whom a world has beside its bystanders, from back to front."""
    if world == "empty":
        return []
    if world == "without":
        return [(scene.moved, scene.moved.after)] if scene.moved and scene.moved.after is not None else []
    moved = [(scene.moved, scene.moved.before)] if scene.moved else []
    return [(scene.primary, scene.primary.before), *moved]


def _seen(scene: Scene, poses: Poses, frames: Sequence[int]) -> Poses:
    """Poses as the camera has them."""
    chosen = poses[list(frames)].copy()
    chosen[:, 0] -= scene.camera[list(frames)]
    return chosen


def _put(pictures: list[Pixels], scene: Scene, actor: Actor, poses: Poses, frames: Sequence[int], height: int) -> None:
    put_body(pictures, *body_layers(actor.body, actor.paint, _seen(scene, poses, frames), height))


def _shade(
    pictures: list[Pixels], scene: Scene, actor: Actor, poses: Poses, frames: Sequence[int], height: int
) -> None:
    put_shadow(pictures, *shadow_layers(actor.body, _seen(scene, poses, frames), height, actor.ground))


def _backgrounds(scene: Scene, frames: Sequence[int], height: int) -> list[Pixels]:
    """The room as the camera sees it in some frames: float32 [height, w, 3]."""
    left, right = float(scene.camera.min()), float(scene.camera.max()) + scene.width
    spare = 4 / height  # what the filter looks at beyond the edge
    room = paint_room(np.random.default_rng((scene.seed, 4)), height, left - spare, right + spare)
    wide = round(scene.width * height)
    if not scene.camera.any():
        return [room[:, 4 : 4 + wide].copy() for _ in frames]
    seen = []
    for frame in frames:
        start = (float(scene.camera[frame]) - left + spare) * height
        place = np.array([[1, 0, start], [0, 1, 0]])
        view = cv2.warpAffine(room, place, (wide, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
        seen.append(np.clip(view, 0, 1))
    return seen
