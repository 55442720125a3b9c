"""The quadmasks that Netflix published with the model, frame by frame."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

SHARED = Path(os.environ.get("VOID_SHARED") or Path(__file__).parents[2] / "shared")


def published(shot: str) -> Iterator[np.ndarray]:
    """Levels uint8 [h, w] of a sample's frames, in order; skips where the samples are not at hand."""
    path = SHARED / "samples" / shot / "quadmask.mp4"
    if not path.exists():
        pytest.skip(f"no published quadmask at {path}; set VOID_SHARED")
    video = cv2.VideoCapture(str(path))
    while True:
        read, picture = video.read()
        if not read:
            return
        yield np.ascontiguousarray(picture[..., 0])
