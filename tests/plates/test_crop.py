"""The parts of a plate that the model is shown."""

from __future__ import annotations

import functools
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_server.plates.crop import Crop, View, crop_window, plan, windows_for
from void_server.plates.path import EASE, SPEED
from void_server.plates.window import Window

UHD = Window(0, 0, 3840, 2160)


def test_a_small_object_is_shown_at_the_plates_own_scale() -> None:
    assert crop_window(Window(1900, 1000, 40, 40), View(UHD, 672, 384)) == Window(1584, 828, 672, 384)


def test_a_larger_one_with_three_times_its_area_in_the_models_shape() -> None:
    """700 x 400 is of the model's shape, 7 : 4: each side is sqrt(3) times as long, 1212.4 and 692.8."""
    assert crop_window(Window(1000, 600, 700, 400), View(UHD, 672, 384)) == Window(1350 - 606, 800 - 346, 1212, 693)
    assert abs(1212 * 693 / (700 * 400) - 3) < 0.003


def test_a_slim_one_with_a_part_of_its_own_length_around_it() -> None:
    """0.15 of 400 above and below is 520, that of 700 left and right 910; 910 x 520 is 7 : 4, and area to spare."""
    assert crop_window(Window(1000, 600, 300, 400), View(UHD, 672, 384)) == Window(1150 - 455, 800 - 260, 910, 520)
    assert crop_window(Window(1000, 600, 700, 100), View(UHD, 672, 384)) == Window(1350 - 455, 650 - 260, 910, 520)
    assert 910 * 520 > 3 * 300 * 400


def test_near_the_edge_it_is_moved_in() -> None:
    assert crop_window(Window(0, 2120, 40, 40), View(UHD, 672, 384)) == Window(0, 1776, 672, 384)


def test_overscan_counts_and_origins_may_be_negative() -> None:
    within = Window(-100, -50, 4040, 2260)
    assert crop_window(Window(-100, -50, 40, 40), View(within, 672, 384)) == Window(-100, -50, 672, 384)


def test_anamorphic_pixels_make_it_half_as_wide() -> None:
    assert crop_window(Window(1000, 800, 40, 40), View(UHD, 672, 384, 2.0)) == Window(852, 628, 336, 384)


def test_anamorphic_pixels_count_three_times_like_any() -> None:
    """Both areas are in plate pixels. 350 x 400 of them are of the model's shape here: sqrt(3) times each side."""
    view = View(UHD, 672, 384, 2.0)
    assert crop_window(Window(1000, 600, 350, 400), view) == Window(1175 - 303, 800 - 346, 606, 693)
    assert abs(606 * 693 / (350 * 400) - 3) < 0.003


@given(st.integers(0, 1900), st.integers(0, 2100), st.integers(1, 1900), st.integers(1, 2100))
def test_an_anamorphic_plate_is_cropped_as_the_same_picture_in_square_pixels(x, y, width, height) -> None:
    """A pixel of aspect 2 is two square ones side by side."""
    width, height = min(width, 1920 - x), min(height, 2160 - y)
    squeezed = crop_window(Window(x, y, width, height), View(Window(0, 0, 1920, 2160), 672, 384, 2.0))
    square = crop_window(Window(2 * x, y, 2 * width, height), View(UHD, 672, 384))
    assert (squeezed.y, squeezed.height) == (square.y, square.height)
    assert (2 * squeezed.x, 2 * squeezed.width) == pytest.approx((square.x, square.width), abs=2), "a pixel"


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
    assert crop_window(region, View(within, 672, 384)) == within


@pytest.mark.parametrize("region", [Window(3800, 0, 100, 10), Window(5, 5, 0, 3)])
def test_a_region_that_is_none_is_refused(region: Window) -> None:
    with pytest.raises(ValueError, match="not a part"):
        crop_window(region, View(UHD, 672, 384))


