"""A shot of any length: the right frames come back, without seams, in memory that does not grow with it."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
from small_shots import SMALL, run, shot
from torch.utils._python_dispatch import TorchDispatchMode

from void_server.model import PassSettings, VoidModel, conditioning
from void_server.model.clip import padded_frame_indices, padded_length

PUBLISHED_WINDOW = {"window": 85, "overlap": 16}


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 86])
def test_short_and_odd_shots_come_back_at_their_own_length(model: VoidModel, frames: int) -> None:
    result = run(model, frames, changes=PUBLISHED_WINDOW)
    assert result.shape == (frames, 32, 48, 3)
    assert np.isfinite(result).all()


def test_portrait_shots_stay_upright(model: VoidModel) -> None:
    settings = PassSettings(**(SMALL | {"height": 48, "width": 32}))
    assert model.run_pass(2, *shot(14, 48, 32), "", settings).shape == (14, 48, 32, 3)


@pytest.mark.parametrize(("frames", "padded"), [(197, 197), (198, 205), (201, 205), (205, 205), (230, 237), (206, 213)])
def test_beyond_the_published_longest_padding_goes_on_as_before(frames: int, padded: int) -> None:
    assert padded_length(frames, 85, 197) == padded


@pytest.mark.parametrize(("frames", "latents"), [(198, 52), (201, 52), (230, 60)])
@pytest.mark.parametrize("number", [1, 2])
def test_shots_longer_than_the_published_longest_run(model: VoidModel, number: int, frames: int, latents: int) -> None:
    told = []
    result = run(model, frames, number, PUBLISHED_WINDOW, on_step=lambda _, latents: told.append(latents.shape[1]))
    assert result.shape == (frames, 32, 48, 3)
    assert np.isfinite(result).all()
    assert told == [latents]


@pytest.mark.parametrize(("frames", "window"), [(3, 5), (27, 13), (37, 13)])
@pytest.mark.parametrize("size", [(32, 48), (51, 70)])
def test_latents_are_the_stock_autoencoder_s_of_the_whole_clip(
    model: VoidModel, frames: int, window: int, size: tuple[int, int]
) -> None:
    settings = PassSettings(**(SMALL | {"window": window}))
    clip, quadmask = shot(frames, *size)
    indices = padded_frame_indices(frames, padded_length(frames, window, 197))
    noise = torch.randn(1, 3, len(indices), 32, 48)
    with torch.inference_mode():
        ours = model.encode_conditions(1, clip, quadmask, indices, settings, noise)
        mask = conditioning.prepare_mask(quadmask, indices, 32, 48)
        shown = 1 - conditioning.mask_condition(mask, 1, "netflix").expand(-1, 3, -1, -1, -1)
        video = conditioning.noised_video(conditioning.prepare_video(clip, indices, 32, 48), noise)
        whole = [model.vae._stock.encode(pixels).latent_dist.mode() * 0.7 for pixels in (shown, video)]
    torch.testing.assert_close(ours, torch.cat(whole, dim=1).permute(0, 2, 1, 3, 4), atol=1e-6, rtol=0)


def test_a_result_of_any_length_is_the_whole_decoded_clip_s_beginning(model: VoidModel) -> None:
    latents = torch.randn(1, 10, 16, 4, 6, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole = (model.vae.decode(latents)[0] / 2 + 0.5).clamp(0, 1).permute(1, 2, 3, 0)
        for frames in (1, 2, 9, 10, 36, 37):
            np.testing.assert_array_equal(model._picture(latents, frames), whole[:frames])


def test_each_frame_s_noise_is_its_own(model: VoidModel) -> None:
    settings = PassSettings(**SMALL)
    noise = conditioning.seeded_noise(settings)
    whole = noise(0, 29)
    assert whole.shape == (1, 3, 29, 32, 48)
    torch.testing.assert_close(torch.cat([noise(0, 13), noise(13, 21)], dim=2), whole[:, :, :21], atol=0, rtol=0)
    assert abs(float(whole.std()) - 1) < 0.01
    flat = whole[0].permute(1, 0, 2, 3).reshape(29, -1)
    assert (torch.corrcoef(flat) - torch.eye(29)).abs().max() < 0.08  # 4,608 values a frame: 5 deviations
    np.testing.assert_array_equal(run(model, 27), run(model, 27, conditioning_noise=whole))


class Largest(TorchDispatchMode):
    """Remembers the size in bytes of the largest tensor that any operation makes."""

    bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, (tuple, list)) else [made]:
            if isinstance(tensor, torch.Tensor):
                self.bytes = max(self.bytes, tensor.untyped_storage().nbytes())
        return made


def largest_and_peak(model: VoidModel, frames: int) -> tuple[int, int]:
    """Bytes of the largest tensor, and NumPy's peak beside the result, of a pass on resized frames."""
    clip, quadmask = shot(frames, 40, 60)
    settings = PassSettings(**(SMALL | PUBLISHED_WINDOW))
    with Largest() as largest:
        tracemalloc.start()
        result = model.run_pass(1, clip, quadmask, "an empty room", settings)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return largest.bytes, peak - result.nbytes


def test_memory_at_pixel_resolution_does_not_grow(model: VoidModel) -> None:
    largest_and_peak(model, 85)  # imports and caches
    (short, short_peak), (long, long_peak) = largest_and_peak(model, 85), largest_and_peak(model, 229)
    one_frame = 32 * 48 * 3 * 4
    assert long == short
    assert long_peak - short_peak < 10 * one_frame


@pytest.mark.parametrize("frames", [85, 229])
def test_the_autoencoder_never_sees_more_than_a_few_frames(model: VoidModel, frames: int) -> None:
    seen: dict[str, list[int]] = {"encoder": [], "decoder": []}
    hooks = [
        getattr(model.vae._stock, part).register_forward_pre_hook(
            lambda _, args, part=part: seen[part].append(args[0].shape[2])
        )
        for part in seen
    ]
    run(model, frames, changes=PUBLISHED_WINDOW | {"seed": 7})  # a picture that is not remembered
    for hook in hooks:
        hook.remove()
    assert max(seen["encoder"]) == 8 + 5  # the first chunk takes the remainder
    assert max(seen["decoder"]) == 2
