"""Our conventions against the quadmasks that Netflix published with the model."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from void_server.masks.quadmask import quantise, split
from void_server.masks.roto import build_quadmask

SHARED = Path(os.environ.get("VOID_SHARED") or Path(__file__).parents[3] / "shared")


def frames(shot):
    path = SHARED / "samples" / shot / "quadmask.mp4"
    if not path.exists():
        pytest.skip(f"no published quadmask at {path}; set VOID_SHARED")
    video = cv2.VideoCapture(str(path))
    while True:
        read, picture = video.read()
        if not read:
            return
        yield np.ascontiguousarray(picture[..., 0])


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
    for index, published in enumerate(frames(shot)):
        assert np.array_equal(quantise(published), published)
        primary, affected = split(published)
        if index == 0:
            assert not affected.any()
        thinned = cv2.erode(affected.astype(np.uint8), np.ones((41, 41), np.uint8), borderValue=1) > 0
        assert np.array_equal(build_quadmask(primary, thinned, first=index == 0), published)
        count += 1
        affected_pixels += np.count_nonzero(affected)
    assert count == length
    assert affected_pixels > 0
