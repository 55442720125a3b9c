"""Training a pass's transformer on encoded pairs: v-prediction, with the scheduler that the passes sample with."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from diffusers import CogVideoXDDIMScheduler, CogVideoXTransformer3DModel

from void_server.model.denoise import rope_tables
from void_server.training.encoded import Encoded
from void_server.training.loop import Figures

TINY = {
    "num_attention_heads": 4,
    "attention_head_dim": 64,
    "num_layers": 6,
    "in_channels": 48,
    "out_channels": 16,
    "time_embed_dim": 64,
    "text_embed_dim": 16,
    "sample_height": 8,
    "sample_width": 14,
    "sample_frames": 21,
    "patch_size": 2,
    "patch_size_t": 2,
    "patch_bias": False,
    "use_rotary_positional_embeddings": True,
}
FIRST_STEP = 0.7  # of the samples are pure noise, where the sampler starts and all is decided
PURE_NOISE = 999  # the timestep that has nothing of the picture left
_STREAM = 0x7F

# Indices of some pairs and random numbers to noise for them, [B, Tl, 16, h, w].
NoiseOf = Callable[[np.ndarray, torch.Generator], torch.Tensor]


def new_transformer(seed: int = 0, **changes: Any) -> CogVideoXTransformer3DModel:
    """An untrained one that begins by predicting nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CogVideoXTransformer3DModel(**(TINY | changes))
    torch.nn.init.zeros_(model.proj_out.weight)
    torch.nn.init.zeros_(model.proj_out.bias)
    return model


def merged_tokens(prompt: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    """A prompt's embedding [1, L, D] without repetition where all L tokens are one, and the bias [1, 1] that makes up.

    Text tokens have no position: equal ones stay equal in every block, and attention to L of them is attention to one
    whose score is raised by log L.
    """
    if not (prompt == prompt[:, :1]).all():
        return prompt, None
    return prompt[:, :1], torch.full((1, 1), math.log(prompt.shape[1]), device=prompt.device)


def predict(
    model: Any,
    noisy: torch.Tensor,
    conditions: torch.Tensor,
    timesteps: torch.Tensor,
    prompt: torch.Tensor,
    bias: torch.Tensor | None = None,
) -> torch.Tensor:
    """Velocities [B, Tl, 16, h, w] of noisy latents of that shape; conditions [B, Tl, 32, h, w], timesteps [B]."""
    batch, frames, _, height, width = noisy.shape
    mask = None
    if bias is not None:
        patches = -(-frames // model.config.patch_size_t) * (height // 2) * (width // 2)
        mask = {"attention_mask": torch.cat([bias, bias.new_zeros(1, patches)], dim=1)[:, None].expand(batch, -1, -1)}
    velocity: torch.Tensor = model(
        hidden_states=torch.cat([noisy, conditions], dim=2).to(model.dtype),
        encoder_hidden_states=prompt.to(model.dtype).expand(batch, -1, -1),
        timestep=timesteps,
        image_rotary_emb=rope_tables(model.config.attention_head_dim, frames, height, width, noisy.device),
        attention_kwargs=mask,
        return_dict=False,
    )[0]
    return velocity.float()


class Denoising:
    """The loss of a step: the squared error of the velocity, weighted, over a batch that the step's number decides."""

    def __init__(
        self,
        model: Any,
        pairs: Encoded,
        prompt: torch.Tensor,
        *,
        scheduler: dict[str, Any],
        batch: int = 16,
        noise_of: NoiseOf | None = None,
        seed: int = 0,
    ) -> None:
        """prompt: [1, L, D]. scheduler: the config in the base model's folder. noise_of: white noise where None."""
        self._model, self._pairs = model, pairs
        self._prompt, self._bias = merged_tokens(prompt)
        self._scheduler = CogVideoXDDIMScheduler.from_config(scheduler)
        self._batch, self._seed = batch, seed
        self._noise_of = noise_of or self._white

    def __call__(self, step: int) -> tuple[torch.Tensor, Figures]:
        """A scalar with gradients, and what to log."""
        draws = np.random.default_rng((self._seed, _STREAM, step))
        generator = torch.Generator().manual_seed(int(draws.integers(2**62)))
        chosen = draws.integers(len(self._pairs), size=self._batch)
        timesteps = torch.from_numpy(draws.integers(1000, size=self._batch))
        timesteps[torch.from_numpy(draws.random(self._batch) < FIRST_STEP)] = PURE_NOISE
        loss = self.loss(chosen, self._noise_of(chosen, generator), timesteps)
        first = timesteps == PURE_NOISE
        figures = {"first_step": loss[first].mean().item()} if first.any() else {}
        return loss.mean(), figures

    def held_out(self) -> Figures:
        """The mean error of all pairs at pure noise, the same noise each time: for pairs that are not learnt from."""
        generator = torch.Generator().manual_seed(self._seed)
        errors = []
        for chosen in np.array_split(np.arange(len(self._pairs)), math.ceil(len(self._pairs) / self._batch)):
            noise = self._noise_of(chosen, generator)
            errors.append(self.loss(chosen, noise, torch.full((len(chosen),), PURE_NOISE)))
        return {"held_out": torch.cat(errors).mean().item()}

    def loss(self, chosen: np.ndarray, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """[B], the weighted error of each of the chosen pairs; noise [B, Tl, 16, h, w], timesteps int64 [B]."""
        device = self._prompt.device
        picked = torch.from_numpy(chosen)
        truth, conditions, weights = (
            part[picked].to(device, torch.float32)
            for part in (self._pairs.truth, self._pairs.conditions, self._pairs.weights)
        )
        noise, timesteps = noise.to(device), timesteps.to(device)
        noisy = self._scheduler.add_noise(truth, noise, timesteps)
        target = self._scheduler.get_velocity(truth, noise, timesteps)
        velocity = predict(self._model, noisy, conditions, timesteps, self._prompt, self._bias)
        error = (velocity - target).square() * weights
        summed: torch.Tensor = error.flatten(1).sum(1)
        return summed / (weights.flatten(1).sum(1) * truth.shape[2])

    def _white(self, chosen: np.ndarray, generator: torch.Generator) -> torch.Tensor:
        return torch.randn((len(chosen), *self._pairs.truth.shape[1:]), generator=generator)


def reused(warped: torch.Tensor) -> NoiseOf:
    """Warped noise [N, Tl, 16, h, w], one for each pair, made new for every step.

    Its channels are independent and symmetric, so that in any order and with any signs they are as good as new.
    """

    def noise(chosen: np.ndarray, generator: torch.Generator) -> torch.Tensor:
        channels = warped.shape[2]
        orders = torch.stack([torch.randperm(channels, generator=generator) for _ in chosen])
        signs = torch.randint(0, 2, (len(chosen), 1, channels, 1, 1), generator=generator) * 2.0 - 1
        picked = warped[torch.from_numpy(chosen)].float()
        return picked.gather(2, orders[:, None, :, None, None].expand_as(picked)) * signs

    return noise
