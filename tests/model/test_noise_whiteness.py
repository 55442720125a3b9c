"""Warped noise is white in every frame, whatever the motion, and stays with what moves."""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from model.conftest import GOLDENS
from model.noise_statistics import (
    assert_white_latents,
    assert_white_state,
    correlation_along,
    kolmogorov_p,
    lag_one,
    moran_z,
)

from void_server.model.flow import DISFlow
from void_server.model.warped_noise import degrade, lag, resize_flow, warp_clip, warp_step

MOTIONS = (
    "frac",
    "identity",
    "int_latent",
    "occlusion",
    "rotate",
    "rough",
    "sub",
    "wave",
    "zoom_in",
    "zoom_out",
)
SAMPLE = GOLDENS.parent / "samples" / "moving_ball" / "input_video.mp4"


@pytest.fixture(scope="module")
def flows(goldens: Path) -> dict[str, np.ndarray]:
    with np.load(goldens / "noise" / "stats_flows.npz") as arrays:
        return {name.split("/")[1]: arrays[name].astype(np.float32) for name in arrays if name.startswith("S/")}


@pytest.fixture(scope="module")
def reference(goldens: Path) -> dict[str, list[dict[str, object]]]:
    return json.loads((goldens / "noise" / "stats.json").read_text())["scenarios"]


def chain(flow: np.ndarray, steps: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """(state before, state after, flow in cells) of each step along a constant flow, as the goldens were made."""
    generator = torch.Generator().manual_seed(0)
    fine = resize_flow(torch.from_numpy(flow), 256, 384)
    noise, weight = torch.randn(16, 256, 384, generator=generator), torch.ones(256, 384)
    for _ in range(steps):
        before = noise
        noise, weight = warp_step(noise, weight, fine, generator=generator)
        yield before, noise, fine


def test_every_motion_of_the_goldens_is_tested(flows: dict[str, np.ndarray]) -> None:
    assert set(flows) == set(MOTIONS)


@pytest.mark.parametrize("motion", MOTIONS)
def test_noise_is_white_and_follows_the_flow_as_the_reference_s_does(
    flows: dict[str, np.ndarray], reference: dict[str, list[dict[str, object]]], motion: str
) -> None:
    kept = []
    for before, noise, flow in chain(flows[motion], 6):
        assert_white_latents((F.avg_pool2d(noise, 16) * 16).numpy())
        assert_white_state(noise[:4].numpy())
        kept.append(correlation_along(before, noise, flow))
    theirs = np.mean([run["state_tcorr_flow"] for run in reference[motion]], axis=0)
    assert np.abs(np.array(kept) - theirs).max() < 0.02
    assert abs(np.mean(kept) - np.mean(theirs)) < 0.005


def test_the_statistics_see_noise_that_is_not_white() -> None:
    noise = np.random.default_rng(0).standard_normal((16, 16, 24)).astype(np.float32)
    assert_white_latents(noise)
    blurred = cv2.resize(noise.transpose(1, 2, 0), (20, 14)).transpose(2, 0, 1)
    for not_white in (blurred, blurred / blurred.std(), np.sign(noise), noise + 0.1):
        with pytest.raises(AssertionError):
            assert_white_latents(not_white)
    assert lag_one(blurred)["x"] > 0.1
    assert moran_z(blurred[0]) > 1
    assert kolmogorov_p(noise * 0.9) < 1e-3


def test_a_still_picture_keeps_every_cell() -> None:
    generator = torch.Generator().manual_seed(0)
    first, weight = torch.randn(4, 48, 64, generator=generator), torch.rand(48, 64, generator=generator) + 0.5
    noise = first
    for _ in range(5):
        noise, weight = warp_step(noise, weight, torch.full((2, 48, 64), 0.4), generator=generator)
    assert torch.equal(noise, first)


class Still:
    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.zeros((2, *first.shape[:2]), np.float32)


class Slow:
    """A quarter of a cell to the right, an eighth up, of 4 cells to the pixel."""

    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.float32([[[0.25 / 4]], [[-0.125 / 4]]]), (2, *first.shape[:2])).copy()


def test_slow_motion_adds_up_instead_of_being_rounded_away() -> None:
    # 128 steps of a quarter of a cell are one latent of 32 cells to the right; of an eighth, half a latent up.
    clip = np.zeros((513, 16, 24, 3), np.float32)
    noise = warp_clip(clip, Slow(), (1, 129, 4, 2, 3))[0]
    half_up = (noise[0, :, 1, :-1], noise[128, :, 0, 1:], noise[128, :, 1, 1:])
    start, above, own = (part.flatten() for part in half_up)
    # Half of a latent is still in its row and half of it is in the one above: each correlates by a half.
    assert float(torch.corrcoef(torch.stack([start, above]))[0, 1]) > 0.2
    assert float(torch.corrcoef(torch.stack([start, above + own]))[0, 1]) > 0.5
    still = noise[128, :, :, 0].flatten()
    assert not torch.allclose(still, noise[0, :, :, 0].flatten(), atol=1e-3)


def test_a_longer_shot_begins_with_the_noise_of_a_shorter_one() -> None:
    clip = np.zeros((33, 16, 24, 3), np.float32)
    long, short = (warp_clip(clip[:count], Slow(), (1, latents, 4, 2, 3)) for count, latents in ((33, 9), (13, 4)))
    assert torch.equal(long[:, :4], short)


