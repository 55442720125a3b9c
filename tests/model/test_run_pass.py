"""What a pass promises whatever the weights: shapes, ranges, seeds, cancelling, refusals."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_shots import SMALL, run, shot

from void_server.model import BadClip, PassSettings, VoidModel, WeightsFolder
from void_server.model.conditioning import mask_condition


@pytest.mark.parametrize("frames", [1, 7, 13, 14])
def test_a_clip_comes_back_at_its_own_length(model: VoidModel, frames: int) -> None:
    result = run(model, frames)
    assert result.shape == (frames, 32, 48, 3)
    assert result.dtype == np.float32
    assert result.min() >= 0
    assert result.max() <= 1


def test_trimming_cuts_the_padding_and_nothing_else(model: VoidModel) -> None:
    whole, trimmed = run(model, 10, trim=False), run(model, 10)
    assert len(whole) == 13
    np.testing.assert_array_equal(whole[:10], trimmed)


@pytest.mark.parametrize("size", [(32, 48), (48, 32), (101, 53), (20, 90)])
def test_sources_of_any_size_come_back_at_the_model_s(model: VoidModel, size: tuple[int, int]) -> None:
    settings = PassSettings(**(SMALL | {"height": 64, "width": 32}))
    result = model.run_pass(1, *shot(5, *size), "an empty room", settings)
    assert result.shape == (5, 64, 32, 3)
    assert np.isfinite(result).all()


@pytest.mark.parametrize("number", [1, 2])
def test_a_clip_longer_than_the_window_is_denoised_in_windows(model: VoidModel, number: int) -> None:
    frames_seen = []
    hook = model.transformers[number].register_forward_pre_hook(
        lambda _, args, kwargs: frames_seen.append(kwargs["hidden_states"].shape[1]), with_kwargs=True
    )
    result = run(model, 27, number)
    hook.remove()
    # 27 frames pad to 29: 8 latent frames, in windows of 4 that advance by 2.
    assert frames_seen == [4, 4, 4]
    assert result.shape[0] == 27
    assert np.isfinite(result).all()


def test_the_seed_decides_the_result(model: VoidModel) -> None:
    first, again, other = run(model), run(model), run(model, changes={"seed": 43})
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_the_seed_decides_both_noises(model: VoidModel) -> None:
    noise, conditioning = np.zeros((1, 4, 16, 4, 6), np.float32), np.zeros((1, 3, 13, 32, 48), np.float32)
    other = {"seed": 43}
    assert np.abs(run(model, noise=noise) - run(model, noise=noise, changes=other)).max() > 1e-5
    assert (
        np.abs(
            run(model, conditioning_noise=conditioning) - run(model, conditioning_noise=conditioning, changes=other)
        ).max()
        > 1e-3
    )


def test_guidance_of_one_is_the_unguided_result_at_half_the_work(model: VoidModel) -> None:
    batches = []
    hook = model.transformers[1].register_forward_pre_hook(
        lambda _, args, kwargs: batches.append(kwargs["hidden_states"].shape[0]), with_kwargs=True
    )
    plain = run(model)
    nearly = run(model, changes={"guidance_scale": 1.000001})
    guided = run(model, changes={"guidance_scale": 6.0, "negative_prompt": "shadow of a person"})
    hook.remove()
    assert batches == [1, 2, 2]
    np.testing.assert_allclose(nearly, plain, atol=1e-4)
    assert np.abs(guided - plain).max() > 1e-3


def test_steps_are_told_in_order_and_may_cancel(model: VoidModel) -> None:
    told: list[int] = []

    def cancel_after_two(step: int, latents: torch.Tensor) -> None:
        assert latents.shape == (1, 4, 16, 4, 6)
        told.append(step)
        if step == 1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run(model, changes={"steps": 5}, on_step=cancel_after_two)
    assert told == [0, 1]


def test_the_picture_is_encoded_once_for_both_passes(model: VoidModel, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = 0
    encode = model.vae.encode_chunks

    def counting(chunks: Iterable[torch.Tensor]) -> torch.Tensor:
        nonlocal encoded
        encoded += 1
        return encode(chunks)

    monkeypatch.setattr(model.vae, "encode_chunks", counting)
    seed = {"seed": 7}
    run(model, 13, 1, seed)
    assert encoded == 2  # mask and picture
    second = run(model, 13, 2, seed)
    assert encoded == 3  # the other pass's mask
    model._encoded = None
    np.testing.assert_array_equal(run(model, 13, 2, seed), second)


def test_another_picture_is_encoded_anew(model: VoidModel) -> None:
    """Whatever the picture's latents depend on, down to one pixel, makes them others."""
    clip, mask = shot(13)
    other = clip.copy()
    other[12, 31, 47, 2] = 1 - other[12, 31, 47, 2]
    settings, reversed_time = PassSettings(**SMALL), np.arange(13)[::-1]
    noise = np.zeros((1, 3, 13, 32, 48), np.float32)
    other_noise = noise.copy()
    other_noise[0, 0, 12, 31, 47] = 9

    def latents(clip: np.ndarray, indices: np.ndarray = np.arange(13), **changes) -> np.ndarray:  # noqa: B008
        given = changes.pop("noise", None)
        return model.encode_conditions(1, clip, mask, indices, replace(settings, **changes), given)[:, :, 16:].numpy()

    with torch.inference_mode():
        plain, noised = latents(clip), latents(clip, noise=noise)
        for before, after in (
            (plain, lambda: latents(other)),
            (plain, lambda: latents(clip, reversed_time)),
            (plain, lambda: latents(clip, seed=43)),
            (plain, lambda: latents(clip, noise=noise)),
            (noised, lambda: latents(clip, noise=other_noise)),
        ):
            latents(clip, noise=None if before is plain else noise)  # what is remembered when the other one comes
            assert not np.array_equal(after(), before)


