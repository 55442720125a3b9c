"""A counterfactual scene: who takes part, where they are with the object and without it, and how it all looks.

It has no size in pixels yet: a `Painter` paints any of its frames at any height.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
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
_SPARE = 4  # pixels: what the filter of a moving camera looks at beyond the edge
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
class Counterfactual:
    """`frames` frames of a scene `width` heights wide. camera: x of the picture's left edge in each frame, [frames]."""

    kind: Kind
    seed: int
    width: float
    camera: npt.NDArray[np.float64]
    primary: Actor
    moved: Actor | None
    bystanders: tuple[Actor, ...]


def make_scene(kind: Kind, seed: int, frames: int, width: float, pace: float = 1.0) -> Counterfactual:
    """Stage and simulate a scene; the same arguments give the same scene on every machine of a kind."""
    staging = stage(kind, seed, width)
    rng = np.random.default_rng((seed, 3))
    paints = [draw_paint(rng) for _ in range(2 + len(staging.bystanders))]
    bodies = (staging.primary, staging.moved) if staging.moved else (staging.primary,)
    before = simulate(bodies, frames, pace)
    moved = None
    if staging.moved:
        after = simulate((staging.moved,), frames, pace)[0]
        same = np.abs(after - before[1]).max(axis=1) < SAME_PLACE
        after[same] = before[1][same]
        moved = Actor(staging.moved, paints[1], FLOOR, before[1], after)
    standing = [simulate((body,), frames, pace)[0] for body in staging.bystanders]  # they meet nobody
    bystanders = tuple(
        Actor(body, paint, BEHIND, poses, poses)
        for body, paint, poses in zip(staging.bystanders, paints[2:], standing, strict=True)
    )
    speed = rng.uniform(-PAN, PAN) if rng.random() < PANNING else 0.0
    camera = np.asarray(speed * pace * (np.arange(frames) - (frames - 1) / 2), np.float64)
    return Counterfactual(
        kind, seed, width, camera, Actor(staging.primary, paints[0], FLOOR, before[0], None), moved, bystanders
    )


@dataclass(frozen=True)
class Painter:
    """Paints a scene `height` pixels high, and `margin` pixels more on every side. Equal bits where nothing differs.

    Pictures are float32 [h, w, 3], display-referred in 0..1; mattes float32 [h, w] in 0..1.
    """

    scene: Counterfactual
    height: int
    margin: int = 0

    def paint(self, frames: Sequence[int], worlds: Sequence[World]) -> list[list[Pixels]]:
        """Some frames of some worlds, each a list of pictures.

        "with" the object, "without" it, and "empty": with neither it nor what it moves.
        """
        ground = self._room_as_seen(frames)
        self._people(ground, frames, [(actor, actor.before) for actor in self.scene.bystanders])
        painted = []
        for world in worlds:
            pictures = [picture.copy() for picture in ground]
            self._people(pictures, frames, _present(self.scene, world))
            painted.append(pictures)
        return painted

    def matte(self, actor: Actor, poses: Poses, frames: Sequence[int]) -> Pixels:
        """An actor's coverage in some frames, [n, h, w], whatever stands before it."""
        covered = np.zeros((len(frames), *self._size), np.float32)
        corners, coverage, _ = body_layers(actor.body, actor.paint, self._seen(poses, frames), self.height)
        put_matte(covered, corners + self.margin, coverage)
        return covered

    @property
    def _size(self) -> tuple[int, int]:
        return self.height + 2 * self.margin, round(self.scene.width * self.height) + 2 * self.margin

    def _people(self, pictures: list[Pixels], frames: Sequence[int], present: list[tuple[Actor, Poses]]) -> None:
        """All shadows, then all bodies, in place."""
        for actor, poses in present:
            corners, share = shadow_layers(actor.body, self._seen(poses, frames), self.height, actor.ground)
            put_shadow(pictures, corners + self.margin, share)
        for actor, poses in present:
            corners, coverage, colour = body_layers(actor.body, actor.paint, self._seen(poses, frames), self.height)
            put_body(pictures, corners + self.margin, coverage, colour)

    def _seen(self, poses: Poses, frames: Sequence[int]) -> Poses:
        """Poses as the camera has them."""
        chosen = poses[list(frames)].copy()
        chosen[:, 0] -= self.scene.camera[list(frames)]
        return chosen

    @cached_property
    def _room(self) -> Pixels:
        """All of the room that the camera sees; kept."""
        left, right = float(self.scene.camera.min()), float(self.scene.camera.max()) + self.scene.width
        spare = _SPARE / self.height
        rng = np.random.default_rng((self.scene.seed, 4))
        return paint_room(rng, self.height, left - spare, right + spare, self.margin)

    def _room_as_seen(self, frames: Sequence[int]) -> list[Pixels]:
        tall, wide = self._size
        if not self.scene.camera.any():
            return [self._room[:, _SPARE : _SPARE + wide].copy() for _ in frames]
        seen = []
        for frame in frames:
            start = (float(self.scene.camera[frame]) - float(self.scene.camera.min())) * self.height + _SPARE
            place = np.array([[1, 0, start], [0, 1, 0]])
            view = cv2.warpAffine(self._room, place, (wide, tall), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
            seen.append(np.clip(view, 0, 1))
        return seen


def _present(scene: Counterfactual, world: World) -> list[tuple[Actor, Poses]]:
    """Whom a world has beside its bystanders, from back to front."""
    moved = scene.moved
    if world == "empty":
        return []
    if world == "without":
        return [(moved, moved.after)] if moved and moved.after is not None else []
    return [(scene.primary, scene.primary.before), *([(moved, moved.before)] if moved else [])]