def test_the_lag_is_what_rounding_lost_and_no_more() -> None:
    flow = torch.full((2, 64, 96), 0.3)
    flow[1] = -0.8
    home = torch.arange(64 * 96, dtype=torch.int32)
    left = lag(flow, home)
    torch.testing.assert_close(left[0], torch.full((64, 96), 0.3))
    torch.testing.assert_close(left[1], torch.full((64, 96), 0.2))


@pytest.mark.parametrize(("frames", "height", "width"), [(5, 16, 16), (21, 16, 32), (13, 48, 32), (1, 32, 32)])
def test_every_frame_is_white_at_any_size_and_length(frames: int, height: int, width: int) -> None:
    class Zoom:
        def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
            h, w = first.shape[:2]
            y, x = np.mgrid[:h, :w].astype(np.float32)
            return np.stack([(x - w / 2) * 0.06, (y - h / 2) * 0.06 + 0.3]).astype(np.float32)

    latents = (frames + 2) // 4 + 1
    channels = 6144 // (height // 8 * (width // 8))  # enough numbers for the bounds
    noise = warp_clip(
        np.zeros((frames, height, width, 3), np.float32), Zoom(), (1, latents, channels, height // 8, width // 8)
    )
    for frame in noise[0]:
        assert abs(frame.mean()) < 0.05
        assert abs(frame.std() - 1) < 0.03
        assert kolmogorov_p(frame.numpy()) > 1e-3
        assert abs((frame[:, 1:] * frame[:, :-1]).mean()) < 0.06
        assert abs((frame[:, :, 1:] * frame[:, :, :-1]).mean()) < 0.06


@pytest.mark.skipif(not SAMPLE.is_file(), reason=f"no sample at {SAMPLE}")
def test_noise_along_a_real_shot_is_white() -> None:
    video, frames = cv2.VideoCapture(str(SAMPLE)), []
    while len(frames) < 13:
        _, frame = video.read()
        frames.append(cv2.resize(frame, (192, 128), interpolation=cv2.INTER_AREA)[..., ::-1].astype(np.float32) / 255)
    noise = warp_clip(np.stack(frames), DISFlow(), (1, 4, 16, 16, 24))
    for frame in noise[0]:
        assert_white_latents(frame.numpy())
    assert not torch.equal(noise[0, 0], noise[0, 3])
    assert float(torch.corrcoef(noise[0, [0, 3]].flatten(1))[0, 1]) > 0.5  # most of that shot stands still


@pytest.mark.parametrize("threads", [2, 3])
def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads(threads: int) -> None:
    # Large enough, and torn enough, for every operation of a step to be shared out.
    flow = torch.randn(2, 320, 448, generator=torch.Generator().manual_seed(1)) * 2
    state = torch.randn(16, 320, 448, generator=torch.Generator().manual_seed(2))
    weight = torch.rand(320, 448, generator=torch.Generator().manual_seed(3)) + 0.5
    before = torch.get_num_threads()
    results = []
    for count in (1, threads):
        torch.set_num_threads(count)
        results.append(warp_step(state, weight, flow, generator=torch.Generator().manual_seed(4)))
    torch.set_num_threads(before)
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


def test_a_large_state_s_weights_do_not_depend_on_the_number_of_threads() -> None:
    weight = torch.rand(1000, 1100, generator=torch.Generator().manual_seed(3)) + 0.5
    still, noise = torch.zeros(2, 1000, 1100), torch.zeros(1, 1000, 1100)
    before = torch.get_num_threads()
    results = []
    for count in (1, 2, 3, 4):
        torch.set_num_threads(count)
        results.append(warp_step(noise, weight, still)[1])
    torch.set_num_threads(before)
    assert all(torch.equal(results[0], other) for other in results[1:])


def test_nothing_is_made_on_another_device_than_the_state_s() -> None:
    state = torch.randn(4, 24, 36)
    flow = torch.randn(2, 24, 36) * 3
    with torch.device("meta"):  # where a tensor lands whose device nobody named
        noise, weight = warp_step(state, torch.ones_like(state[0]), flow, generator=torch.Generator("cpu"))
    assert noise.device == weight.device == state.device


@pytest.mark.parametrize("amount", [0.0, 0.3, 0.5, 1.0])
def test_degraded_noise_keeps_its_variance_and_so_much_of_the_old(amount: float) -> None:
    old = torch.randn(200_000, generator=torch.Generator().manual_seed(1))
    new = degrade(old, amount, torch.Generator().manual_seed(2))
    assert abs(float(new.std()) - 1) < 0.01
    expected = (1 - amount) / np.hypot(1 - amount, amount)
    assert abs(float(torch.corrcoef(torch.stack([old, new]))[0, 1]) - expected) < 0.01


def test_degradation_leaves_the_warping_as_it_was() -> None:
    clip = np.zeros((5, 16, 16, 3), np.float32)
    plain, half, new = (warp_clip(clip, Still(), (1, 2, 4, 2, 2), degradation=amount) for amount in (0.0, 0.5, 1.0))
    torch.testing.assert_close(half, (plain + new) / 2**0.5)
    assert torch.allclose(plain[0, 0], plain[0, 1], atol=1e-4)
    assert not torch.allclose(new[0, 0], new[0, 1], atol=1e-1)
    with pytest.raises(ValueError, match=r"degradation of noise is 1\.5; give a number from 0"):
        warp_clip(clip, Still(), (1, 2, 4, 2, 2), degradation=1.5)
