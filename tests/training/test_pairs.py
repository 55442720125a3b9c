"""A pair's two clips differ where its quadmask says, and in what the laws of motion say; a seed gives the same bits."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from void_server.masks.quadmask import split
from void_server.training.drawing import HORIZON
from void_server.training.pairs import FIRST_HELD_OUT, Pair, empty, make_pair
from void_server.training.physics import FLOOR, GRAVITY, KINDS, WEIGHTS, Kind, draw_kind
from void_server.training.scenes import make_scene

SEEDS = [3, 7, FIRST_HELD_OUT + 5]


def digest(pair: Pair) -> str:
    clips = (pair.with_object, pair.without, pair.quadmask, pair.primary, pair.moved, pair.moved_before, pair.centres)
    return hashlib.sha256(b"".join(np.ascontiguousarray(clip).tobytes() for clip in clips)).hexdigest()


def test_another_process_makes_the_same_bits_of_a_seed() -> None:
    code = "from test_pairs import digest, make_pair; print(digest(make_pair(11)))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="tests/training"
    )
    assert found.stdout.strip() == digest(make_pair(11))
    assert digest(make_pair(12)) != digest(make_pair(11))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_pixels_differ_only_where_the_quadmask_says(kind: Kind, seed: int) -> None:
    pair = make_pair(seed, kind)
    assert pair.with_object.shape == pair.without.shape == (21, 64, 112, 3)
    assert pair.with_object.dtype == pair.without.dtype == np.float32
    for clip in (pair.with_object, pair.without):
        assert clip.min() >= 0
        assert clip.max() <= 1
    assert set(np.unique(pair.quadmask)) <= {0, 63, 127, 255}
    changed = (pair.with_object != pair.without).any(axis=3)
    assert changed[1:][pair.quadmask[1:] == 255].sum() == 0
    assert changed.any(axis=(1, 2)).all()
    # Of what is kept there is plenty.
    assert (pair.quadmask == 255).mean() > 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_the_primary_is_the_object_and_nothing_is_affected_at_first(kind: Kind) -> None:
    pair = make_pair(3, kind)
    primary, affected = split(pair.quadmask)
    assert np.array_equal(primary, pair.primary)
    assert not affected[0].any()
    assert affected[1:].any(axis=(1, 2)).all()
    # Nearly all of the object looks other than what is behind it.
    seen = (np.abs(pair.with_object - empty(pair)) > 0.02).any(axis=3)
    assert (seen & primary).sum() > 0.9 * primary.sum()


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_of_the_object_stands_out_from_the_wall_is_primary(seed: int) -> None:
    pair = make_pair(seed, "plain")
    wall = int(HORIZON * 64)
    # An alpha below 1/32 is not painted, so up to that share of the light may differ beside it.
    seen = (np.abs(pair.with_object - pair.without) > 1 / 32).any(axis=3)[:, :wall]
    assert seen.any()
    assert not (seen & ~pair.primary[:, :wall]).any()


@pytest.mark.parametrize("kind", ["support", "drop"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_ball_without_its_support_falls_freely_and_comes_to_lie_on_the_floor(kind: Kind, seed: int) -> None:
    scene = make_scene(kind, seed, 21, 1.75)
    assert scene.moved is not None
    assert scene.moved.after is not None
    radius = scene.moved.body.half[0]
    heights = scene.moved.after[:, 1]
    assert np.array_equal(scene.moved.before[0], scene.moved.after[0])
    # Free fall in steps of a tenth of a frame: y += v dt, then v += g dt.
    steps = np.arange(6) * 10
    fallen = GRAVITY * 0.01 * steps * (steps - 1) / 2
    assert heights[:6] - heights[0] == pytest.approx(fallen, abs=1e-4)
    assert heights[20] == pytest.approx(FLOOR - radius, abs=0.02)
    resting = FLOOR - 2 * scene.primary.body.half[1] - radius
    assert scene.moved.before[20, 1] == pytest.approx(resting, abs=0.02)
    assert heights[10] > heights[0] + 0.5 * (heights[20] - heights[0])


def test_a_puck_that_nobody_pushes_stays_and_a_ball_that_nothing_stops_rolls_on() -> None:
    for seed in SEEDS:
        puck = make_scene("pusher", seed, 21, 1.75).moved
        assert puck is not None
        assert puck.after is not None
        assert np.abs(puck.after[:, 0] - puck.after[0, 0]).max() < 1e-3
        assert abs(puck.before[20, 0] - puck.before[0, 0]) > 0.3
        ball = make_scene("blocker", seed, 21, 1.75).moved
        assert ball is not None
        assert ball.after is not None
        steps = np.diff(ball.after[:, 0])
        assert np.abs(steps).min() > 0.045
        assert (np.sign(steps) == np.sign(steps[0])).all()
        assert abs(ball.before[20, 0] - ball.after[20, 0]) > 0.3


@pytest.mark.parametrize("kind", ["support", "pusher"])
def test_centres_are_those_of_the_moved_body_in_pixels(kind: Kind) -> None:
    pair = make_pair(3, kind)
    y, x = np.mgrid[:64, :112] + 0.5
    checked = 0
    for coverage, centre in zip(pair.moved, pair.centres, strict=True):
        inside = coverage[:, [0, -1]].max() == 0 and coverage.any()
        if inside:
            weight = coverage.sum()
            assert [(coverage * x).sum() / weight, (coverage * y).sum() / weight] == pytest.approx(centre, abs=0.05)
            checked += 1
    assert checked > 8


@pytest.mark.parametrize("kind", ["support", "drop", "pusher", "blocker"])
def test_a_moved_body_is_told_only_where_its_place_differs(kind: Kind) -> None:
    pair = make_pair(7, kind)
    assert not pair.moved[0].any()
    assert pair.moved[20].max() == 1
    for now, before in zip(pair.moved, pair.moved_before, strict=True):
        assert now.any() == before.any()
        assert not now.any() or not np.array_equal(now, before)
    solid = pair.moved == 1
    assert (np.abs(pair.without - empty(pair)).max(axis=3)[solid] > 0).mean() > 0.95


def test_a_plain_scene_moves_nothing_but_its_object() -> None:
    pair = make_pair(7, "plain")
    assert not pair.moved.any()
    assert np.isnan(pair.centres).all()
    assert np.array_equal(pair.without, empty(pair))


def test_kinds_come_as_often_as_they_should() -> None:
    drawn = [draw_kind(seed) for seed in range(4000)]
    shares = [drawn.count(kind) / 4000 for kind in KINDS]
    assert shares == pytest.approx(WEIGHTS, abs=0.03)
    assert make_pair(5).kind == draw_kind(5)


def test_a_scene_is_the_same_scene_at_any_size() -> None:
    small, large = make_pair(3, "support"), make_pair(3, "support", height=128, width=224)
    halved = large.without.reshape(21, 64, 2, 112, 2, 3).mean(axis=(2, 4))
    assert np.abs(halved - small.without).mean() < 0.01
    assert large.centres == pytest.approx(2 * small.centres)
