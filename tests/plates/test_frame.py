from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_server.plates.exr import read_frame, write_frame
from void_server.plates.frame import BadPlate, Frame, Part
from void_server.plates.window import Window

windows = st.builds(Window, st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 30), st.integers(1, 30))


def painted(window, canvas):
    """The window as a set of pixels on a canvas big enough for any of them."""
    mask = np.zeros((canvas.height, canvas.width), bool)
    mask[window.y - canvas.y : window.bottom - canvas.y, window.x - canvas.x : window.right - canvas.x] = True
    return mask


@given(windows, windows)
def test_windows_agree_with_painted_pixels(a, b):
    canvas = Window(-60, -60, 160, 160)
    both = painted(a, canvas) | painted(b, canvas)
    rows, columns = np.nonzero(both)
    union = a.union(b)
    assert union.box == ((columns.min() - 60, rows.min() - 60), (columns.max() - 60, rows.max() - 60))
    common = a.intersection(b)
    assert common.width * common.height == np.count_nonzero(painted(a, canvas) & painted(b, canvas))
    assert np.array_equal(np.argwhere(painted(a, canvas)).min(axis=0), (a.y + 60, a.x + 60))
    inside = np.zeros((union.height, union.width), bool)
    inside[a.slices_in(union)] = True
    assert np.array_equal(inside, painted(a, union))
    assert Window.from_box(a.box) == a


def test_a_window_outside_another_has_no_slices_in_it():
    with pytest.raises(ValueError, match="not inside"):
        Window(-1, 0, 4, 4).slices_in(Window(0, 0, 10, 10))


def half(*shape):
    return np.random.default_rng(0).random(shape).astype(np.float16)


def test_rgb_is_the_stored_light_in_float32():
    channels = {name: half(4, 6) for name in "RGBA"}
    channels["G"][0, 0], channels["B"][1, 1] = np.nan, -0.05
    rgb = Frame((Part({}, channels),)).rgb()
    assert rgb.dtype == np.float32
    assert rgb.shape == (4, 6, 3)
    for index, name in enumerate("RGB"):
        assert np.array_equal(rgb[..., index], channels[name].astype(np.float32), equal_nan=True)


def test_an_alpha_alone_is_a_roto_and_not_a_plate():
    alpha = half(4, 6)
    roto = read_frame(write_frame(Frame((Part({}, {"A": alpha}),))), "roto.1001.exr")
    assert np.array_equal(roto.channel("A"), alpha)
    with pytest.raises(BadPlate, match=r"roto\.1001\.exr has no channel R, G, B \(it has A\).*render it"):
        roto.rgb()


def test_channels_are_added_and_replaced_without_touching_the_frame_they_came_from():
    first = Frame((Part({}, {name: half(4, 6) for name in "RGB"}),), "plate")
    matte = np.full((4, 6), 0.5, np.float32)
    second = first.with_channels({"void.matte": matte, "R": matte})
    assert set(first.parts[0].channels) == {"R", "G", "B"}
    assert np.array_equal(second.channel("R"), matte)
    assert second.channel("void.matte").dtype == np.float32
    assert second.channel("G") is first.channel("G")
    assert second.name == "plate"


@pytest.mark.parametrize("pixels", [np.zeros((4, 6)), np.zeros((4, 6), np.uint8), np.zeros((6, 4), np.float32)])
def test_channels_that_exr_cannot_hold_are_refused(pixels):
    with pytest.raises(ValueError, match="channel Z is"):
        Frame((Part({}, {"A": half(4, 6)}),)).with_channels({"Z": pixels})


def test_metadata_is_added_to_the_beauty_part():
    frame = Frame((Part({"name": "a"}, {"Z": half(4, 6)}), Part({"name": "b"}, {n: half(4, 6) for n in "RGB"})))
    tagged = read_frame(write_frame(frame.with_metadata({"void/job": "j1", "void/seed": 42, "void/gain": 0.5})))
    assert {k: v for k, v in tagged.parts[1].header.items() if k.startswith("void/")} == {
        "void/job": "j1",
        "void/seed": 42,
        "void/gain": 0.5,
    }
    assert "void/job" not in tagged.parts[0].header
    assert "void/job" not in frame.parts[1].header
