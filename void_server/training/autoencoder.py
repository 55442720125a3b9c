"""Training the video autoencoder: single frames first, then clips, encoded and decoded as the passes do it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from diffusers import AutoencoderKLCogVideoX
from torch.utils.data import DataLoader, Dataset

from void_server.model.conditioning import mask_condition, quantise
from void_server.model.settings import FRAMES_PER_LATENT
from void_server.model.vae import VideoVae, decode_spans, encode_spans
from void_server.training.loop import Figures
from void_server.training.pairs import Pair

TINY = {
    "block_out_channels": (16, 32, 64, 64),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "latent_channels": 16,
    "scaling_factor": 1.0,  # the training brings the latents to unit deviation
}
LATENT_NOISE = 0.1  # on what is decoded, as deviation: neighbouring latents must mean neighbouring pictures
_STREAM = 0xAE


@dataclass(frozen=True, kw_only=True)
class Curriculum:
    """What a batch is made of as the steps go by.

    steps: in all. singles: the part of the steps, at the start, that see single frames; after it every other step
    does. short: the part after which clips have 21 frames, and not 13. frames_batch, clips_batch: samples in a batch.
    """

    steps: int
    singles: float = 0.6
    short: float = 0.9
    frames_batch: int = 6
    clips_batch: int = 2  # PyTorch's fast convolutions want two, on one thread

    def at(self, step: int) -> tuple[int, int]:
        """(samples, frames of each) of a step's batch."""
        if step < self.singles * self.steps or step % 2:
            return self.frames_batch, 1
        return self.clips_batch, 13 if step < self.short * self.steps else 21


