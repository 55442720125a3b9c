"""Our conventions against the quadmasks that Netflix published with the model."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from published import published

from void_server.masks.grid import grid_shape, gridify
from void_server.masks.quadmask import combine, quantise, split


@pytest.mark.parametrize(
    ("shot", "length"),
    [
        ("ducky-float", 62),
        pytest.param("lime", 46, marks=pytest.mark.slow),
        pytest.param("moving_ball", 62, marks=pytest.mark.slow),
    ],
)
def test_we_build_the_published_quadmask_from_its_primary_and_one_pixel_a_cell(shot, length):
    """Eroding the affected region inside its cells and building again gives every frame back, to the pixel."""
    count = affected_pixels = 0
    for index, quadmask in enumerate(published(shot)):
        assert np.array_equal(quantise(quadmask), quadmask)
        primary, affected = split(quadmask)
        if index == 0:
            assert not affected.any()
        thinned = cv2.erode(affected.astype(np.uint8), np.ones((41, 41), np.uint8), borderValue=1) > 0
        assert np.array_equal(combine(primary, gridify(thinned, *grid_shape(*thinned.shape))), quadmask)
        count += 1
        affected_pixels += np.count_nonzero(affected)
    assert count == length
    assert affected_pixels > 0