@given(
    st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 900), st.integers(1, 900), st.data(),
    st.sampled_from([(672, 384), (384, 672), (64, 64)]), st.sampled_from([1.0, 2.0, 0.9091]),
)  # fmt: skip
def test_it_holds_the_region_and_lies_in_the_picture(x, y, w, h, data, size, aspect) -> None:
    within = Window(x, y, w, h)
    left, top = data.draw(st.integers(0, w - 1)), data.draw(st.integers(0, h - 1))
    region = Window(x + left, y + top, data.draw(st.integers(1, w - left)), data.draw(st.integers(1, h - top)))
    view = View(within, *size, aspect)
    crop = crop_window(region, view)
    assert crop.union(region) == crop
    assert within.union(crop) == within
    if crop != within:
        assert crop.width == pytest.approx(crop.height * view.shape, abs=0.5 + view.shape)
        assert crop.height >= size[1]
    if crop.width < w and crop.height < h:
        assert (crop.width + 0.5) * (crop.height + 0.5) >= 3 * region.width * region.height, "half pixels: rounding"
        assert crop.union(with_context(region, within)) == crop


def with_context(region: Window, within: Window) -> Window:
    """A region and 0.15 of its size on every side, whole pixels, as far as the picture reaches."""
    x, y = int(0.15 * region.width), int(0.15 * region.height)
    return Window(region.x - x, region.y - y, region.width + 2 * x, region.height + 2 * y).intersection(within)


def walking(count: int, start: tuple[int, int], step: tuple[int, int], size: tuple[int, int]) -> list[Window]:
    return [Window(start[0] + step[0] * i, start[1] + step[1] * i, *size) for i in range(count)]


HD = View(UHD, 672, 384)


def test_a_small_object_that_crosses_the_picture_is_followed_at_the_plates_own_scale() -> None:
    boxes = walking(120, (100, 900), (20, 2), (150, 200))
    windows = windows_for(boxes, HD)
    assert {(window.width, window.height) for window in windows} == {(672, 384)}
    assert all(window.union(box) == window for window, box in zip(windows, boxes, strict=True))
    steps = [after.x - before.x for before, after in itertools.pairwise(windows)]
    assert min(steps) >= 0
    assert max(steps) <= 20


def test_a_larger_one_is_followed_with_all_of_its_context_on_every_frame() -> None:
    """400 and 0.15 of it above and below is 520; 910 wide is 300, 0.15 of it, and more than 12 frames of 20 to ease."""
    boxes = walking(120, (100, 900), (20, 0), (300, 400))
    windows = windows_for(boxes, HD)
    assert {(window.width, window.height) for window in windows} == {(910, 520)}
    assert len(set(windows)) > 60
    for window, box in zip(windows, boxes, strict=True):
        assert window.union(with_context(box, UHD)) == window


