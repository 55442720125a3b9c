"""Pixels to latents and back, with CogVideoX's causal video autoencoder."""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from diffusers.models.upsampling import CogVideoXUpsample3D

LATENTS_PER_CHUNK = 2


class ChunkUpsample3D(CogVideoXUpsample3D):
    """Upsampling that knows whether its chunk is the clip's first.

    The first chunk is one latent frame and stays one frame. In every other chunk each frame becomes two, even where
    there is but one, a case in which the stock class cannot tell the chunks apart and leaves time alone.
    """

    first_chunk = True

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """[B, C, t, h, w] to [B, C, 2t, 2h, 2w], or [B, C, 1, 2h, 2w] in the first chunk."""
        batch, channels, frames, height, width = inputs.shape
        doubled = frames if self.first_chunk else 2 * frames
        inputs = F.interpolate(inputs, size=(doubled, 2 * height, 2 * width))
        flat = inputs.permute(0, 2, 1, 3, 4).reshape(batch * doubled, channels, 2 * height, 2 * width)
        flat = self.conv(flat)
        out: torch.Tensor = flat.reshape(batch, doubled, *flat.shape[1:]).permute(0, 2, 1, 3, 4)
        return out


class VideoVae:
    """The autoencoder as VOID uses it: the posterior's mode, scaled; no tiling, for tiles change the result."""

    def __init__(self, stock: Any) -> None:
        """stock: a diffusers AutoencoderKLCogVideoX, which is changed in place."""
        self._stock = stock
        self._scale = float(stock.config.scaling_factor)
        self._upsamplers = _replace_upsamplers(stock.decoder)

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """pixels [1, 3, T, H, W], T = 4k+1, to latents float32 [1, k+1, 16, H/8, W/8], on the model's device."""
        pixels = pixels.to(device=self._stock.device, dtype=self._stock.dtype)
        mode: torch.Tensor = self._stock.encode(pixels).latent_dist.mode()
        return (mode.float() * self._scale).permute(0, 2, 1, 3, 4)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """latents [1, Tl, 16, h, w] to pixels float32 [1, 3, 4Tl-3, 8h, 8w], about -1..1, on the CPU.

        The first latent frame is decoded alone, then two at a time, with the convolutions' past carried along.
        """
        z = (latents / self._scale).permute(0, 2, 1, 3, 4).to(self._stock.device, self._stock.dtype)
        starts = [0, *range(1, z.shape[2], LATENTS_PER_CHUNK)]
        past, chunks = None, []
        for start, end in zip(starts, [*starts[1:], z.shape[2]], strict=True):
            for upsampler in self._upsamplers:
                upsampler.first_chunk = start == 0
            chunk, past = self._stock.decoder(z[:, :, start:end], conv_cache=past)
            chunks.append(chunk.float().cpu())
        return torch.cat(chunks, dim=2)


def _replace_upsamplers(decoder: Any) -> list[ChunkUpsample3D]:
    replaced = []
    for block in decoder.up_blocks:
        for index, stock in enumerate(block.upsamplers or []):
            if stock.compress_time:
                ours = ChunkUpsample3D(1, 1, compress_time=True)
                ours.conv = stock.conv
                block.upsamplers[index] = ours
                replaced.append(ours)
    return replaced
