"""Every n-th frame to the model, the others from their neighbours: measured against motion that is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from void_server.model.flow import DISFlow
from void_server.model.retime import fill_between, key_frames

Pixels = NDArray[np.float32]


def panning(count: int, dx: float, dy: float) -> Pixels:
    """A smooth texture that moves by (dx, dy) pixels a frame, float32 [T, 96, 128, 3]."""
    y, x = np.mgrid[0:96, 0:128].astype(np.float64)
    waves = np.random.default_rng(3).uniform((-0.5, -0.5, 0), (0.5, 0.5, 6.28), (40, 3))
    frames = []
    for frame in range(count):
        at = (x - dx * frame)[..., None] * waves[:, 0] + (y - dy * frame)[..., None] * waves[:, 1] + waves[:, 2]
        grey = 0.5 + np.sin(at).sum(axis=-1) / 30
        frames.append(np.stack([grey, grey**2, 1 - grey], axis=-1))
    return np.clip(frames, 0, 1).astype(np.float32)


def psnr(one: Pixels, other: Pixels) -> float:
    inner = (slice(12, -12), slice(12, -12))
    return float(-10 * np.log10(np.mean((one[inner] - other[inner]) ** 2)))


@pytest.mark.parametrize(
    ("count", "every", "expected"),
    [(9, 2, [0, 2, 4, 6, 8]), (10, 4, [0, 4, 8, 9]), (3, 8, [0, 2]), (1, 2, [0]), (4, 1, [0, 1, 2, 3])],
)
def test_key_frames_are_every_nth_and_the_last(count: int, every: int, expected: list[int]) -> None:
    assert key_frames(count, every).tolist() == expected


@pytest.mark.parametrize(("every", "dx", "dy"), [(2, 1.5, 0.5), (2, -3.0, 1.0), (4, 1.0, -0.75)])
def test_what_lies_between_follows_the_motion(every: int, dx: float, dy: float) -> None:
    truth = panning(9, dx, dy)
    keys = key_frames(9, every)
    filled = fill_between(truth[keys], keys, DISFlow())
    assert filled.shape == truth.shape
    for index in set(range(9)) - set(keys.tolist()):
        before, after = keys[keys < index][-1], keys[keys > index][0]
        time = (index - before) / (after - before)
        crossfade = (1 - time) * truth[before] + time * truth[after]
        assert psnr(filled[index], truth[index]) > max(30.0, 6.0 + psnr(crossfade.astype(np.float32), truth[index]))


def test_key_frames_stay_as_they_are_to_the_bit() -> None:
    truth = panning(7, 2.0, 0.0)
    keys = key_frames(7, 3)
    assert np.array_equal(fill_between(truth[keys], keys, DISFlow())[keys], truth[keys])
    everything = key_frames(7, 1)
    assert np.array_equal(fill_between(truth, everything, DISFlow()), truth)


def test_frames_and_places_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="3 key frames do not fit 2 places"):
        fill_between(panning(3, 0, 0), key_frames(2, 1), DISFlow())
    with pytest.raises(ValueError, match="at least 1"):
        key_frames(5, 0)
