"""CPU seconds of a short denoising with each speed setting, over those without any, measured in the same run.

A random transformer of about 100 M parameters; the error is the largest difference of the final latents, whose standard
deviation is printed. How often the first-block cache hits depends on the weights, so the steps that it skipped are
printed with its ratio, which says nothing of the real model; with few steps it skips none: try --steps 20 --frames 13.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from diffusers import CogVideoXTransformer3DModel, DDIMScheduler

from void_server.model.checkpoint import Checkpoint
from void_server.model.denoise import denoise
from void_server.model.settings import latent_frames
from void_server.model.speed import Speed, SpeedUnavailable, apply, attention_backend
from void_server.training.layout import SCHEDULER

TRANSFORMER: dict[str, Any] = {
    "num_attention_heads": 12,
    "attention_head_dim": 64,
    "num_layers": 8,
    "in_channels": 48,
    "out_channels": 16,
    "time_embed_dim": 512,
    "text_embed_dim": 64,
    "patch_size": 2,
    "patch_size_t": 2,
    "patch_bias": False,
    "use_rotary_positional_embeddings": True,
}


def settings(threshold: float) -> dict[str, Speed]:
    """What is compared, by name."""
    return {
        "fuse_qkv": Speed(fuse_qkv=True),
        'attention "flash"': Speed(attention="flash"),
        'attention "math"': Speed(attention="math"),
        f"first_block_cache {threshold}": Speed(first_block_cache=threshold),
        "compile": Speed(compile=True),
    }


def random_transformer() -> Any:
    """The same weights at every call."""
    torch.manual_seed(0)
    return CogVideoXTransformer3DModel(**TRANSFORMER).eval().requires_grad_(False)


def shot(options: argparse.Namespace) -> Callable[[Any, Speed, int], torch.Tensor]:
    """Runs a transformer on always the same noise and conditions for so many steps; returns the latents."""
    frames = latent_frames(options.frames)
    shape = (1, frames, 16, options.height // 8, options.width // 8)
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(shape, generator=random)
    conditioning = torch.randn((1, frames, 32, *shape[3:]), generator=random)
    prompts = torch.randn((1, 226, TRANSFORMER["text_embed_dim"]), generator=random)
    schedule = {name: value for name, value in SCHEDULER.items() if name != "snr_shift_scale"}

    @torch.inference_mode()
    def run(transformer: Any, speed: Speed, steps: int) -> torch.Tensor:
        with attention_backend(speed):
            return denoise(
                transformer,
                DDIMScheduler(**schedule),
                Checkpoint(0, noise),
                conditioning,
                prompts,
                guidance_scale=1.0,
                steps=steps,
                window=frames,
                overlap=0,
            )

    return run


def main() -> None:
    """Print a line for each setting: seconds, ratio to plain, error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=37, help="4k+1 with k odd (37)")
    parser.add_argument("--height", type=int, default=96, help="pixels, a multiple of 16 (96)")
    parser.add_argument("--width", type=int, default=160, help="pixels, a multiple of 16 (160)")
    parser.add_argument("--steps", type=int, default=4, help="denoising steps of a run (4)")
    parser.add_argument("--threshold", type=float, default=0.9, help="of the first-block cache (0.9)")
    parser.add_argument("--repeats", type=int, default=1, help="runs of each, plain ones in between (1)")
    parser.add_argument("--threads", type=int, default=1, help="torch's threads (1)")
    parser.add_argument("--only", default="", help="only the settings with this in their name")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    run = shot(options)
    plain = random_transformer()
    expected = run(plain, Speed(), options.steps)
    millions = sum(parameter.numel() for parameter in plain.parameters()) / 1e6
    print(
        f"{millions:.0f} M parameters, float32, {options.frames} frames of {options.width}x{options.height}, ", end=""
    )
    print(f"{options.steps} steps, {options.threads} threads; deviation of the latents {float(expected.std()):.2f}")
    for name, speed in settings(options.threshold).items():
        if options.only in name:
            print(f"{name:24}", compared(run, plain, expected, speed, options), flush=True)


def compared(run: Any, plain: Any, expected: torch.Tensor, speed: Speed, options: argparse.Namespace) -> str:
    """One line: the medians of runs that alternate with plain ones, in CPU time, which a busy machine bends least."""
    transformer = random_transformer()
    try:
        apply(transformer, speed)
    except SpeedUnavailable as error:
        return str(error)
    full_steps = 0

    def count(*_: Any) -> None:
        nonlocal full_steps
        full_steps += 1

    started = time.perf_counter()
    run(transformer, speed, 1)  # compiles
    first = time.perf_counter() - started
    if speed.first_block_cache:
        transformer.transformer_blocks[-1].ff.register_forward_hook(count)
    ours, theirs = [], []
    for _ in range(options.repeats):
        started = time.process_time()
        result = run(transformer, speed, options.steps)
        ours.append(time.process_time() - started)
        started = time.process_time()
        run(plain, Speed(), options.steps)
        theirs.append(time.process_time() - started)
    fast, slow = statistics.median(ours), statistics.median(theirs)
    apart = float((result - expected).abs().max())
    skipped = options.steps - full_steps // options.repeats
    skips = f", {skipped} of {options.steps} steps skipped" if speed.first_block_cache else ""
    compiling = f", first step {first:.0f} s" if speed.compile else ""
    return f"{fast:6.2f} s / plain {slow:6.2f} s = {fast / slow:.2f}, error {apart:.1e}{skips}{compiling}"


if __name__ == "__main__":
    main()
