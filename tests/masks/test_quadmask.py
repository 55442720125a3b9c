from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_server.masks.quadmask import BadMask, combine, quantise, read_quadmask, split


def test_the_four_classes():
    primary = np.array([[True, True, False, False]])
    affected = np.array([[False, True, True, False]])
    quadmask = combine(primary, affected)
    assert quadmask.dtype == np.uint8
    assert quadmask.tolist() == [[0, 63, 127, 255]]
    assert [half.tolist() for half in split(quadmask)] == [primary.tolist(), affected.tolist()]


def test_every_level_goes_to_its_class():
    expected = [0] * 32 + [63] * 64 + [127] * 96 + [255] * 64
    assert quantise(np.arange(256, dtype=np.uint8)).tolist() == expected
    assert quantise(np.arange(256, dtype=np.float32)).tolist() == expected


@given(st.sampled_from([0, 63, 127, 255]), st.floats(-12, 12), st.sampled_from([np.float16, np.float32]))
def test_a_layer_near_its_levels_is_read(level, off, dtype):
    off = np.clip(off, -11.9, 11.9)
    assert read_quadmask(np.full((2, 3), (level + off) / 255, dtype), "f").tolist() == [[level] * 3] * 2


@pytest.mark.parametrize("value", [20 / 255, 95 / 255, 160 / 255, 200 / 255, -0.1, 1.1, 63.0, np.nan, np.inf])
def test_anything_else_is_refused_by_frame_value_and_place(value):
    layer = np.ones((4, 6), np.float32)
    layer[2, 3] = value
    with pytest.raises(
        BadMask, match=r"quadmask q\.1017\.exr holds .* at pixel x 3, y 2 .*without filtering"
    ) as caught:
        read_quadmask(layer, "q.1017.exr")
    assert f"{np.float32(value):.4g}" in str(caught.value)
