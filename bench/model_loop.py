"""Wall time of a shot's two passes in our loop, over a plain loop's that computes the same numbers.

Both in the same run, on the same model, seed and threads. The plain loop does in each pass what a pipeline that keeps
nothing does: T5 encodes the prompts, the picture is encoded anew, every step of every window recomputes the rotary
position embedding and has a negative branch, even at guidance 1, where nothing comes of it. Schedulers and blending
are the same, and so must the results be. The published code leaves out the branch at guidance 1, so the ratio is given
without it too. Our loop has had the prompt before, in another shot. Loading, and warping the noise between the
passes, are in neither.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel

from void_server.model import PassSettings, VoidModel, WeightsFolder, conditioning
from void_server.model.clip import padded_frame_indices, padded_length
from void_server.model.denoise import predict, rope_tables, window_ramp, window_spans
from void_server.model.loading import load_text_encoder
from void_server.model.settings import latent_frames
from void_server.model.vae import VideoVae
from void_server.training.tiny import TRANSFORMER, VAE, write_random_weights

GOAL = 0.7
PROMPT = "A room with a table and two chairs."
MID_TRANSFORMER = TRANSFORMER | {
    "num_attention_heads": 12,
    "attention_head_dim": 64,
    "num_layers": 8,
    "time_embed_dim": 512,
    "sample_height": 192,
    "sample_width": 336,
}
MID_VAE = VAE | {"block_out_channels": (8, 16, 32, 32)}


class Plain:
    """Both passes without anything kept from one call to the next."""

    def __init__(self, model: VoidModel, base: Path) -> None:
        self.model = model
        self.text_encoder: Any = load_text_encoder(base, device="cpu", dtype=torch.float32)
        self.unused_branch = 0.0  # seconds

    @torch.inference_mode()
    def run_pass(
        self, number: int, clip: npt.NDArray[np.float32], quadmask: npt.NDArray[np.uint8], settings: PassSettings
    ) -> npt.NDArray[np.float32]:
        """What VoidModel.run_pass returns."""
        vae, size = self.model.vae, (settings.height, settings.width)
        length = padded_length(len(clip), settings.window, settings.max_frames)
        indices = padded_frame_indices(len(clip), length)
        mask = conditioning.prepare_mask(quadmask, indices, *size)
        condition = conditioning.mask_condition(mask, number, settings.mask_levels)
        video = conditioning.prepare_video(clip, indices, *size)
        noisy = conditioning.noised_video(video, conditioning.seeded_noise(settings)(0, length))
        seen = torch.cat([vae.encode((1 - condition).expand(-1, 3, -1, -1, -1)), vae.encode(noisy)], dim=2)
        shape = (1, latent_frames(length), 16, settings.height // 8, settings.width // 8)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(settings.seed))
        prompts = torch.cat([self._embed(settings.negative_prompt), self._embed(PROMPT)])
        latents = self._denoise(number, noise, seen, prompts, settings)
        picture = (vae.decode(latents)[0] / 2 + 0.5).clamp(0, 1).permute(1, 2, 3, 0)
        return np.asarray(picture[: len(clip)].contiguous())

    def _embed(self, prompt: str) -> torch.Tensor:
        embedding: torch.Tensor = self.text_encoder(self.model.prompts.token_ids(prompt))[0]
        return embedding

    def _denoise(
        self,
        number: int,
        latents: torch.Tensor,
        seen: torch.Tensor,
        prompts: torch.Tensor,
        settings: PassSettings,
    ) -> torch.Tensor:
        scheduler, frames, overlap = self.model.schedulers[number], latents.shape[1], settings.overlap_latents
        scheduler.set_timesteps(settings.steps)
        for timestep in scheduler.timesteps:
            total, weight = torch.zeros_like(latents), torch.zeros(1, frames, 1, 1, 1)
            for start, end in window_spans(frames, settings.window_latents, overlap):
                rope_tables.cache_clear()
                part = latents[:, start:end]
                velocity = self._predict(number, part, seen[:, start:end], prompts, timestep, settings.guidance_scale)
                ramp = window_ramp(start, end, frames, overlap)
                total[:, start:end] += ramp * scheduler.step(velocity, timestep, part, return_dict=False)[0]
                weight[:, start:end] += ramp
            latents = total / weight
        return latents

    def _predict(
        self,
        number: int,
        part: torch.Tensor,
        seen: torch.Tensor,
        prompts: torch.Tensor,
        timestep: torch.Tensor,
        guidance: float,
    ) -> torch.Tensor:
        transformer = self.model.transformers[number]
        if guidance > 1:
            return predict(transformer, part, seen, prompts, timestep, guidance)
        # Not in one batch with the other, whose last bits that would change.
        started = time.perf_counter()
        predict(transformer, part, seen, prompts[:1], timestep, guidance)
        self.unused_branch += time.perf_counter() - started
        return predict(transformer, part, seen, prompts[1:], timestep, guidance)


@contextmanager
def random_model(mid: bool) -> Iterator[tuple[VoidModel, Path]]:
    """A model of random weights, tiny or of about 100 million parameters, and its base folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "weights"
        write_random_weights(folder)
        weights = WeightsFolder.find(folder)
        # A folder of its own, so that no embedding comes from an earlier run.
        model = VoidModel.load(weights.base, weights.pass1, weights.pass2, prompt_cache=Path(name) / "prompts")
        if mid:
            torch.manual_seed(0)
            transformer = CogVideoXTransformer3DModel(**MID_TRANSFORMER).eval().requires_grad_(False)
            model.transformers = {1: transformer, 2: transformer}
            model.vae = VideoVae(AutoencoderKLCogVideoX(**MID_VAE).eval().requires_grad_(False))
        yield model, weights.base


