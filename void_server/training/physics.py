"""What happens in a scene, with its object and without: rigid bodies in two dimensions, seen from the side.

Lengths are heights of the picture, times are frames; x points right, y down, angles turn clockwise. The place and the
push of a body follow the seed; gravity, bounce and friction are the same in every scene, so that what will happen can
be told from what is seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pymunk

Kind = Literal["support", "drop", "pusher", "blocker", "plain"]
Shape = Literal["ball", "box"]
Poses = npt.NDArray[np.float64]

KINDS: tuple[Kind, ...] = get_args(Kind)
WEIGHTS = (0.30, 0.15, 0.25, 0.08, 0.22)  # how often each kind is drawn, as in KINDS

FLOOR = 0.86  # what the bodies stand on
BEHIND = 0.75  # what bystanders stand on, further from the camera
GRAVITY = 0.0115  # heights a frame, every frame: a fall of a third of the picture takes eight frames
FRICTION, BOUNCE = 0.7, 0.55  # of each surface; Chipmunk multiplies those of two that touch
SUBSTEPS = 10
_UNITS = 100.0  # of Chipmunk's a height: its tolerances are made for bodies of many units


@dataclass(frozen=True)
class Body:
    """A ball (half[0] is its radius) or a box of 2 half[0] x 2 half[1], first seen at `pose` (x, y, angle).

    speed: (across, round) at first. driven: it moves on at that speed whatever it meets; at speed 0 it stands fast.
    """

    shape: Shape
    half: tuple[float, float]
    pose: tuple[float, float, float]
    speed: tuple[float, float] = (0.0, 0.0)
    driven: bool = False


@dataclass(frozen=True)
class Staging:
    """Who takes part: `primary` is to be removed; `moved` goes elsewhere without it; bystanders never meet either."""

    primary: Body
    moved: Body | None
    bystanders: tuple[Body, ...]


def draw_kind(seed: int) -> Kind:
    """The kind of scene that a seed has when none is asked for."""
    return KINDS[int(np.random.default_rng((seed, 1)).choice(len(KINDS), p=WEIGHTS))]


def stage(kind: Kind, seed: int, width: float) -> Staging:
    """Place the bodies of a scene that is `width` heights wide."""
    rng = np.random.default_rng((seed, 2))
    primary, moved = _STAGINGS[kind](rng, width)
    bystanders = tuple(_bystander(rng, width, primary) for _ in range(rng.integers(1, 3)))
    staging = Staging(primary, moved, bystanders)
    return _mirrored(staging, width) if rng.random() < 0.5 else staging


def simulate(bodies: tuple[Body, ...], frames: int, pace: float = 1.0) -> list[Poses]:
    """Where each body is, float64 [frames, 3] of x, y, angle; the first row is its `pose`.

    pace: how much time passes from one frame to the next; all speeds here are told for a pace of 1.
    """
    space = pymunk.Space()
    space.gravity = (0, GRAVITY * _UNITS)
    space.iterations = 20
    space.collision_slop = 0.02
    floor = pymunk.Segment(space.static_body, (-1e4, FLOOR * _UNITS + 50), (1e4, FLOOR * _UNITS + 50), 50)
    floor.friction, floor.elasticity = FRICTION, BOUNCE
    space.add(floor)
    placed = [_add(space, body) for body in bodies]
    poses = np.empty((frames, len(bodies), 3))
    substeps = math.ceil(SUBSTEPS * pace)
    for frame in range(frames):
        poses[frame] = [(*body.position, body.angle) for body in placed]
        for _ in range(substeps):
            space.step(pace / substeps)
    poses[..., :2] /= _UNITS
    return list(poses.swapaxes(0, 1))


def _add(space: pymunk.Space, body: Body) -> pymunk.Body:
    across, down = body.half[0] * _UNITS, body.half[1] * _UNITS
    mass = across * down / 100
    if body.driven:
        made = pymunk.Body(body_type=pymunk.Body.KINEMATIC)
    elif body.shape == "ball":
        made = pymunk.Body(mass, pymunk.moment_for_circle(mass, 0, across))
    else:
        made = pymunk.Body(mass, pymunk.moment_for_box(mass, (2 * across, 2 * down)))
    made.position = body.pose[0] * _UNITS, body.pose[1] * _UNITS
    made.angle = body.pose[2]
    made.velocity, made.angular_velocity = (body.speed[0] * _UNITS, 0), body.speed[1]
    shape = (
        pymunk.Circle(made, across) if body.shape == "ball" else pymunk.Poly.create_box(made, (2 * across, 2 * down))
    )
    shape.friction, shape.elasticity = FRICTION, BOUNCE
    space.add(made, shape)
    return made


def _ball(rng: np.random.Generator, x: float, bottom: float, speed: float = 0.0) -> Body:
    radius = rng.uniform(0.16, 0.20)
    return Body("ball", (radius, radius), (x, bottom - radius, rng.uniform(0, 2 * np.pi)), (speed, speed / radius))


def _box(rng: np.random.Generator, x: float, tall: tuple[float, float], speed: float = 0.0) -> Body:
    """Standing on the floor; half as high as drawn from `tall`."""
    half = (rng.uniform(0.16, 0.22), rng.uniform(*tall))
    return Body("box", half, (x, FLOOR - half[1], 0.0), (speed, 0.0), driven=True)


def _support(rng: np.random.Generator, width: float) -> tuple[Body, Body]:
    block = _box(rng, rng.uniform(0.35, width - 0.35), (0.13, 0.20))
    return block, _ball(rng, block.pose[0] + rng.uniform(-0.05, 0.05), FLOOR - 2 * block.half[1])


def _drop(rng: np.random.Generator, width: float) -> tuple[Body, Body]:
    block = _box(rng, rng.uniform(0.35, width - 0.35), (0.11, 0.15))
    gap = rng.uniform(0.04, 0.20)
    return block, _ball(rng, block.pose[0] + rng.uniform(-0.05, 0.05), FLOOR - 2 * block.half[1] - gap)


def _pusher(rng: np.random.Generator, width: float) -> tuple[Body, Body]:
    block = _box(rng, rng.uniform(0.05, 0.30), (0.13, 0.24), rng.uniform(0.03, 0.05))
    side = block.pose[0] + block.half[0] + rng.uniform(0.02, 0.15)
    if rng.random() < 0.5:
        return block, _ball(rng, side + 0.20, FLOOR)
    half = (rng.uniform(0.15, 0.20), rng.uniform(0.12, 0.18))
    return block, Body("box", half, (side + half[0], FLOOR - half[1], 0.0))


def _blocker(rng: np.random.Generator, width: float) -> tuple[Body, Body]:
    block = _box(rng, rng.uniform(0.85, 1.05), (0.13, 0.24))
    return block, _ball(rng, rng.uniform(0.20, 0.35), FLOOR, rng.uniform(0.05, 0.07))


def _plain(rng: np.random.Generator, width: float) -> tuple[Body, None]:
    speed = rng.uniform(-0.04, 0.04) if rng.random() < 0.6 else 0.0
    x = rng.uniform(0.3, width - 0.3) - speed * 5
    if rng.random() < 0.5:
        return _box(rng, x, (0.13, 0.24), speed), None
    return _ball(rng, x, FLOOR, speed), None


_STAGINGS: dict[Kind, Callable[[np.random.Generator, float], tuple[Body, Body | None]]] = {
    "support": _support,
    "drop": _drop,
    "pusher": _pusher,
    "blocker": _blocker,
    "plain": _plain,
}


def _bystander(rng: np.random.Generator, width: float, primary: Body) -> Body:
    """Beside the object at first: what stands behind it all along nobody could know of."""
    half = (rng.uniform(0.09, 0.14), rng.uniform(0.09, 0.20))
    speed = rng.uniform(-0.03, 0.03) if rng.random() < 0.5 else 0.0
    reach = primary.half[0] + half[0]
    free = width - 2 * reach  # the picture's width less what the object takes; what it takes beyond the edge, too
    x = rng.uniform(0, free)
    x += 2 * reach * (x > primary.pose[0] - reach)
    if rng.random() < 0.5:
        half = (half[0], half[0])
        return Body("ball", half, (x, BEHIND - half[1], 0.0), (speed, speed / half[0]), driven=True)
    return Body("box", half, (x, BEHIND - half[1], 0.0), (speed, 0.0), driven=True)


def _mirrored(staging: Staging, width: float) -> Staging:
    def mirror(body: Body) -> Body:
        x, y, angle = body.pose
        across, turn = body.speed
        return replace(body, pose=(width - x, y, -angle), speed=(-across, -turn))

    moved = mirror(staging.moved) if staging.moved else None
    return Staging(mirror(staging.primary), moved, tuple(mirror(body) for body in staging.bystanders))
