"""The denoising loop of both passes, as plain functions of tensors."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from diffusers.models.embeddings import get_3d_rotary_pos_embed

from void_server.model.checkpoint import Checkpoint

OnStep = Callable[[int, torch.Tensor], None]


def denoise(
    transformer: Any,
    scheduler: Any,
    start: Checkpoint,
    conditioning: torch.Tensor,
    prompts: torch.Tensor,
    *,
    guidance_scale: float,
    steps: int,
    window: int,
    overlap: int,
    on_step: OnStep | None = None,
) -> torch.Tensor:
    """From noise, or from where an earlier run was, to latents [1, Tl, 16, h, w].

    start: Checkpoint(0, noise), or a later one; both schedulers are deterministic and keep nothing of earlier steps,
    so the result is the same. conditioning: [1, Tl, 32, h, w]. prompts: [1, 226, D], or [2, 226, D], the negative one
    first, for guidance. window, overlap: in latent frames; a clip longer than the window is denoised in overlapping
    windows that are blended after every step (temporal multidiffusion, arXiv 2302.08113). on_step(i, latents) is called
    after each step, the first time with i = start.step; what it raises ends the loop.
    """
    latents = start.latents.float()
    scheduler.set_timesteps(steps, device=latents.device)
    spans = window_spans(latents.shape[1], window, overlap)
    ramps = [window_ramp(*span, latents.shape[1], overlap).to(latents.device) for span in spans]
    try:
        for step, timestep in enumerate(scheduler.timesteps[start.step :], start.step):
            blended, weight = torch.zeros_like(latents), torch.zeros_like(latents[:1, :, :1, :1, :1])
            for index, ((first, end), ramp) in enumerate(zip(spans, ramps, strict=True)):
                part = latents[:, first:end]
                # A block cache, where one is enabled, must not take one window's past for another's.
                with transformer.cache_context(f"window {index}"):
                    seen = conditioning[:, first:end]
                    velocity = predict(transformer, part, seen, prompts, timestep, guidance_scale)
                stepped = scheduler.step(velocity, timestep, part, return_dict=False)[0]
                blended[:, first:end] += ramp * stepped
                weight[:, first:end] += ramp
            latents = blended / weight
            if on_step is not None:
                on_step(step, latents)
    finally:
        transformer._reset_stateful_cache()  # nor one shot's for the next one's
    return latents


def predict(
    transformer: Any,
    latents: torch.Tensor,
    conditioning: torch.Tensor,
    prompts: torch.Tensor,
    timestep: torch.Tensor,
    guidance_scale: float,
) -> torch.Tensor:
    """The velocity of one window, float32 [1, t, 16, h, w], with classifier-free guidance (arXiv 2207.12598)."""
    batch, (frames, height, width) = prompts.shape[0], (latents.shape[1], *latents.shape[3:])
    inputs = torch.cat([latents, conditioning], dim=2).to(transformer.dtype).expand(batch, -1, -1, -1, -1)
    rope = rope_tables(transformer.config.attention_head_dim, frames, height, width, latents.device)
    velocity: torch.Tensor = transformer(
        hidden_states=inputs,
        encoder_hidden_states=prompts,
        timestep=timestep.expand(batch),
        image_rotary_emb=rope,
        return_dict=False,
    )[0].float()
    if batch == 1:
        return velocity
    negative, positive = velocity.chunk(2)
    return negative + guidance_scale * (positive - negative)


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # what is kept must serve training too
def rope_tables(
    head_width: int, frames: int, height: int, width: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines of the rotary position embedding for one window of latents, counted from its own start."""
    grid = (height // 2, width // 2)
    cosines, sines = get_3d_rotary_pos_embed(
        head_width,
        crops_coords=None,
        grid_size=grid,
        temporal_size=(frames + 1) // 2,
        grid_type="slice",
        max_size=grid,
        device=device,
    )
    return cosines, sines


def window_spans(frames: int, window: int, overlap: int) -> list[tuple[int, int]]:
    """(start, end) of each window; they advance by window - overlap and the last may be shorter."""
    starts = range(0, max(frames - overlap, 1), window - overlap)
    return [(start, min(start + window, frames)) for start in starts]


def window_ramp(start: int, end: int, frames: int, overlap: int) -> torch.Tensor:
    """Blending weights of one window, float32 [1, end-start, 1, 1, 1]: ramps of (1 ... overlap)/(overlap+1) at inner
    edges, 1 elsewhere."""
    ramp = torch.arange(1, overlap + 1) / (overlap + 1)
    weights = torch.ones(end - start)
    if start > 0:
        weights[:overlap] *= ramp
    if end < frames:
        weights[len(weights) - overlap :] *= ramp.flip(0)  # also right where overlap is 0
    return weights[None, :, None, None, None]
