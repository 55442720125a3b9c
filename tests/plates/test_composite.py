from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from void_server.plates.composite import composite, matte_ramp

EVERY_HALF = np.arange(65536, dtype=np.uint16).view(np.float16).reshape(256, 256)


@settings(max_examples=30, deadline=None)
@given(
    points=st.lists(st.tuples(st.integers(0, 29), st.integers(0, 39)), min_size=1, max_size=5),
    feather=st.one_of(st.integers(1, 12), st.floats(0.5, 12)),
)
def test_the_ramp_is_linear_in_the_distance_and_ends(points, feather):
    selected = np.zeros((30, 40), bool)
    selected[tuple(np.transpose(points))] = True
    ys, xs = np.mgrid[:30, :40]
    distance = np.min([np.hypot(ys - y, xs - x) for y, x in points], axis=0)
    matte = matte_ramp(selected, feather)
    assert matte.dtype == np.float32
    assert np.abs(matte - np.clip(1 - distance / feather, 0, 1)).max() < 1e-5
    assert (matte[selected] == 1).all()
    assert not matte[distance >= feather + 1e-5].any()


def test_the_ramp_is_exactly_zero_at_the_feather():
    selected = np.zeros((41, 41), bool)
    selected[20, 20] = True
    for feather in range(1, 20):
        row = matte_ramp(selected, feather)[20, 20:]
        assert row[feather] == 0
        assert row[feather - 1] > 0


def test_a_hard_edge_and_an_empty_selection():
    selected = np.random.default_rng(0).random((20, 30)) > 0.5
    for none in (0, 5e-324, 1e-50, 1e-42, 1e-3, 1):
        assert np.array_equal(matte_ramp(selected, none), selected.astype(np.float32))
    assert not matte_ramp(np.zeros((20, 30), bool), 8).any()
    for feather in (-1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="feather"):
            matte_ramp(selected, feather)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_outside_the_matte_every_bit_is_the_source(dtype):
    rng = np.random.default_rng(1)
    source = EVERY_HALF
    if dtype == np.float32:
        source = rng.integers(0, 2**32, (256, 256), dtype=np.uint32).view(np.float32)
    before = source.tobytes()
    matte = np.where(rng.random((256, 256)) > 0.5, rng.random((256, 256)), 0).astype(np.float32)
    result = composite(source, rng.random((256, 256), np.float32), matte)
    assert result.dtype == dtype
    assert result[matte == 0].tobytes() == source[matte == 0].tobytes()
    assert np.isfinite(result[matte > 0]).all()
    assert source.tobytes() == before
    # A matte that is NaN or negative selects nothing.
    for nothing in (np.zeros_like(matte), np.full_like(matte, np.nan), np.full_like(matte, -1)):
        assert composite(source, rng.random((256, 256), np.float32), nothing).tobytes() == before


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_inside_it_is_the_mix(dtype):
    rng = np.random.default_rng(2)
    source, fill = (rng.random((20, 30)) * 4).astype(dtype), rng.random((20, 30), np.float32) * 4
    matte = np.clip(rng.random((20, 30)) * 2 - 0.5, 0, 1).astype(np.float32)
    expected = source.astype(np.float64) * (1 - matte) + fill.astype(np.float64) * matte
    tolerance = 2e-3 if dtype == np.float16 else 1e-6
    assert np.abs(composite(source, fill, matte) - expected).max() < tolerance
    assert np.array_equal(composite(source, fill, matte)[matte == 1], fill[matte == 1].astype(dtype))


def test_a_broken_source_under_a_partial_matte_gives_the_fill():
    source = np.array([[np.nan, np.inf, -np.inf, 1.0]], np.float16)
    fill = np.full((1, 4), 0.25, np.float32)
    assert composite(source, fill, np.full((1, 4), 0.5, np.float32)).tolist() == [[0.25, 0.25, 0.25, 0.625]]


def test_half_overflow_is_clamped():
    source = np.zeros((1, 3), np.float16)
    fill = np.array([[1e6, -1e6, 65519]], np.float32)
    assert composite(source, fill, np.ones((1, 3), np.float32)).tolist() == [[65504, -65504, 65504]]


def test_other_types_and_sizes_are_refused():
    image, matte = np.zeros((4, 4), np.float32), np.ones((4, 4), np.float32)
    for source, fill in ((image.astype(np.uint32), image), (image, image[:3]), (image.astype(np.float64), image)):
        with pytest.raises(ValueError, match="cannot lay"):
            composite(source, fill, matte)
