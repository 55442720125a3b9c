from __future__ import annotations

import itertools
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from published import published as published_frames

from void_server.masks.model_size import shrink_quadmask
from void_server.masks.quadmask import quantise

LEVELS = (0, 63, 127, 255)
SIDES = st.integers(1, 11)


def areas_under(quadmask, width, height):
    """For each new pixel, how much of each level lies under it, in old pixels, exactly."""

    def spans(length, count):
        for index in range(count):
            start, end = Fraction(index * length, count), Fraction((index + 1) * length, count)
            common = ((i, min(end, i + 1) - max(start, i)) for i in range(length))
            yield [(i, share) for i, share in common if share > 0]

    columns = list(spans(quadmask.shape[1], width))
    for y, rows in enumerate(spans(quadmask.shape[0], height)):
        for x, across in enumerate(columns):
            areas = dict.fromkeys(LEVELS, Fraction(0))
            for (row, tall), (column, wide) in ((r, c) for r in rows for c in across):
                areas[int(quadmask[row, column])] += tall * wide
            yield (y, x), areas


@pytest.mark.parametrize("covered", range(9))
def test_an_edge_within_a_pixel_makes_a_third_class_as_published_and_none_as_trained(covered):
    """0 on the left of 255, eight pixels to one: the middle one of three has `covered` eighths of 0."""
    quadmask = np.full((16, 24), 255, np.uint8)
    quadmask[:, : 8 + covered] = 0
    mean = 255 * (8 - covered) / 8
    class_of_mean = 0 if mean <= 31 else 63 if mean <= 95 else 127 if mean <= 191 else 255
    published = shrink_quadmask(quadmask, 3, 2, "netflix")
    assert published.tolist() == [[0, class_of_mean, 255]] * 2
    assert shrink_quadmask(quadmask, 3, 2, "quad").tolist() == [[0, 0 if covered else 255, 255]] * 2


@pytest.mark.parametrize(
    ("under", "expected"),
    [
        ([0, 255, 255, 255], 0),
        ([63, 255, 255, 255], 63),
        ([127, 255, 255, 255], 127),
        ([0, 127, 127, 127], 0),
        ([0, 63, 63, 255], 63),
        ([0, 63, 127, 255], 0),
        ([0, 0, 63, 127], 0),
        ([255, 255, 255, 255], 255),
    ],
)
def test_remove_comes_before_affected_and_affected_before_keep(under, expected):
    """Four pixels become one; mixed with nothing else, 0 and 127 are not 63."""
    for order in (under, under[::-1]):
        assert shrink_quadmask(np.array(order, np.uint8).reshape(2, 2), 1, 1, "quad").tolist() == [[expected]]


@given(
    SIDES.flatmap(lambda h: SIDES.flatmap(lambda w: arrays(np.uint8, (h, w), elements=st.sampled_from(LEVELS)))),
    SIDES,
    SIDES,
)
def test_every_level_lies_under_its_pixel_and_is_the_one_that_matters_most(quadmask, width, height):
    small = shrink_quadmask(quadmask, width, height, "quad")
    assert (small.dtype, small.shape) == (np.uint8, (height, width))
    for place, areas in areas_under(quadmask, width, height):
        assert areas[int(small[place])] > 0, "a level that nobody painted there"
        if areas[0] or areas[63]:
            assert small[place] == (0 if areas[0] >= areas[63] else 63)
        else:
            assert small[place] == (127 if areas[127] else 255)


@given(SIDES.flatmap(lambda h: SIDES.flatmap(lambda w: arrays(np.uint8, (h, w), elements=st.sampled_from(LEVELS)))))
def test_at_its_own_size_a_quadmask_stays_as_it_is(quadmask):
    height, width = quadmask.shape
    for levels in ("netflix", "quad"):
        assert np.array_equal(shrink_quadmask(quadmask, width, height, levels), quadmask)


@given(arrays(np.uint8, (9, 13), elements=st.sampled_from(LEVELS)), SIDES, SIDES)
def test_as_published_it_is_what_torch_makes_of_it(quadmask, width, height):
    mean = torch.nn.functional.interpolate(torch.from_numpy(quadmask).float()[None, None], (height, width), mode="area")
    assert np.array_equal(shrink_quadmask(quadmask, width, height, "netflix"), quantise(mean[0, 0].numpy()))


def test_one_pixel_of_a_4k_roto_is_still_there():
    quadmask = np.full((2160, 3840), 255, np.uint8)
    quadmask[1234, 2345] = 0
    assert (shrink_quadmask(quadmask, 672, 384, "netflix") == 255).all()
    # 3840 / 672 and 2160 / 384 old pixels to a new one
    place = [1234 * 384 // 2160, 2345 * 672 // 3840]
    assert np.argwhere(shrink_quadmask(quadmask, 672, 384, "quad") == 0).tolist() == [place]


def test_a_wire_one_pixel_wide_stays_in_one_piece():
    quadmask = np.full((1080, 1920), 255, np.uint8)
    cv2.line(quadmask, (5, 900), (1900, 40), 0, 1)
    small = shrink_quadmask(quadmask, 672, 384, "quad")
    pieces, _ = cv2.connectedComponents((small == 0).astype(np.uint8), connectivity=8)
    assert pieces == 2, "the wire, and what is around it"


def test_levels_off_the_four_are_brought_to_them_before():
    quadmask = np.array([[12, 51, 120, 243], [12, 75, 139, 250]], np.uint8)
    assert shrink_quadmask(quadmask, 4, 1, "quad").tolist() == [[0, 63, 127, 255]]


@pytest.mark.parametrize(
    ("shot", "percent"),
    [
        ("ducky-float", 1.5),
        pytest.param("lime", 2, marks=pytest.mark.slow),
        pytest.param("moving_ball", 7, marks=pytest.mark.slow),  # small objects have more edge
    ],
)
def test_of_the_published_quadmasks_no_class_is_lost_grown_or_added(shot, percent):
    """Every tenth frame. Areas are of the whole shot."""
    before, after = dict.fromkeys(LEVELS, 0.0), dict.fromkeys(LEVELS, 0.0)
    for quadmask in itertools.islice(published_frames(shot), 0, None, 10):
        small = shrink_quadmask(quadmask, 672, 384, "quad")
        assert set(np.unique(small)) == set(np.unique(quadmask)), "as the first frame's, which has nothing affected"
        for areas, picture in ((before, quadmask), (after, small)):
            for level in LEVELS:
                areas[level] += np.count_nonzero(picture == level) / picture.size
    assert after[0] + after[63] >= before[0] + before[63]
    for level in LEVELS:
        assert abs(after[level] / before[level] - 1) < percent / 100, level
