"""The resident model: loaded once, asked for one pass at a time."""

from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import CogVideoXDDIMScheduler, DDIMScheduler
from numpy.typing import NDArray

from void_server.model import conditioning
from void_server.model.checkpoint import Checkpoint
from void_server.model.clip import BadClip, check_clip, padded_frame_indices, padded_length
from void_server.model.denoise import OnStep, denoise
from void_server.model.errors import OutOfMemory, is_out_of_memory
from void_server.model.holding import decide, load_held, on_device
from void_server.model.loading import adds_inpaint_noise, load_vae
from void_server.model.plan import PlanName
from void_server.model.settings import PassSettings
from void_server.model.speed import Speed, apply, attention_backend, check_plan
from void_server.model.text import PromptEncoder
from void_server.model.vae import VideoVae
from void_server.model.weights import read_config

SCHEDULERS = {1: DDIMScheduler, 2: CogVideoXDDIMScheduler}

Noise = NDArray[np.float32] | torch.Tensor


class VoidModel:
    """Both passes' transformers, the autoencoder and the prompts' embeddings, loaded for one device."""

    def __init__(
        self,
        vae: VideoVae,
        prompts: PromptEncoder,
        transformers: dict[int, Any],
        schedulers: dict[int, Any],
        *,
        add_noise: bool,
        device: str,
        how: PlanName = "resident",
        speed: Speed | None = None,
    ) -> None:
        self.vae = vae
        self.prompts = prompts
        self.transformers = transformers
        self.schedulers = schedulers
        self.add_noise = add_noise
        self.device = device
        self.how = how
        self.speed = speed or Speed()
        self._encoded: tuple[bytes, torch.Tensor] | None = None

    @classmethod
    def load(
        cls,
        base: Path | str,
        pass1: Path | str,
        pass2: Path | str,
        *,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        plan: PlanName | None = None,
        prompt_cache: Path | str | None = None,
        speed: Speed | None = None,
    ) -> "VoidModel":
        """base: folder in diffusers layout (its transformer weights are not read); pass1, pass2: .safetensors files.
        plan: how the transformers are held; what fits the card where None. prompt_cache: folder of prompt embeddings;
        $VOID_PROMPT_CACHE where None, or else ~/.cache/void/prompts. speed: what to do for faster passes; nothing
        where None.

        Raises BadWeights, naming the file and the tensors that do not fit, and BadPlan, before anything is loaded,
        where the card has too little memory; SpeedUnavailable where `speed` cannot be followed.
        """
        base, passes = Path(base), [Path(pass1), Path(pass2)]
        how, encoder_device = decide(base, passes, plan, device=device, dtype=dtype)
        speed = speed or Speed()
        check_plan(speed, how)
        transformers = {
            number: load_held(base, weights, how, device=device, dtype=dtype)
            for number, weights in enumerate(passes, start=1)
        }
        for transformer in transformers.values():
            apply(transformer, speed)
        steps = read_config(base / "scheduler" / "scheduler_config.json")
        return cls(
            VideoVae(load_vae(base, device=device, dtype=dtype)),
            PromptEncoder.load(base, device=device, dtype=dtype, encoder_device=encoder_device, cache=prompt_cache),
            transformers,
            {number: scheduler.from_config(steps) for number, scheduler in SCHEDULERS.items()},
            add_noise=adds_inpaint_noise(base),
            device=device,
            how=how,
            speed=speed,
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
        noise: Noise | None = None,
        conditioning_noise: Noise | None = None,
        trim: bool = True,
        on_step: OnStep | None = None,
        resume: Checkpoint | None = None,
    ) -> NDArray[np.float32]:
        """Run pass 1 or 2 on a clip of any length; both are given the original picture.

        clip: float32 [T, h, w, 3] in 0..1, display-referred, of any size. quadmask: uint8 [T, h, w], 0 primary,
        63 overlap, 127 affected, 255 keep. noise: float32 [1, Tl, 16, H/8, W/8], unit variance, which pass 2 expects
        to be warped along pass 1's result; seeded white noise where None. conditioning_noise: [1, 3, Tp, H, W], unit
        variance; seeded where None; of no effect where the model was trained without. trim: return T frames and not
        the padded Tp. on_step(i, latents): called after every step; what it raises cancels the pass. resume: go on
        from Checkpoint(i + 1, latents) of an earlier run with the same arguments, to the same result; `noise` is then
        not looked at.

        Returns float32 [T or Tp, H, W, 3] in 0..1. Only the latents and the result grow with the clip: pixels pass
        through the autoencoder a few frames at a time. Raises BadClip and OutOfMemory.
        """
        if number not in SCHEDULERS:
            raise ValueError(f"there is no pass {number}; ask for 1 or 2")
        check_clip(clip, quadmask)
        length = padded_length(len(clip), settings.window, settings.max_frames)
        try:
            # Nothing of the pass has a name here, so that all of it is gone once an error has been caught.
            return self._picture(
                self._denoised(
                    number,
                    clip,
                    quadmask,
                    prompt,
                    settings,
                    self._start(noise, length, settings, resume),
                    conditioning_noise,
                    on_step,
                ),
                len(clip) if trim else length,
            )
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            cause = str(error).partition("\n")[0]
        # Not raised from `error`, whose traceback holds the pass.
        self._encoded = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise OutOfMemory(
            f"pass {number} ran out of memory at {settings.height} x {settings.width} (height x width), {length} "
            f"frames in windows of {settings.window} ({cause}); take a smaller window or picture, or a leaner plan "
            "for the weights: `void weights plan` shows what fits"
        )

    def _denoised(
        self,
        number: int,
        clip: NDArray[np.float32],
        quadmask: NDArray[np.uint8],
        prompt: str,
        settings: PassSettings,
        start: Checkpoint,
        conditioning_noise: Noise | None,
        on_step: OnStep | None,
    ) -> torch.Tensor:
        """The result as latents, [1, Tl, 16, H/8, W/8], of a checked clip."""
        indices = padded_frame_indices(len(clip), padded_length(len(clip), settings.window, settings.max_frames))
        conditions = self.encode_conditions(number, clip, quadmask, indices, settings, conditioning_noise)
        prompts = self._prompts(prompt, settings)
        held = on_device(self.transformers[number], self.how, self.device)
        with held as transformer, attention_backend(self.speed):
            return denoise(
                transformer,
                self.schedulers[number],
                start,
                conditions,
                prompts,
                guidance_scale=settings.guidance_scale,
                steps=settings.steps,
                window=settings.window_latents,
                overlap=settings.overlap_latents,
                on_step=on_step,
            )

    def encode_conditions(
        self,
        number: int,
        clip: NDArray[np.float32],
        quadmask: NDArray[np.uint8],
        indices: NDArray[np.intp],
        settings: PassSettings,
        noise: Noise | None = None,
    ) -> torch.Tensor:
        """Mask latents and video latents, float32 [1, Tl, 16 + 16, H/8, W/8], of a checked clip."""
        if not self.add_noise:
            noise = None
        elif noise is not None:
            _check_shape("conditioning_noise", noise, (1, 3, len(indices), settings.height, settings.width))
        mask = self.vae.encode_chunks(conditioning.mask_chunks(quadmask, indices, number, settings))
        return torch.cat([mask, self._video_latents(clip, indices, settings, noise)], dim=2)

    def _video_latents(
        self, clip: NDArray[np.float32], indices: NDArray[np.intp], settings: PassSettings, noise: Noise | None
    ) -> torch.Tensor:
        noise_of = conditioning.given_noise(noise) if noise is not None else None
        if self.add_noise and noise is None:
            noise_of = conditioning.seeded_noise(settings)
        # Both passes of a shot are shown the same picture, so the last one encoded is kept.
        key = self._picture_digest(clip, indices, settings, noise)
        if self._encoded is None or self._encoded[0] != key:
            chunks = conditioning.video_chunks(clip, indices, settings, noise_of)
            self._encoded = (key, self.vae.encode_chunks(chunks))
        return self._encoded[1]

    def _picture_digest(
        self, clip: NDArray[np.float32], indices: NDArray[np.intp], settings: PassSettings, noise: Noise | None
    ) -> bytes:
        """Names all that the video's latents depend on, besides the weights, without keeping it."""
        seed = settings.seed if self.add_noise and noise is None else None
        digest = blake2b(repr((clip.shape, clip.dtype.str, settings.height, settings.width, seed)).encode())
        digest.update(indices.tobytes())
        for frame in clip:
            digest.update(np.ascontiguousarray(frame).reshape(-1).data)
        if noise is not None:
            frame_noise = conditioning.given_noise(noise)
            for index in range(len(indices)):
                digest.update(frame_noise(index, index + 1).contiguous().numpy().reshape(-1).data)
        return digest.digest()

    def _start(self, noise: Noise | None, length: int, settings: PassSettings, resume: Checkpoint | None) -> Checkpoint:
        shape = settings.latent_shape(length)
        if resume is None:
            if noise is None:
                noise = torch.randn(shape, generator=torch.Generator().manual_seed(settings.seed))
            _check_shape("noise", noise, shape)
            return Checkpoint(0, torch.as_tensor(noise, dtype=torch.float32, device=self.device))
        _check_shape("the checkpoint", resume.latents, shape)
        if not 0 <= resume.step <= settings.steps:
            raise BadClip(
                f"the checkpoint is of step {resume.step} and the pass has {settings.steps}; "
                "resume with the settings it was made with, or start the pass over"
            )
        return Checkpoint(resume.step, resume.latents.to(self.device, torch.float32))

    def _picture(self, latents: torch.Tensor, frames: int) -> NDArray[np.float32]:
        """The first `frames` frames of the latents' picture, float32 [frames, H, W, 3] in 0..1; the rest isn't made."""
        height, width = latents.shape[3] * 8, latents.shape[4] * 8
        picture = np.empty((frames, height, width, 3), np.float32)
        done = 0
        for chunk in self.vae.decode_chunks(latents):
            pixels = (chunk[0] / 2 + 0.5).clamp(0, 1).permute(1, 2, 3, 0).numpy()
            picture[done : done + len(pixels)] = pixels[: frames - done]
            done += len(pixels)
            if done >= frames:
                break
        return picture

    def _prompts(self, prompt: str, settings: PassSettings) -> torch.Tensor:
        if settings.guidance_scale == 1.0:
            return self.prompts.embed(prompt)
        return torch.cat([self.prompts.embed(settings.negative_prompt), self.prompts.embed(prompt)])


def _check_shape(name: str, given: Noise, shape: tuple[int, ...]) -> None:
    if tuple(given.shape) != shape:
        raise BadClip(f"{name} is {list(given.shape)}; for this clip and these settings give {list(shape)}")
