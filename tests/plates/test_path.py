"""How a window moves along with what it shows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_server.plates.path import EASE, SPEED, path, taut

LENGTH, PICTURE = 640, 4500


def walk(count: int, speed: float, size: int = 100, start: float = 500.0) -> list[tuple[int, int]]:
    firsts = np.rint(start + speed * np.arange(count)).astype(int)
    return [(int(first), int(first) + size) for first in firsts]


def test_what_stays_within_reach_does_not_move_the_window() -> None:
    """300 pixels there and back, and 25 around it, fit into 640."""
    there = walk(40, 5.0) + walk(40, -5.0, start=700.0)
    found = path(there, LENGTH, 0, PICTURE, 0.25)
    assert found is not None
    assert len(set(found)) == 1
    # In the middle between the most and the least at which it holds them all.
    assert found[0] == round((max(b for _, b in there) + 25 - 640 + min(a for a, _ in there) - 25) / 2)


def test_a_steady_walk_is_followed_at_its_own_speed_or_less() -> None:
    found = path(walk(200, 12.0), LENGTH, 0, PICTURE, 0.25)
    assert found is not None
    steps = np.diff(found)
    assert steps.min() >= 0
    assert steps.max() <= 12
    # No farther than it must: 199 steps, less the room that the window has around 100 pixels and 25 on both sides.
    assert found[-1] - found[0] == 199 * 12 - (640 - 150)


def test_a_trembling_walk_is_followed_without_a_tremor() -> None:
    """Its own speed changes by tens of pixels a frame; the window's by no more than rounding and one gentle start."""
    tremor = np.random.default_rng(3).integers(-15, 16, 200)
    spans = [(a + int(t), b + int(t)) for (a, b), t in zip(walk(200, 12.0), tremor, strict=True)]
    assert np.abs(np.diff([a for a, _ in spans], 2)).max() > 40
    found = path(spans, LENGTH, 0, PICTURE, 0.25)
    assert found is not None
    assert np.diff(found).min() >= 0
    assert np.abs(np.diff(found, 2)).max() <= 12 / (2 * EASE + 1) + 2


def test_frames_with_nothing_to_hold_are_crossed_evenly() -> None:
    """From rest to rest: 1000 pixels in 100 frames."""
    rest = [(500, 600)] * 20
    found = path([*rest, *[None] * 100, *[(a + 1000, b + 1000) for a, b in rest]], LENGTH, 0, PICTURE, 0.25)
    assert found is not None
    middle = np.diff(found[20 + 2 * EASE : 120 - 2 * EASE])
    assert middle.max() - middle.min() <= 1
    assert len(set(found[:20])) == len(set(found[-20:])) == 1


def test_what_jumps_or_runs_away_is_not_followed() -> None:
    assert path([(0, 100)] * 50 + [(1000, 1100)] * 50, LENGTH, 0, PICTURE, 0.25) is None
    assert path(walk(80, 45.0), LENGTH, 0, PICTURE, 0.25) is None
    assert path(walk(80, 45.0), 1000, 0, PICTURE, 0.25) is not None, "a larger window has the room"


@pytest.mark.parametrize("span", [(-1, 20), (90, 101), (10, 10), (10, 51)])
def test_a_span_that_does_not_fit_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        path([span], 40, 0, 100, 0.25)


@given(st.lists(st.none() | st.tuples(st.integers(-40, 380), st.integers(1, 60)), min_size=1, max_size=60),
       st.integers(60, 400), st.sampled_from([0.0, 0.25]))  # fmt: skip
def test_every_span_is_held_and_the_window_stays_in_the_picture(given_spans, length, context) -> None:
    first, end = -50, 450
    spans = [None if one is None else (one[0], one[0] + one[1]) for one in given_spans]
    found = path(spans, length, first, end, context)
    if found is None:
        assert length < end - first, "the whole picture need not move"
        return
    assert len(found) == len(spans)
    for at, span in zip(found, spans, strict=True):
        assert first <= at <= end - length
        assert span is None or at <= span[0] < span[1] <= at + length
    assert np.abs(np.diff(found)).max(initial=0) <= length * SPEED + 1
    assert np.abs(np.diff(found, 2)).max(initial=0) <= 2 * length * SPEED / (2 * EASE + 1) + 2


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 30)), min_size=1, max_size=40))
def test_a_taut_string_bends_only_where_it_touches(bounds) -> None:
    lowest = np.array([float(low) for low, _ in bounds])
    highest = lowest + [float(room) for _, room in bounds]
    line = taut(lowest, highest)
    assert (line >= lowest - 1e-9).all()
    assert (line <= highest + 1e-9).all()
    steps = np.concatenate([[0.0], np.diff(line), [0.0]])  # at rest before and after
    bends = np.diff(steps)
    assert line[bends > 1e-9] == pytest.approx(highest[bends > 1e-9]), "it turns up around a ceiling"
    assert line[bends < -1e-9] == pytest.approx(lowest[bends < -1e-9]), "and down around a floor"
