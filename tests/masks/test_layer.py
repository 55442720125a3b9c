from __future__ import annotations

import numpy as np
import pytest

from void_server.masks.layer import quadmask_layer
from void_server.plates.frame import Frame, Part
from void_server.plates.window import Window

WINDOW = Window(0, 0, 4, 3)


def frame(**values):
    """A picture of flat channels, by name; a dot is written __."""
    pixels = {name.replace("__", "."): np.full((3, 4), value, np.float16) for name, value in values.items()}
    return Frame((Part({"dataWindow": WINDOW.box, "displayWindow": WINDOW.box}, pixels),))


@pytest.mark.parametrize(
    "names", [["void__quadmask", "R", "Y", "A"], ["R", "Y", "A"], ["Y", "A"], ["A", "mask__x"], ["mask__x"]]
)
def test_our_own_layer_comes_first_then_the_picture_and_last_whatever_there_is(names):
    values = {name: 0.0 if name == names[0] else 1.0 for name in names}
    assert (quadmask_layer(frame(**values), WINDOW) == 0).all()


def test_beyond_its_own_pixels_everything_is_kept():
    levels = quadmask_layer(frame(R=0.0), Window(2, 1, 4, 3))
    expected = np.ones((3, 4))
    expected[:2, :2] = 0
    assert levels.dtype == np.float32
    assert np.array_equal(levels, expected)
