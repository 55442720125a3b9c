"""The part of a plate that the model is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_server.plates.crop import crop_window
from void_server.plates.window import Window

UHD = Window(0, 0, 3840, 2160)


def test_a_small_object_is_shown_at_the_plates_own_scale() -> None:
    assert crop_window(Window(1900, 1000, 40, 40), UHD, 672, 384) == Window(1584, 828, 672, 384)


def test_a_larger_one_with_half_its_size_around_it_in_the_models_shape() -> None:
    """400 high and half as much above and below: 800; 672 : 384 is 7 : 4, so 1400 wide."""
    assert crop_window(Window(1000, 600, 300, 400), UHD, 672, 384) == Window(450, 400, 1400, 800)
    assert crop_window(Window(1000, 600, 700, 100), UHD, 672, 384) == Window(650, 250, 1400, 800)


def test_near_the_edge_it_is_moved_in() -> None:
    assert crop_window(Window(0, 2120, 40, 40), UHD, 672, 384) == Window(0, 1776, 672, 384)


def test_overscan_counts_and_origins_may_be_negative() -> None:
    within = Window(-100, -50, 4040, 2260)
    assert crop_window(Window(-100, -50, 40, 40), within, 672, 384) == Window(-100, -50, 672, 384)


def test_anamorphic_pixels_make_it_half_as_wide() -> None:
    assert crop_window(Window(1000, 800, 40, 40), UHD, 672, 384, 2.0) == Window(852, 628, 336, 384)


@pytest.mark.parametrize(
    ("region", "within"),
    [
        (Window(100, 100, 3000, 300), UHD),  # too wide for any part of that shape but the whole
        (Window(0, 0, 3840, 2160), UHD),
        (Window(10, 10, 20, 20), Window(0, 0, 640, 360)),  # smaller than the model's picture
        (Window(900, 10, 20, 1100), Window(0, 0, 1920, 1160)),
    ],
)
def test_where_it_is_not_worth_it_the_whole_picture_is_shown(region: Window, within: Window) -> None:
    assert crop_window(region, within, 672, 384) == within


@pytest.mark.parametrize("region", [Window(3800, 0, 100, 10), Window(5, 5, 0, 3)])
def test_a_region_that_is_none_is_refused(region: Window) -> None:
    with pytest.raises(ValueError, match="not a part"):
        crop_window(region, UHD, 672, 384)


@given(
    st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 900), st.integers(1, 900), st.data(),
    st.sampled_from([(672, 384), (384, 672), (64, 64)]), st.sampled_from([1.0, 2.0, 0.9091]),
)  # fmt: skip
def test_it_holds_the_region_and_lies_in_the_picture(x, y, w, h, data, size, aspect) -> None:
    within = Window(x, y, w, h)
    left, top = data.draw(st.integers(0, w - 1)), data.draw(st.integers(0, h - 1))
    region = Window(x + left, y + top, data.draw(st.integers(1, w - left)), data.draw(st.integers(1, h - top)))
    crop = crop_window(region, within, *size, aspect)
    assert crop.union(region) == crop
    assert within.union(crop) == within
    if crop != within:
        shape = size[0] / size[1] / aspect
        assert crop.width == pytest.approx(crop.height * shape, abs=0.5 + shape)
        assert crop.height >= size[1]
