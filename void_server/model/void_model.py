"""The resident model: loaded once, asked for one pass at a time."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import CogVideoXDDIMScheduler, DDIMScheduler
from numpy.typing import NDArray

from void_server.model import conditioning
from void_server.model.clip import BadClip, check_clip, padded_frame_indices, padded_length
from void_server.model.denoise import OnStep, denoise
from void_server.model.loading import adds_inpaint_noise, load_transformer, load_vae, read_config
from void_server.model.settings import PassSettings, latent_frames
from void_server.model.text import PromptEncoder
from void_server.model.vae import VideoVae

SCHEDULERS = {1: DDIMScheduler, 2: CogVideoXDDIMScheduler}
# The conditioning noise must not repeat the initial noise, which follows the seed itself.
_CONDITIONING_STREAM = 0x5EED


class VoidModel:
    """Both passes' transformers, the autoencoder and the text encoder, all resident on one device."""

    def __init__(
        self,
        vae: VideoVae,
        prompts: PromptEncoder,
        transformers: dict[int, Any],
        schedulers: dict[int, Any],
        *,
        add_noise: bool,
        device: str,
    ) -> None:
        self.vae = vae
        self.prompts = prompts
        self.transformers = transformers
        self.schedulers = schedulers
        self.add_noise = add_noise
        self.device = device
        self._encoded: tuple[torch.Tensor, torch.Tensor] | None = None

    @classmethod
    def load(
        cls,
        base: Path | str,
        pass1: Path | str,
        pass2: Path | str,
        *,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> "VoidModel":
        """base: folder in diffusers layout (its transformer weights are not read); pass1, pass2: .safetensors files.

        Raises BadWeights, naming the file and the tensors that do not fit.
        """
        base = Path(base)
        transformers = {
            number: load_transformer(base, Path(weights), device=device, dtype=dtype)
            for number, weights in ((1, pass1), (2, pass2))
        }
        steps = read_config(base / "scheduler" / "scheduler_config.json")
        return cls(
            VideoVae(load_vae(base, device=device, dtype=dtype)),
            PromptEncoder.load(base, device=device, dtype=dtype),
            transformers,
            {number: scheduler.from_config(steps) for number, scheduler in SCHEDULERS.items()},
            add_noise=adds_inpaint_noise(base),
            device=device,
        )

    @torch.inference_mode()
    def run_pass(
        self,
        number: int,
        clip: NDArray[np.float32],
        quadmask: NDArray[np.uint8],
        prompt: str,
        settings: PassSettings,
        *,
        noise: NDArray[np.float32] | torch.Tensor | None = None,
        conditioning_noise: NDArray[np.float32] | torch.Tensor | None = None,
        trim: bool = True,
        on_step: OnStep | None = None,
    ) -> NDArray[np.float32]:
        """Run pass 1 or 2 on a clip; both are given the original picture.

        clip: float32 [T, h, w, 3] in 0..1, display-referred, of any size. quadmask: uint8 [T, h, w], 0 primary,
        63 overlap, 127 affected, 255 keep. noise: float32 [1, Tl, 16, H/8, W/8], unit variance, which pass 2 expects
        to be warped along pass 1's result; seeded white noise where None. conditioning_noise: [1, 3, Tp, H, W], unit
        variance; seeded where None; of no effect where the model was trained without. trim: return T frames and not
        the padded Tp. on_step(i, latents): called after every step; what it raises cancels the pass.

        Returns float32 [T or Tp, H, W, 3] in 0..1. Raises BadClip.
        """
        if number not in SCHEDULERS:
            raise ValueError(f"there is no pass {number}; ask for 1 or 2")
        check_clip(clip, quadmask, settings)
        length = padded_length(len(clip), settings.window, settings.max_frames)
        indices = padded_frame_indices(len(clip), length)
        seen = self.encode_conditions(number, clip, quadmask, indices, settings, conditioning_noise)
        latents = denoise(
            self.transformers[number],
            self.schedulers[number],
            self._initial_noise(noise, length, settings),
            seen,
            self._prompts(prompt, settings),
            guidance_scale=settings.guidance_scale,
            steps=settings.steps,
            window=settings.window_latents,
            overlap=settings.overlap_latents,
            on_step=on_step,
        )
        pixels = self.vae.decode(latents)[0, :, : len(clip) if trim else length]
        picture: NDArray[np.float32] = (pixels / 2 + 0.5).clamp(0, 1).permute(1, 2, 3, 0).contiguous().numpy()
        return picture

    def encode_conditions(
        self,
        number: int,
        clip: NDArray[np.float32],
        quadmask: NDArray[np.uint8],
        indices: NDArray[np.intp],
        settings: PassSettings,
        noise: NDArray[np.float32] | torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Mask latents and video latents, float32 [1, Tl, 16 + 16, H/8, W/8], of a checked clip."""
        height, width = settings.height, settings.width
        mask = conditioning.prepare_mask(quadmask, indices, height, width)
        condition = conditioning.mask_condition(mask, number, settings.mask_levels)
        video = conditioning.prepare_video(clip, indices, height, width)
        if self.add_noise:
            shape = (1, 3, len(indices), height, width)
            noise = _noise("conditioning_noise", noise, shape, settings.seed ^ _CONDITIONING_STREAM)
        else:
            noise = None
        pixels = conditioning.noised_video(video, noise)
        return torch.cat([conditioning.mask_latents(self.vae, condition), self._video_latents(pixels)], dim=2)

    def _video_latents(self, pixels: torch.Tensor) -> torch.Tensor:
        # Both passes of a shot are shown the same picture, so the last one encoded is kept.
        if self._encoded is None or not torch.equal(self._encoded[0], pixels):
            self._encoded = (pixels, self.vae.encode(pixels))
        return self._encoded[1]

    def _initial_noise(
        self, noise: NDArray[np.float32] | torch.Tensor | None, length: int, settings: PassSettings
    ) -> torch.Tensor:
        shape = (1, latent_frames(length), 16, settings.height // 8, settings.width // 8)
        return _noise("noise", noise, shape, settings.seed).to(self.device)

    def _prompts(self, prompt: str, settings: PassSettings) -> torch.Tensor:
        if settings.guidance_scale == 1.0:
            return self.prompts.embed(prompt)
        return torch.cat([self.prompts.embed(settings.negative_prompt), self.prompts.embed(prompt)])


def _noise(
    name: str, given: NDArray[np.float32] | torch.Tensor | None, shape: tuple[int, ...], seed: int
) -> torch.Tensor:
    """`given` as a checked float32 tensor, or white noise that follows the seed on every device."""
    if given is None:
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    if tuple(given.shape) != shape:
        raise BadClip(f"{name} is {list(given.shape)}; for this clip and these settings give {list(shape)}")
    return torch.as_tensor(given, dtype=torch.float32)
