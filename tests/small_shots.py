"""Shots small enough that a pass on them takes a second."""

from typing import Any

import numpy as np

from void_server.model import PassSettings, VoidModel

SMALL: dict[str, Any] = {"height": 32, "width": 48, "window": 13, "overlap": 8, "steps": 1, "guidance_scale": 1.0}


def shot(frames: int, height: int = 32, width: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """A noisy clip and a quadmask with one rectangle to remove."""
    clip = np.random.default_rng(frames).random((frames, height, width, 3), dtype=np.float32)
    quadmask = np.full((frames, height, width), 255, np.uint8)
    quadmask[:, height // 4 : height // 2, width // 4 : width // 2] = 0
    return clip, quadmask


def run(model: VoidModel, frames: int = 13, number: int = 1, changes: dict | None = None, **options) -> np.ndarray:
    """One pass on such a shot; `changes` to the settings, `options` of run_pass."""
    settings = PassSettings(**(SMALL | (changes or {})))
    return model.run_pass(number, *shot(frames), "an empty room", settings, **options)