def test_a_window_rests_unless_moving_shows_half_as_much_detail_again() -> None:
    """At rest an object and its way need 1.3 (400 + way) pixels of height.

    Following it, they need 1.3 of 400, and the way of 2 EASE frames so that changes of speed are even.
    """
    for way, moves in [(190, False), (225, True)]:
        boxes = [Window(1500, 700 + way * i // 399, 100, 400) for i in range(400)]
        rest, following = round(1.3 * (400 + way)), 1.3 * 400 + 2 * EASE * way / 399
        assert (following * 1.5 < rest) is moves
        windows = windows_for(boxes, HD)
        assert (len(set(windows)) > 1) is moves
        assert windows[0].height == pytest.approx(following if moves else rest, abs=3 if moves else 0)


def test_a_window_that_could_not_keep_up_is_larger_or_at_rest() -> None:
    """In 40 frames a window moves 39 SPEED times its width, and may have the object at either end of itself."""
    fast = walking(40, (100, 900), (60, 0), (150, 150))
    (size,) = {(window.width, window.height) for window in windows_for(fast, HD)}
    assert size[0] * (1 + 39 * SPEED) >= 39 * 60 + 1.3 * 150
    assert 384 < size[1] <= 2160 / 1.5
    jumping = [Window(100, 100, 150, 150)] * 10 + [Window(3500, 1900, 150, 150)] * 10
    assert windows_for(jumping, HD) == (UHD,) * 20


def test_one_window_for_what_lies_together_several_for_what_lies_apart() -> None:
    left, near, right = ([Window(x, y, 100, 100)] * 5 for x, y in ((200, 200), (500, 300), (3500, 1900)))
    assert plan({1: left}, HD) == [Crop((Window(0, 58, 672, 384),) * 5, (1,))]
    assert [crop.components for crop in plan({1: left, 2: near}, HD)] == [(1, 2)]
    crops = plan({1: left, 2: near, 3: right}, HD)
    assert sorted(crop.components for crop in crops) == [(1, 2), (3,)]
    assert math.sqrt(3 * 400 * 200 * 384 / 672) < 384, "the larger one's region is 400 x 200"
    assert {crop.windows[0].height for crop in crops} == {384}


def test_a_large_object_far_away_leaves_nothing_to_gain_from_a_second_window() -> None:
    small, large = [Window(100, 100, 50, 50)] * 3, [Window(1800, 500, 1900, 1200)] * 3
    assert plan({1: small, 2: large}, HD) == [Crop((UHD,) * 3, (1, 2))]


def test_no_more_windows_than_four_however_many_objects() -> None:
    corners = [(x, y) for x in (50, 1900, 3700) for y in (50, 1000, 2000)]
    crops = plan({label: [Window(*corner, 60, 60)] for label, corner in enumerate(corners, 1)}, HD)
    assert len(crops) <= 4
    assert sorted(label for crop in crops for label in crop.components) == list(range(1, 10))


def test_an_object_that_is_somewhere_else_on_every_frame_is_one_object_to_follow() -> None:
    """It moves by more than its size, so that its traces don't touch: islands, each on one frame only."""
    boxes = walking(100, (100, 900), (30, 0), (20, 20))
    islands = {i + 1: [box if i == j else None for j in range(100)] for i, box in enumerate(boxes[:32])}
    crops = plan(islands, HD)
    assert len(crops) == 1


@given(
    st.lists(st.none() | st.tuples(*[st.integers(0, 99)] * 4), min_size=1, max_size=30).filter(any),
    st.tuples(st.integers(-60, 60), st.integers(-60, 60), st.integers(100, 900), st.integers(100, 900)),
    st.sampled_from([(96, 48), (48, 96), (64, 64)]), st.sampled_from([1.0, 2.0, 0.9091]),
)  # fmt: skip
def test_on_every_frame_the_box_lies_in_the_window_and_the_window_in_the_picture(given_boxes, at, size, aspect) -> None:
    within = Window(*at)
    view = View(within, *size, aspect)
    boxes = [_scaled(box, within) if box else None for box in given_boxes]
    windows = windows_for(boxes, view)
    assert len({(window.width, window.height) for window in windows}) == 1
    assert len(windows) == len(boxes)
    for window, box in zip(windows, boxes, strict=True):
        assert within.union(window) == within
        assert box is None or window.union(box) == window
        if box and window.width < within.width and window.height < within.height:
            assert window.union(with_context(box, within)) == window
            assert (window.width + 0.5) * (window.height + 0.5) >= 3 * box.width * box.height
    if windows[0] != within:
        assert windows[0].width == pytest.approx(windows[0].height * view.shape, abs=0.5 + view.shape)
        assert windows[0].height >= size[1]
    rest = crop_window(functools.reduce(Window.union, filter(None, boxes)), view)
    assert set(windows) == {rest} or view.scale(windows[0]) <= view.scale(rest) / 1.5


def _scaled(box: tuple[int, int, int, int], within: Window) -> Window:
    """Hundredths of the picture, its first corner and how much of what is left, to a box of at least a pixel."""
    x, y = within.x + within.width * box[0] // 100, within.y + within.height * box[1] // 100
    return Window(
        x, y, 1 + (within.right - x - 1) * box[2] ** 2 // 10000, 1 + (within.bottom - y - 1) * box[3] ** 2 // 10000
    )
