"""Pairs as the transformer sees them, encoded once and kept on disk: latents of truth, mask and picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file, save_file

from void_server.model import PassSettings
from void_server.model.clip import padded_frame_indices, padded_length
from void_server.model.conditioning import mask_chunks, seeded_noise, video_chunks
from void_server.model.flow import DISFlow, FlowEstimator
from void_server.model.settings import FRAMES_PER_LATENT, latent_frames
from void_server.model.vae import VideoVae
from void_server.model.warped_noise import warp_clip
from void_server.training.pairs import Pair

SHARD = 32  # pairs in a file
TENSORS = ("truth", "conditions", "weights")

IN_MASK, MOVED = 4.0, 8.0  # what a latent weighs more where something is to change, and where a body is to appear


@dataclass(frozen=True)
class Encoded:
    """Latents of some pairs. truth: [N, Tl, 16, h, w]. conditions: [N, Tl, 32, h, w], mask then picture, as
    `VoidModel.encode_conditions` makes them. weights: [N, Tl, 1, h, w], of the loss. Float16 on disk and in memory."""

    truth: torch.Tensor
    conditions: torch.Tensor
    weights: torch.Tensor

    def __len__(self) -> int:
        return len(self.truth)


def encode_pair(vae: VideoVae, pair: Pair, settings: PassSettings) -> Encoded:
    """One pair, N = 1, in float32; the noise on the picture follows settings.seed, as in the passes.

    Both passes learn from it, so settings.mask_levels must be "quad": else each would see a mask of its own.
    """
    frames = len(pair.without)
    indices = padded_frame_indices(frames, padded_length(frames, settings.window, settings.max_frames))
    chunks = zip(
        mask_chunks(pair.quadmask, indices, 1, settings),
        video_chunks(pair.with_object, indices, settings, seeded_noise(settings)),
        video_chunks(pair.without, indices, settings, None),
        strict=True,
    )
    with torch.inference_mode():
        mask, picture, truth = vae.encode_chunks(torch.cat(chunk) for chunk in chunks)
    conditions = torch.cat([mask, picture], dim=1)
    return Encoded(truth[None], conditions[None], loss_weights(pair, indices, truth.shape)[None])


def loss_weights(pair: Pair, indices: Sequence[int] | np.ndarray, shape: Sequence[int]) -> torch.Tensor:
    """[Tl, 1, h, w]: 1, and more where the mask lies and where the moved body is to appear."""
    latents, _, height, width = shape
    masked = torch.from_numpy((pair.quadmask < 255)[indices]).float()
    weight = 1 + IN_MASK * masked + MOVED * torch.from_numpy(pair.moved[indices])
    grouped = [weight[:1], *weight[1:].split(FRAMES_PER_LATENT)]
    means = torch.stack([group.mean(0) for group in grouped])
    assert len(means) == latents
    return F.interpolate(means[:, None], (height, width), mode="area")


def write_shards(
    folder: Path,
    vae: VideoVae,
    pair: Callable[[int], Pair],
    seeds: Sequence[int],
    settings: PassSettings,
    part: tuple[int, int] = (0, 1),
) -> Iterator[Path]:
    """Encode the pairs of `seeds` into files of SHARD each, those that are not there yet.

    part: (i, n) makes only every nth file, from the ith, so that n processes share the work.
    """

    def tensors(chosen: Sequence[int]) -> dict[str, torch.Tensor]:
        parts = [encode_pair(vae, pair(seed), replace(settings, seed=seed)) for seed in chosen]
        return {name: torch.cat([getattr(one, name) for one in parts]).half() for name in TENSORS}

    return _write_files(folder, seeds, part, tensors)


def shard_names(*folders: Path) -> list[str]:
    """The names of the files that all `folders` have. Raises FileNotFoundError where there is none."""
    found = sorted(set.intersection(*({path.name for path in folder.glob("*.safetensors")} for folder in folders)))
    if not found:
        raise FileNotFoundError(f"{folders[-1]} has no encoded pairs; encode some first: void train encode")
    return found


def read_shards(folder: Path, names: Sequence[str]) -> Encoded:
    """The pairs in the files `names` of `folder`."""
    files = [load_file(folder / name) for name in names]
    return Encoded(*(torch.cat([file[name] for file in files]) for name in TENSORS))


def write_noise_shards(
    folder: Path, pair: Callable[[int], Pair], seeds: Sequence[int], part: tuple[int, int] = (0, 1)
) -> Iterator[Path]:
    """For each file of `write_shards`, one of the noise that pass 2 starts from, [N, Tl, 16, h, w].

    It is warped along the flow of the truth, which is what pass 1's result is meant to be.
    """
    flow = DISFlow()

    def tensors(chosen: Sequence[int]) -> dict[str, torch.Tensor]:
        return {"noise": torch.cat([_warped(pair(seed), flow, seed) for seed in chosen]).half()}

    return _write_files(folder, seeds, part, tensors)


def _warped(pair: Pair, flow: FlowEstimator, seed: int) -> torch.Tensor:
    frames, height, width = pair.primary.shape
    return warp_clip(pair.without, flow, (1, latent_frames(frames), 16, height // 8, width // 8), seed=seed)


def read_noise(folder: Path, names: Sequence[str]) -> torch.Tensor:
    """The noise in the files `names` of `folder`, float16 [N, Tl, 16, h, w]."""
    return torch.cat([load_file(folder / name)["noise"] for name in names])


def _write_files(
    folder: Path,
    seeds: Sequence[int],
    part: tuple[int, int],
    tensors: Callable[[Sequence[int]], dict[str, torch.Tensor]],
) -> Iterator[Path]:
    """A file for each SHARD of `seeds`, of the tensors made of them; one that is there stays. Each whole or not at all.

    part: (i, n) makes only every nth file, from the ith.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(part[0] * SHARD, len(seeds), part[1] * SHARD):
        path = folder / f"{first:06d}.safetensors"
        if not path.is_file():
            scratch = path.with_name(f".{path.name}.{os.getpid()}")
            save_file(tensors(seeds[first : first + SHARD]), scratch)
            scratch.replace(path)
        yield path