def test_half_precision_runs_every_part(tiny_folder: Path) -> None:
    weights = WeightsFolder.find(tiny_folder)
    half = VoidModel.load(weights.base, weights.pass1, weights.pass2, dtype=torch.bfloat16)
    parts = (half.transformers[1], half.transformers[2], half.vae._stock, half.prompts.load_encoder())
    assert {parameter.dtype for part in parts for parameter in part.parameters()} == {torch.bfloat16}
    result = run(half, 14, 2, {"guidance_scale": 6.0})
    assert result.dtype == np.float32
    assert np.isfinite(result).all()


def levels(number: int, mask_levels: str) -> list[float]:
    inverted = 255 - torch.tensor([0, 63, 127, 255], dtype=torch.uint8)
    return mask_condition(inverted, number, mask_levels).tolist()


def test_published_mask_levels_collapse_and_quad_ones_do_not() -> None:
    assert levels(1, "netflix") == pytest.approx([1, 1, 127 / 255, 0])
    assert levels(2, "netflix") == [1, 1, 1, 0]
    for number in (1, 2):
        assert levels(number, "quad") == pytest.approx([1, 192 / 255, 128 / 255, 0])


def bad_shots() -> Iterator[tuple[np.ndarray, np.ndarray, str]]:
    clip, mask = shot(5)
    yield clip, mask[:4], r"quadmask is \[4, 32, 48\] but the clip's frames are \[5, 32, 48\]; render both"
    yield clip, mask[:, :, :40], "same frame range and size"
    yield clip[:0], mask[:0], "empty.*at least one frame"
    yield clip, mask.astype(np.float32), "quadmask is float32; give uint8"
    yield (clip * 255).astype(np.uint8), mask, "clip is uint8.*give float32"
    yield clip[..., :1], mask, "give float32"
    nan, bright = clip.copy(), clip.copy()
    nan[3, 0, 0, 0], bright[2, 0, 0, 0] = np.nan, 1.5
    yield nan, mask, r"frame 3 .*NaN\); repair"
    yield bright, mask, "frame 2 .* to 1.5; .*display-referred"
    yield clip - 0.5, mask, "frame 0 .*display-referred"


@pytest.mark.parametrize(("clip", "mask", "message"), list(bad_shots()))
def test_bad_shots_are_refused_with_a_way_out(
    model: VoidModel, clip: np.ndarray, mask: np.ndarray, message: str
) -> None:
    with pytest.raises(BadClip, match=message):
        model.run_pass(1, clip, mask, "", PassSettings(**SMALL))


@pytest.mark.parametrize("name", ["noise", "conditioning_noise"])
def test_noise_of_the_wrong_shape_is_refused(model: VoidModel, name: str) -> None:
    with pytest.raises(BadClip, match=rf"{name} is \[1, 2, 3\]; .* give \[1, "):
        run(model, **{name: np.zeros((1, 2, 3), np.float32)})


def test_there_are_two_passes(model: VoidModel) -> None:
    with pytest.raises(ValueError, match="no pass 3; ask for 1 or 2"):
        run(model, number=3)
