"""Pixels to latents and back, with CogVideoX's causal video autoencoder, a few frames at a time.

The autoencoder looks back in time and never ahead, and hands what it must remember from chunk to chunk. So a clip of
any length passes through it in chunks, with the numbers that it has when given whole, and without seams.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from diffusers.models.upsampling import CogVideoXUpsample3D

FRAMES_PER_CHUNK = 8
LATENTS_PER_CHUNK = 2


def encode_spans(frames: int) -> list[tuple[int, int]]:
    """(start, end) of each chunk of frames that is encoded: eight, and in the first one the remainder besides.

    These are the stock autoencoder's chunks. GroupNorm's statistics span a chunk, so others would give other latents.
    """
    first = frames if frames < FRAMES_PER_CHUNK else FRAMES_PER_CHUNK + frames % FRAMES_PER_CHUNK
    starts = range(first, frames, FRAMES_PER_CHUNK)
    return [(0, first), *((start, start + FRAMES_PER_CHUNK) for start in starts)]


def decode_spans(latents: int) -> list[tuple[int, int]]:
    """(start, end) of each chunk of latent frames that is decoded: the first frame alone, then pairs."""
    starts = range(1, latents, LATENTS_PER_CHUNK)
    return [(0, 1), *((start, min(start + LATENTS_PER_CHUNK, latents)) for start in starts)]


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
        return self.encode_chunks(pixels[:, :, start:end] for start, end in encode_spans(pixels.shape[2]))

    def encode_chunks(self, chunks: Iterable[torch.Tensor]) -> torch.Tensor:
        """The same of a clip that comes as its `encode_spans`, each [1, 3, t, H, W]; one is in memory at a time."""
        past, modes = None, []
        for pixels in chunks:
            moments, past = self._stock.encoder(pixels.to(self._stock.device, self._stock.dtype), conv_cache=past)
            mean, _ = moments.chunk(2, dim=1)
            modes.append(mean.float() * self._scale)
        return torch.cat(modes, dim=2).permute(0, 2, 1, 3, 4)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """latents [1, Tl, 16, h, w] to pixels float32 [1, 3, 4Tl-3, 8h, 8w], about -1..1, on the CPU."""
        return torch.cat(list(self.decode_chunks(latents)), dim=2)

    def decode_chunks(self, latents: torch.Tensor) -> Iterator[torch.Tensor]:
        """The same, one of `decode_spans` at a time, each float32 [1, 3, t, 8h, 8w]; who has enough may stop."""
        z = (latents / self._scale).permute(0, 2, 1, 3, 4).to(self._stock.device, self._stock.dtype)
        past = None
        for start, end in decode_spans(z.shape[2]):
            for upsampler in self._upsamplers:
                upsampler.first_chunk = start == 0
            chunk, past = self._stock.decoder(z[:, :, start:end], conv_cache=past)
            yield chunk.float().cpu()


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
