"""Files as other programs write them, made by the library alone and not by our writer."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import OpenEXR
import pytest

Encode = Callable[..., bytes]


def _encode(*parts: tuple[dict[str, Any], dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    made = [OpenEXR.Part({"type": OpenEXR.scanlineimage, **header}, dict(channels)) for header, channels in parts]
    OpenEXR.File(made).write(buffer)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def encode() -> Encode:
    return _encode


@pytest.fixture(scope="session")
def rgb_noise() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    return {name: rng.random((24, 40)).astype(np.float16) for name in "RGB"}