def shot(frames: int, height: int, width: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """A clip of noise and a quadmask with a rectangle to remove."""
    quadmask = np.full((frames, height, width), 255, np.uint8)
    quadmask[:, height // 4 : height // 2, width // 4 : width // 2] = 0
    return np.random.default_rng(0).random((frames, height, width, 3), dtype=np.float32), quadmask


def both_passes(
    model: VoidModel, plain: Plain, frames: int, settings: dict[int, PassSettings]
) -> tuple[float, float, float]:
    """Seconds of our loop and of the plain one, and the greatest difference between their pictures."""
    clip, quadmask = shot(frames, settings[1].height, settings[1].width)
    started = time.perf_counter()
    ours = [model.run_pass(number, clip, quadmask, PROMPT, settings[number]) for number in (1, 2)]
    our_time = time.perf_counter() - started
    started = time.perf_counter()
    theirs = [plain.run_pass(number, clip, quadmask, settings[number]) for number in (1, 2)]
    plain_time = time.perf_counter() - started
    return our_time, plain_time, max(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True))


def main() -> None:
    """Print both times, the ratios and the difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mid", action="store_true", help="100 million parameters, 85 frames of 336x192: minutes")
    parser.add_argument(
        "--steps", type=int, nargs=2, help="of pass 1 and pass 2; 30 and 50 when tiny, 2 and 2 with --mid"
    )
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    frames, height, width, window = (85, 192, 336, 85) if options.mid else (37, 32, 48, 21)
    steps = options.steps or ((2, 2) if options.mid else (30, 50))
    size = {"height": height, "width": width, "window": window}
    settings = {
        1: PassSettings.pass1(steps=steps[0], **size),
        2: PassSettings.pass2(steps=steps[1], **size),
    }
    with random_model(options.mid) as (model, base):
        plain = Plain(model, base)
        both_passes(model, plain, 5, {n: PassSettings.pass1(steps=1, height=32, width=48, window=5) for n in (1, 2)})
        plain.unused_branch = 0.0
        ours, theirs, difference = both_passes(model, plain, frames, settings)
        parameters = sum(parameter.numel() for parameter in model.transformers[1].parameters())
    print(f"{parameters / 1e6:.1f} million parameters, {frames} frames of {width}x{height} in windows of {window}")
    print(f"{steps[0]} + {steps[1]} steps, {options.threads} thread(s); ours {ours:.2f} s, plain {theirs:.2f} s")
    print(f"ratio {ours / theirs:.2f}, goal {GOAL}")
    needed = theirs - plain.unused_branch
    print(f"ratio without the unused branch of pass 1 ({plain.unused_branch:.2f} s): {ours / needed:.2f}")
    print(f"greatest difference between the pictures {difference:.1e}")
    assert difference < 1e-5, "the loops don't compute the same"


if __name__ == "__main__":
    main()
