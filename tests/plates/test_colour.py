from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from void_server.plates.colour import ModelCurve

KNEE_LINEAR = ((0.6 + 0.055) / 1.055) ** 2.4

maxima = st.floats(1.0, 64.0)


def srgb(linear):
    """IEC 61966-2-1, in double precision."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


def test_a_shot_without_highlights_is_plain_srgb():
    linear = np.linspace(0, 1, 10001)
    for maximum in (0.0, 0.7, 1.0):
        assert np.abs(ModelCurve.for_shot(maximum).encode(linear) - srgb(linear)).max() < 2e-7


@given(maxima)
def test_below_the_knee_every_curve_is_srgb(maximum):
    linear = np.linspace(0, KNEE_LINEAR - 1e-7, 5001)
    assert np.abs(ModelCurve.for_shot(maximum).encode(linear) - srgb(linear)).max() < 2e-7


@given(st.floats(1.01, 64.0))
def test_above_the_knee_it_is_a_log_that_joins_in_value_and_slope_and_ends_at_one(maximum):
    curve = ModelCurve.for_shot(maximum)
    linear = np.array([KNEE_LINEAR + 1e-6, maximum])
    assert np.abs(curve.encode(linear) - [0.6, 1.0]).max() < 2e-6
    step = 1e-3
    below, above = (curve.encode(np.array([KNEE_LINEAR + end])).astype(float)[0] for end in (-step, step))
    slope = 1.055 / 2.4 * KNEE_LINEAR ** (1 / 2.4 - 1)
    assert (0.6 - below) / step == pytest.approx(slope, rel=5e-3)
    assert (above - 0.6) / step == pytest.approx(slope, rel=1e-2)
    # A log: equal steps of the encoded value are equal ratios of (linear + a constant).
    levels = curve.decode(np.linspace(0.6, 1, 9)).astype(float)
    ratios = np.diff(levels)[1:] / np.diff(levels)[:-1]
    assert np.ptp(ratios) < 1e-3


@settings(max_examples=60, deadline=None)
@given(maxima, st.integers(0, 2**32 - 1))
def test_there_and_back_in_float32(maximum, seed):
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, np.float32(maximum).view(np.uint32), 50_000, dtype=np.uint32, endpoint=True)
    linear = np.concatenate([bits.view(np.float32), rng.random(50_000, np.float32) * np.float32(maximum)])
    curve = ModelCurve.for_shot(maximum)
    back = curve.decode(curve.encode(linear))
    assert back.dtype == np.float32
    assert (np.abs(back.astype(float) - linear) / np.maximum(1, linear)).max() < 6e-7


@given(maxima)
def test_it_rises_everywhere_and_no_step_of_a_255th_costs_more_than_a_tenth_of_a_highlight(maximum):
    levels = ModelCurve.for_shot(maximum).decode(np.arange(256) / 255).astype(float)
    steps = np.diff(levels)
    assert (steps > 0).all()
    bright = levels[1:] > KNEE_LINEAR
    assert (steps[bright] / levels[1:][bright]).max() < 0.1


def test_what_the_model_sees_is_always_from_0_to_1():
    curve = ModelCurve.for_shot(16)
    strange = np.array([np.nan, np.inf, -np.inf, -0.05, -0.0, 1e30, 16, 60], np.float32)
    assert curve.encode(strange).tolist() == [0, 1, 0, 0, 0, 1, 1, 1]
    assert curve.encode(strange[:5].astype(np.float16)).tolist() == [0, 1, 0, 0, 0]
    assert curve.clean(strange).tolist() == [0, 16, 0, 0, 0, 16, 16, 16]
    every_half = np.arange(65536, dtype=np.uint16).view(np.float16)
    encoded = curve.encode(every_half)
    assert ((encoded >= 0) & (encoded <= 1)).all()


def test_what_the_model_says_is_clamped():
    beyond = np.array([-0.3, 1.2, 1e30], np.float32)
    with np.errstate(all="raise"):
        assert ModelCurve.for_shot(16).decode(beyond).tolist() == [0, pytest.approx(16), pytest.approx(16)]
        assert ModelCurve.for_shot(1).decode(beyond).tolist() == [0, 1, 1]


def test_the_maximum_is_from_1_to_64_and_makes_the_same_curve_again():
    assert [ModelCurve.for_shot(value).maximum for value in (-1, 0.2, 1, 12.5, 400, np.inf)] == [1, 1, 1, 12.5, 64, 64]
    curve = ModelCurve.for_shot(np.float32(12.3))
    assert ModelCurve(curve.as_manifest()["maximum"]) == curve
    assert curve.as_manifest()["curve"] == "srgb-log"
    assert ModelCurve.for_shot(0.5).as_manifest() == {"curve": "srgb", "maximum": 1.0}
    with pytest.raises(ValueError, match="NaN"):
        ModelCurve.for_shot(float("nan"))
    with pytest.raises(ValueError, match="for_shot"):
        ModelCurve(65.0)
