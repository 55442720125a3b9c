from __future__ import annotations

import numpy as np
import pytest

from void_server.masks.quadmask import BadMask
from void_server.masks.roto import ALPHA_FLOOR, primary_from_alpha, read_matte
from void_server.plates.exr import read_frame, write_frame
from void_server.plates.frame import BadPlate, Frame, Part
from void_server.plates.window import Window


def roto(window):
    alpha = np.random.default_rng(0).random((window.height, window.width)).astype(np.float16) / 2 + 0.5
    header = {"dataWindow": window.box, "displayWindow": Window(0, 0, 20, 10).box}
    return read_frame(write_frame(Frame((Part(header, {"A": alpha}),))), "roto.1001.exr")


def test_a_matte_is_read_as_stored():
    frame = roto(Window(3, 2, 5, 4))
    matte = read_matte(frame)
    assert matte.dtype == np.float32
    assert np.array_equal(matte, frame.channel("A").astype(np.float32))
    with pytest.raises(BadPlate, match=r"roto\.1001\.exr has no channel mask\.a .*it has A"):
        read_matte(frame, "mask.a")


@pytest.mark.parametrize("outside", [0, 1])
@pytest.mark.parametrize("window", [(3, 2, 5, 4), (-4, -3, 30, 20), (15, 6, 9, 9), (-9, -9, 4, 4), (0, 0, 20, 10)])
def test_a_cropped_or_larger_roto_is_laid_over_the_plate(window, outside):
    """A matte pixel belongs to a place in the picture, wherever its file starts."""
    frame, plate = roto(Window(*window)), Window(-2, 1, 18, 9)
    matte = read_matte(frame, window=plate, outside=outside) if outside else read_matte(frame, window=plate)
    assert matte.shape == (9, 18)
    stored = frame.channel("A")
    for y, x in np.ndindex(9, 18):
        column, row = x - 2 - window[0], y + 1 - window[1]
        inside = 0 <= row < window[3] and 0 <= column < window[2]
        assert matte[y, x] == (stored[row, column] if inside else outside)


def test_alpha_from_a_32nd_is_primary():
    alpha = np.array([[0, 0.03, ALPHA_FLOOR, 0.5, 1, 1.02, -0.02, -0.0]], np.float32)
    assert primary_from_alpha(alpha, "f").tolist() == [[False, False, True, True, True, True, False, False]]
    assert primary_from_alpha(alpha.astype(np.float16), "f").tolist() == primary_from_alpha(alpha, "f").tolist()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.1, -0.1, 255])
def test_an_alpha_out_of_range_is_refused_by_frame_and_place(value):
    alpha = np.zeros((5, 7), np.float16)
    alpha[1, 4] = alpha[3, 2] = value
    with pytest.raises(BadMask, match=r"roto roto\.1001\.exr holds .* at pixel x 4, y 1 .* outside 0\.\.1: check"):
        primary_from_alpha(alpha, "roto.1001.exr")
