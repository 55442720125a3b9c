"""Each step on its own against what the published code computed."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import CogVideoXDDIMScheduler, DDIMScheduler

from void_server.masks.model_size import shrink_quadmask
from void_server.model import PassSettings, VoidModel
from void_server.model.clip import padded_frame_indices, padded_length
from void_server.model.conditioning import prepare_mask, prepare_video, quantise
from void_server.model.loading import PATCH_EMBED, read_safetensors, widen_patch_embed

UnitCase = Callable[[str], Any]


def test_padding_reflects_the_clip(unit_case: UnitCase) -> None:
    expected = unit_case("unit_temporal_padding").expected
    assert len(expected) > 50
    for name, indices in expected.items():
        shortest, longest, frames = map(int, re.findall(r"\d+", name))
        length = padded_length(frames, shortest, longest)
        np.testing.assert_array_equal(padded_frame_indices(frames, length), indices, err_msg=name)


def test_every_mask_value_snaps_to_a_level(unit_case: UnitCase) -> None:
    case = unit_case("unit_mask_and_resize")
    inverted = 255 - quantise(torch.from_numpy(case.inputs["ramp_u8"]).float())
    np.testing.assert_array_equal(inverted, case.expected["ramp_quantised_inverted_u8"])


def test_clip_and_mask_are_resized_by_area(unit_case: UnitCase) -> None:
    case = unit_case("unit_mask_and_resize")
    meta, expected = case.meta, case.expected
    size = (meta["target_height"], meta["target_width"])
    frames = len(case.inputs["video_u8"])
    length = padded_length(frames, meta["temporal_window_size"], meta["max_video_length"])
    indices = padded_frame_indices(frames, length)
    video = prepare_video(case.clip, indices, *size)
    np.testing.assert_allclose(video, expected["resized_video_f32"], atol=1e-6)
    mask = prepare_mask(case.inputs["quadmask_u8"], indices, *size)
    np.testing.assert_array_equal(mask, expected["resized_quadmask_inverted_u8"])


def test_a_quadmask_that_was_shrunk_before_is_the_reference_s(unit_case: UnitCase) -> None:
    case = unit_case("unit_mask_and_resize")
    meta = case.meta
    size = (meta["target_height"], meta["target_width"])
    small = np.stack([shrink_quadmask(frame, size[1], size[0], "netflix") for frame in case.inputs["quadmask_u8"]])
    length = padded_length(len(small), meta["temporal_window_size"], meta["max_video_length"])
    mask = prepare_mask(small, padded_frame_indices(len(small), length), *size)
    np.testing.assert_array_equal(mask, case.expected["resized_quadmask_inverted_u8"])


@pytest.mark.parametrize("latents", [1, 2, 3, 6, 7])
def test_decode_gives_the_reference_s_frames(unit_case: UnitCase, golden_model: VoidModel, latents: int) -> None:
    expected = unit_case("unit_vae").expected
    z = torch.from_numpy(expected[f"z_{latents}"]).permute(0, 2, 1, 3, 4) * 0.7
    with torch.inference_mode():
        frames = golden_model.vae.decode(z)
    assert frames.shape[2] == 4 * latents - 3
    np.testing.assert_allclose(frames, expected[f"frames_{latents}"], atol=1e-4)


@pytest.mark.parametrize("frames", [1, 5, 9, 13, 21])
def test_encode_gives_the_reference_s_mode(unit_case: UnitCase, golden_model: VoidModel, frames: int) -> None:
    expected = unit_case("unit_vae").expected
    with torch.inference_mode():
        latents = golden_model.vae.encode(torch.from_numpy(expected[f"x_{frames}"]))
    theirs = expected[f"moments_mean_{frames}"].swapaxes(1, 2) * 0.7
    np.testing.assert_allclose(latents, theirs, atol=1e-5)


@pytest.mark.parametrize("scheduler_class", [DDIMScheduler, CogVideoXDDIMScheduler])
def test_schedulers_step_as_in_the_reference(
    unit_case: UnitCase, golden_model: VoidModel, scheduler_class: type
) -> None:
    scheduler = next(s for s in golden_model.schedulers.values() if type(s) is scheduler_class)
    name = scheduler_class.__name__
    expected = {
        key.removeprefix(f"{name}_"): value
        for key, value in unit_case("unit_schedulers").expected.items()
        if key.startswith(f"{name}_")
    }
    np.testing.assert_allclose(scheduler.alphas_cumprod, expected["alphas_cumprod"], atol=1e-6)
    for steps in (4, 50, 30):
        scheduler.set_timesteps(steps)
        np.testing.assert_array_equal(scheduler.timesteps, expected[f"timesteps_{steps}"])
    sample, velocity = (torch.from_numpy(expected[f"step_in_{key}"]) for key in "xv")
    for index in (0, 1, 15, 29):
        stepped = scheduler.step(velocity, scheduler.timesteps[index], sample, return_dict=False)[0]
        np.testing.assert_allclose(stepped, expected[f"step30_i{index}"], atol=1e-5)


def test_narrow_checkpoints_are_widened(unit_case: UnitCase, goldens: Path) -> None:
    expected = unit_case("unit_patch_embed_adaptation").expected
    folder = goldens / "model"
    base = read_safetensors(folder / "ckpt" / "transformer" / "diffusion_pytorch_model.safetensors")[PATCH_EMBED]
    narrow = read_safetensors(folder / "void_pass1_narrow.safetensors")[PATCH_EMBED]
    np.testing.assert_array_equal(widen_patch_embed(base, base), expected["base_33_to_48"])
    np.testing.assert_array_equal(widen_patch_embed(narrow, base), expected["narrow_into_48"])


def test_loaded_transformers_hold_the_adapted_patch_embedding(
    unit_case: UnitCase, golden_model: VoidModel, narrow_model: VoidModel
) -> None:
    expected = unit_case("unit_patch_embed_adaptation").expected
    for model, name in ((golden_model, "wide"), (narrow_model, "narrow_into_48")):
        weight = model.transformers[1].patch_embed.proj.weight
        np.testing.assert_array_equal(weight.numpy(), expected[name])


def test_pass_2_denoises_what_the_reference_cannot(unit_case: UnitCase, golden_model: VoidModel) -> None:
    meta = unit_case("unit_pass2_longer_than_window").meta
    assert "RuntimeError" in meta["reference_result"]
    frames = meta["padded_frames"]
    clip = np.random.default_rng(0).random((frames, 32, 48, 3), dtype=np.float32)
    quadmask = np.full((frames, 32, 48), 255, np.uint8)
    quadmask[:, 8:20, 8:24] = 0
    settings = PassSettings.pass2(height=32, width=48, window=meta["window"], steps=2)
    result = golden_model.run_pass(2, clip, quadmask, "A ball rolls off the table.", settings)
    assert result.shape == (frames, 32, 48, 3)
    assert np.isfinite(result).all()
    assert result.std() > 0.01