class PictureBatches(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Step -> (pixels [B, 3, T, H, W] in -1..1, weights [B, 1, T, H, W]), from pairs numbered from 0."""

    def __init__(self, pair: Callable[[int], Pair], curriculum: Curriculum, seed: int = 0) -> None:
        self._pair, self._curriculum, self._seed = pair, curriculum, seed

    def __len__(self) -> int:
        return self._curriculum.steps

    def __getitem__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        count, frames = self._curriculum.at(step)
        draws = np.random.default_rng((self._seed, _STREAM, step))
        drawn = [_sample(self._pair(int(draws.integers(1_000_000))), frames, draws) for _ in range(count)]
        pixels, weights = zip(*drawn, strict=True)
        return torch.stack(pixels), torch.stack(weights)


def _sample(pair: Pair, frames: int, draws: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """One sample [3, T, H, W] and its weights [1, T, H, W]: the truth, the input or, now and then, the mask."""
    start = int(draws.integers(len(pair.without) - frames + 1))
    span = slice(start, start + frames)
    kind = draws.random()
    if kind < 0.1:
        inverted = 255 - quantise(torch.from_numpy(pair.quadmask[span]).float())
        seen = 1 - mask_condition(inverted, int(draws.integers(1, 3)), "quad" if kind < 0.07 else "netflix")
        return seen.expand(3, -1, -1, -1), torch.ones(1, *seen.shape)
    clip, body = (pair.without, pair.moved) if kind < 0.6 else (pair.with_object, pair.moved_before)
    pixels = torch.from_numpy(clip[span]).permute(3, 0, 1, 2) * 2 - 1
    return pixels, 1 + 4 * torch.from_numpy(body[span])[None]


def batches(dataset: Dataset[Any], first: int, steps: int) -> Iterator[Any]:
    """dataset[first], dataset[first + 1] ..., made ahead by one process that gives way to others."""
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_size=None,
        sampler=range(first, steps),
        num_workers=1,
        prefetch_factor=4,
        worker_init_fn=_give_way,
    )
    return iter(loader)


def _give_way(_: int) -> None:
    os.nice(10)


def new_autoencoder(seed: int = 0, **changes: Any) -> AutoencoderKLCogVideoX:
    """An untrained one. Its posterior's deviation is fixed at LATENT_NOISE: only its mode is ever used."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoencoderKLCogVideoX(**(TINY | changes))
    head = model.encoder.conv_out.conv
    with torch.no_grad():
        head.weight[16:] = 0
        head.bias[16:] = 2 * float(np.log(LATENT_NOISE))
    return model


def encoded(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    """[B, 3, T, H, W] to the posterior's mode [B, 16, Tl, H/8, W/8], in the chunks of `VideoVae`, with gradients."""
    past, modes = None, []
    for start, end in encode_spans(pixels.shape[2]):
        moments, past = model.encoder(pixels[:, :, start:end], conv_cache=past)
        modes.append(moments.chunk(2, dim=1)[0])
    return torch.cat(modes, dim=2)


def picture_loss(error: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """A scalar from errors [B, 3, T, H, W] and weights [B, 1, T, H, W]: of pixels, of means over 4 x 4 and 8 x 8
    pixels, and of those means' colours. Without the means a small autoencoder learns light and dark, and no hues."""
    total = _weighted(error, weights)
    for side in (4, 8):
        coarse, weight = (F.avg_pool3d(part, (1, side, side)) for part in (error, weights))
        hue = coarse - coarse.mean(1, keepdim=True)
        total = total + _weighted(coarse, weight) + 2 * _weighted(hue, weight)
    return total


def block_colours(pixels: torch.Tensor) -> torch.Tensor:
    """[B, 3, T, H, W] to [B, 3, Tl, H/8, W/8]: the mean colour of what each latent stands for, at about unit deviation.

    The first three channels of the latents are held to it; left alone, a small encoder forgets one hue of the two.
    """
    first, rest = pixels[:, :, :1], pixels[:, :, 1:]
    blocks = [F.avg_pool3d(first, (1, 8, 8))]
    if rest.shape[2]:
        blocks.append(F.avg_pool3d(rest, (FRAMES_PER_LATENT, 8, 8)))
    return 3 * torch.cat(blocks, dim=2)


def _weighted(error: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    size = F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.3, reduction="none")
    return (size * weights).sum() / (3 * weights.sum())


class Reconstruction:
    """The loss of a batch: what is lost on the way there and back, and how far the latents are from unit deviation."""

    def __init__(self, model: Any, *, frozen_encoder: bool = False) -> None:
        """frozen_encoder: the latents stay as they are and only the decoder learns."""
        self._model, self._frozen = model, frozen_encoder
        self._upsamplers = VideoVae(model)._upsamplers

    def __call__(self, pixels: torch.Tensor, weights: torch.Tensor, step: int) -> tuple[torch.Tensor, Figures]:
        """pixels [B, 3, T, H, W], weights [B, 1, T, H, W]; a scalar and what to log."""
        with torch.set_grad_enabled(not self._frozen):
            latents = encoded(self._model, pixels)
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(step)).to(latents)
        decoded = self.decoded(latents + LATENT_NOISE * noise)
        loss = picture_loss(decoded - pixels, weights)
        squared = F.mse_loss(decoded.detach(), pixels).item() / 4
        deviation = latents.transpose(0, 1).flatten(1).pow(2).mean(1).clamp_min(1e-6).sqrt()
        spread = deviation.log().pow(2).mean() + 0.1 * latents.mean((0, 2, 3, 4)).pow(2).mean()
        coarse = F.avg_pool3d((decoded - pixels).detach(), (1, 4, 4))
        hue = (coarse - coarse.mean(1, keepdim=True)).square().mean().item() / 4
        figures = {
            "hue": -10 * float(np.log10(hue + 1e-12)),
            "frames": float(pixels.shape[2]),
            "psnr": -10 * float(np.log10(squared + 1e-12)),
            "deviation": deviation.detach().mean().item(),
        }
        if not self._frozen:
            loss = loss + 0.01 * spread + 0.3 * F.mse_loss(latents[:, :3], block_colours(pixels))
        return loss, figures

    def decoded(self, latents: torch.Tensor) -> torch.Tensor:
        """[B, 16, Tl, h, w] to [B, 3, T, H, W], in the chunks of `VideoVae`, with gradients."""
        past, chunks = None, []
        for start, end in decode_spans(latents.shape[2]):
            for upsampler in self._upsamplers:
                upsampler.first_chunk = start == 0
            chunk, past = self._model.decoder(latents[:, :, start:end], conv_cache=past)
            chunks.append(chunk)
        return torch.cat(chunks, dim=2)
