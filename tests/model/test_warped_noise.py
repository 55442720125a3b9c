"""Warped noise: the reference's numbers where it is given the same random numbers, and white noise everywhere."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from model.noise_statistics import correlation_along

from void_server.model import reference_geometry
from void_server.model.reference_geometry import cover, cover_geometry, fit_latents, stretch_indices
from void_server.model.warped_noise import resize_flow, warp_clip, warp_step

SCENARIOS = (
    "all_out",
    "frac_translate",
    "identity",
    "int_translate",
    "occlusion",
    "one_point",
    "random",
    "rotate",
    "subhalf_translate",
    "wave",
    "zoom_in",
    "zoom_out",
)


@pytest.fixture(scope="module")
def exact(goldens: Path) -> dict[str, torch.Tensor]:
    with np.load(goldens / "noise" / "exact.npz") as arrays:
        return {name: torch.from_numpy(np.asarray(array)) for name, array in arrays.items()}


@pytest.mark.parametrize("weights", ["w1", "wr"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_one_step_is_the_reference_s(exact: dict[str, torch.Tensor], scenario: str, weights: str) -> None:
    state, flow, foreign, after, fixed = (
        exact[f"A/{scenario}/{weights}/{name}"] for name in ("state_in", "flow", "foreign", "state_out", "det")
    )
    noise, weight = warp_step(state[1:], state[0], flow, foreign)
    np.testing.assert_allclose(noise, after[1:], atol=1e-5)
    np.testing.assert_allclose(weight, after[0], atol=1e-3, rtol=1e-4)
    noise, weight = warp_step(state[1:], state[0], flow, generator=torch.Generator().manual_seed(1))
    np.testing.assert_allclose(noise[:, fixed], after[1:][:, fixed], atol=1e-5)
    np.testing.assert_allclose(weight, after[0], atol=1e-3, rtol=1e-4)


def test_particles_that_leave_by_rounding_start_anew() -> None:
    # Where the two roundings differ: rint(3 + 0.5) = 4 leaves, 3 + rint(0.5) = 3 does not; and the other way about,
    # rint(1 + 1.5) = 2 stays, 1 + rint(1.5) = 3 leaves.
    for width, leaver, dx in ((4, 3, 0.5), (3, 1, 1.5)):
        flow = torch.zeros(2, 1, width)
        flow[0, 0, leaver] = dx
        noise, _ = warp_step(torch.ones(5, 1, width), torch.ones(1, width), flow, torch.zeros(5, 1, 2 * width))
        stayers = [cell for cell in range(width) if cell != leaver]
        assert (noise[:, 0, leaver] == 0).all()
        assert (noise[:, 0, stayers] == 1).all()


def test_a_chain_of_steps_is_the_reference_s(exact: dict[str, torch.Tensor]) -> None:
    _, block = exact["B/meta"].tolist()
    noise = exact["B/noise0"].double()
    weight = torch.ones(noise.shape[1:], dtype=torch.float64)
    height, width = weight.shape
    np.testing.assert_array_equal(resize_flow(exact["B/flows"][0], height, width), exact["B/flow0_up"])
    for step, flow in enumerate(exact["B/flows"].double()):
        latents = F.avg_pool2d(noise, block) * block
        np.testing.assert_allclose(latents, exact["B/latents"][step], atol=1e-4)
        upsampled = resize_flow(flow, height, width)
        noise, weight = warp_step(noise, weight, upsampled, exact["B/foreign"][step].double())
    np.testing.assert_allclose(F.avg_pool2d(noise, block) * block, exact["B/latents"][5], atol=1e-4)
    np.testing.assert_allclose(noise, exact["B/noise_last"], atol=1e-4)
    np.testing.assert_allclose(weight, exact["B/weights_last"], atol=1e-3)


def test_reference_geometry_is_the_published_one(exact: dict[str, torch.Tensor]) -> None:
    out = exact["C/out"].numpy()
    fitted = fit_latents(exact["C/in"].numpy(), *out.shape[:3])
    np.testing.assert_allclose(fitted[0].transpose(0, 2, 3, 1), out, atol=1e-5)
    checked = 0
    for name, array in exact.items():
        _, kind, *sizes = name.replace("/", "_").split("_")
        if kind == "resize":
            np.testing.assert_array_equal(stretch_indices(int(sizes[1]), int(sizes[2])), array)
        elif kind == "hold":
            height, width = map(int, sizes[1].split("x"))
            geometry = array.tolist()
            assert [*cover_geometry(height, width, 480, 720), 480, 720] == geometry
            assert cover(np.zeros((height, width, 3), np.float32), 480, 720).shape == (480, 720, 3)
        else:
            continue
        checked += 1
    assert checked == 12


@pytest.mark.parametrize("name", ["pass2_negative_prompt", "pass2_warped_noise_resized", "pass2_window"])
def test_noise_files_are_fitted_as_pass_2_of_the_reference_does(goldens: Path, name: str) -> None:
    folder = goldens / "model" / "cases" / name
    noise = np.load(folder / "inputs.npz")["warped_noise"]
    if noise.shape[1] == 16:
        noise = noise.transpose(0, 2, 3, 1)
    expected = np.load(folder / "prepared.npz")["warped_noise_latents"]
    _, frames, _, height, width = expected.shape
    np.testing.assert_allclose(fit_latents(noise, frames, height, width), expected, atol=1e-5)


def test_noise_along_real_motion_is_white_and_follows_it(goldens: Path) -> None:
    flows = torch.from_numpy(np.load(goldens / "noise" / "stats_flows.npz")["R/flows"].astype(np.float32))
    generator = torch.Generator().manual_seed(0)
    height, width = 4 * flows.shape[2], 4 * flows.shape[3]
    noise, weight = torch.randn(8, height, width, generator=generator), torch.ones(height, width)
    kept = []
    for flow in flows:
        before = noise
        upsampled = resize_flow(flow, height, width)
        noise, weight = warp_step(noise, weight, upsampled, generator=generator)
        latents = F.avg_pool2d(noise, 16) * 16
        assert abs(latents.mean()) < 0.05
        assert abs(latents.std() - 1) < 0.03
        assert abs((latents[:, 1:] * latents[:, :-1]).mean()) < 0.05
        assert abs((latents[:, :, 1:] * latents[:, :, :-1]).mean()) < 0.05
        assert abs(noise.std() - 1) < 0.005
        assert abs((noise[:, :, 1:] * noise[:, :, :-1]).mean()) < 0.004
        kept.append(correlation_along(before, noise, upsampled))
    theirs = json.loads((goldens / "noise" / "stats.json").read_text())["scenarios"]["real"]
    runs = theirs if isinstance(theirs, list) else [theirs]
    reference = np.mean([run["state_tcorr_flow"] for run in runs], axis=0)
    assert np.abs(kept - reference).max() < 0.02
    assert abs(np.mean(kept) - reference.mean()) < 0.005


class ConstantFlow:
    """Every pixel moves alike; remembers the frames that it was shown."""

    def __init__(self, dx: float, dy: float) -> None:
        self.motion = (dx, dy)
        self.pairs: list[tuple[float, float]] = []

    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        self.pairs.append((float(first.mean()), float(second.mean())))
        return np.broadcast_to(np.float32(self.motion)[:, None, None], (2, *first.shape[:2])).copy()


def numbered_clip(frames: int, height: int = 32, width: int = 48) -> np.ndarray:
    """Frame i is the even grey i/64."""
    greys = np.arange(frames, dtype=np.float32) / 64
    return np.broadcast_to(greys[:, None, None, None], (frames, height, width, 3)).copy()


def test_a_latent_of_motion_moves_the_noise_by_a_latent() -> None:
    # 8 pixels to the right are one latent, whatever the size of the clip against the latents'.
    for clip, flow in ((numbered_clip(5), ConstantFlow(8, 0)), (numbered_clip(5, 64, 96), ConstantFlow(16, 0))):
        noise = warp_clip(clip, flow, (1, 2, 16, 4, 6))
        assert noise.shape == (1, 2, 16, 4, 6)
        np.testing.assert_allclose(noise[0, 1, :, :, 1:], noise[0, 0, :, :, :-1], atol=1e-4)


def test_still_pictures_keep_their_noise() -> None:
    noise = warp_clip(numbered_clip(13), ConstantFlow(0, 0), (1, 4, 16, 4, 6))
    np.testing.assert_allclose(noise[0, 3], noise[0, 0], atol=1e-4)
    assert abs(noise[0, 0].std() - 1) < 0.15  # 384 numbers


def test_a_latent_frame_sits_at_every_fourth_frame_of_the_padded_clip() -> None:
    flow = ConstantFlow(0, 0)
    warp_clip(numbered_clip(6), flow, (1, 4, 16, 4, 6))
    # 6 frames padded to 13: 0 1 2 3 4 5 5 4 3 2 1 0 0, of which 0, 4, 8 and 12.
    shown = [(round(64 * a), round(64 * b)) for a, b in flow.pairs]
    assert shown == [(0, 4), (4, 3), (3, 0)]


def test_the_seed_decides_every_bit_on_any_number_of_threads() -> None:
    threads = torch.get_num_threads()
    results = []
    for count, seed in ((1, 3), (2, 3), (1, 4)):
        torch.set_num_threads(count)
        results.append(warp_clip(numbered_clip(5), ConstantFlow(2.6, -1.3), (1, 2, 16, 4, 6), seed=seed))
    torch.set_num_threads(threads)
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match='no warped-noise mode \'fast\'; ask for "exact" or "reference"'):
        warp_clip(numbered_clip(5), ConstantFlow(0, 0), (1, 2, 16, 4, 6), mode="fast")


def test_reference_mode_goes_through_its_own_frames_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_geometry, "REFERENCE_SIZE", (64, 96))
    monkeypatch.setattr(reference_geometry, "REFERENCE_FRAMES", 5)
    flow = ConstantFlow(0, 0)
    noise = warp_clip(numbered_clip(9, 48, 80), flow, (1, 2, 16, 6, 10), mode="reference")
    # The clip is cut to 5 frames, whose ends are kept: rint(i * 4 / 4).
    assert [(round(64 * a), round(64 * b)) for a, b in flow.pairs] == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert noise.shape == (1, 2, 16, 6, 10)
    np.testing.assert_allclose(noise[0, 1], noise[0, 0], atol=1e-4)
    # 8x12 resized bilinearly to 6x10: each value is a mean of neighbours, so the deviation falls.
    assert noise.std() < 0.9
