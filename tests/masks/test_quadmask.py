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


@pytest.mark.parametrize("value", [20 / 255, 95 / 255, 160 / 255, 200 / 255])
def test_a_patch_of_anything_else_is_refused_by_frame_value_and_place(value):
    layer = np.ones((8, 9), np.float32)
    layer[1:6, 2:7] = value
    with pytest.raises(
        BadMask, match=r"quadmask q\.1017\.exr holds .* at pixel x 3, y 2 .*without filtering"
    ) as caught:
        read_quadmask(layer, "q.1017.exr")
    assert f"{np.float32(value):.4g}" in str(caught.value)


@pytest.mark.parametrize("value", [-0.1, 1.1, 63.0, np.nan, np.inf])
def test_one_pixel_that_can_be_no_level_is_refused(value):
    layer = np.ones((4, 6), np.float32)
    layer[2, 3] = value
    with pytest.raises(BadMask, match=r"quadmask q\.1017\.exr holds .* at pixel x 3, y 2 "):
        read_quadmask(layer, "q.1017.exr")


@pytest.mark.parametrize(("inner", "outer"), [(0, 255), (127, 255), (63, 0), (255, 0), (0, 127)])
@pytest.mark.parametrize("soft", [1.5, 8.0, 40.0])
def test_a_soft_brush_leaves_two_classes_and_its_edge_in_the_middle(inner, outer, soft):
    y, x = np.mgrid[:160, :200]
    radius = np.hypot(y - 80, x - 100)
    alpha = np.clip((50 - radius) / soft + 0.5, 0, 1)
    painted = read_quadmask((alpha * inner + (1 - alpha) * outer) / 255, "f")
    assert set(np.unique(painted)) == {inner, outer}
    off = np.abs(radius - 50)[painted != np.where(radius < 50, inner, outer)]
    assert off.size == 0 or off.max() <= 1 + soft / 8, "the edge has moved"


def test_what_lies_beside_a_soft_edge_stays_as_it_is():
    layer = np.ones((60, 60), np.float32)
    layer[:, :20] = np.clip((np.arange(20) - 8) / 6, 0, 1)
    layer[30, 40:] = 127 / 255  # a line of one pixel
    layer[10:20, 45:50] = 63 / 255
    classes = read_quadmask(layer, "f")
    assert (classes[:, 20:] == np.rint(layer[:, 20:] * 255)).all()
    assert set(np.unique(classes[:, :20])) == {0, 255}


def test_where_no_pixel_has_a_level_nothing_can_be_told():
    with pytest.raises(BadMask, match="none of 0, 63, 127, 255"):
        read_quadmask(np.linspace(80, 110, 40).reshape(4, 10) / 255, "f")
