from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_server.plates.resize import enlarge, shrink


@pytest.mark.parametrize("shape", [(60, 90), (60, 90, 1), (60, 90, 3)])
def test_shrinking_takes_the_mean_of_each_area(shape):
    image = np.random.default_rng(0).random(shape).astype(np.float16)
    small = shrink(image, 30, 15)
    blocks = image.astype(np.float64).reshape(15, 4, 30, 3, *shape[2:])
    assert small.dtype == np.float32
    assert small.flags.c_contiguous
    assert np.abs(small - blocks.mean(axis=(1, 3))).max() < 1e-6


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60), st.integers(1, 60))
def test_any_size_keeps_a_flat_image_flat_and_has_the_shape_asked_for(height, width, new_height, new_width):
    flat = np.full((height, width, 3), 0.25, np.float32)
    for resize in (shrink, enlarge):
        result = resize(flat, new_width, new_height)
        assert result.shape == (new_height, new_width, 3)
        assert np.abs(result - 0.25).max() < 1e-6


@given(st.integers(8, 80), st.integers(8, 80))
def test_shrinking_by_any_factor_keeps_the_mean(height, width):
    image = np.random.default_rng(height * width).random((height, width), np.float32)
    assert shrink(image, max(1, width // 3), max(1, height // 2)).mean() == pytest.approx(image.mean(), abs=1e-4)


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_a_picture_stays_where_it_is(factor):
    """Pixel centres: a straight ramp, shrunk and enlarged, is the same ramp away from the borders."""
    ramp = np.tile(np.linspace(0, 1, 60 * factor, dtype=np.float32)[None, :, None], (40 * factor, 1, 3))
    small = shrink(ramp, 60, 40)
    assert np.abs(small[:, :, 0] - ramp.reshape(40, factor, 60, factor, 3).mean(axis=(1, 3))[..., 0]).max() < 1e-5
    back = enlarge(small, 60 * factor, 40 * factor)
    inner = slice(6 * factor, -6 * factor)
    # A fiftieth of a small pixel: Lanczos bends a ramp that much, and a shift of half a pixel would show.
    assert np.abs(back - ramp)[:, inner].max() < 0.02 / 60


def test_one_axis_may_grow_while_the_other_shrinks():
    image = np.arange(8, dtype=np.float32).reshape(8, 1).repeat(4, axis=1) / 8
    result = shrink(image, 16, 4)
    assert result.shape == (4, 16)
    assert np.abs(result - image.reshape(4, 2, 4).mean(axis=(1, 2))[:, None]).max() < 1e-6


def test_enlarging_an_edge_is_clamped():
    edge = np.zeros((8, 8, 3), np.float32)
    edge[:, 4:] = 1
    large = enlarge(edge, 64, 64)
    assert (large.min(), large.max()) == (0, 1)
    # Lanczos: steeper in the middle of the edge than a straight line between the two pixels.
    assert np.abs(np.diff(large[32, :, 0])).max() > 1 / 8


def test_strided_input_is_read_as_it_looks():
    image = np.random.default_rng(1).random((20, 30, 3), np.float32)
    assert np.array_equal(shrink(image[::-1, :, ::-1], 10, 10), shrink(image[::-1, :, ::-1].copy(), 10, 10))
