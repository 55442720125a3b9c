"""The four stages of a training from nothing, each of which goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from void_server.model import PassSettings
from void_server.model.vae import VideoVae
from void_server.training.autoencoder import (
    Curriculum,
    PictureBatches,
    Reconstruction,
    batches,
    new_autoencoder,
)
from void_server.training.encoded import write_noise_shards, write_shards
from void_server.training.layout import SCHEDULER
from void_server.training.loop import STATE, Figures, Schedule, Training
from void_server.training.pairs import Pair
from void_server.training.transformer import Denoising, new_transformer
from void_server.training.work import (
    AUTOENCODER,
    DECODER,
    ENCODED,
    PASSES,
    WARPED,
    fill_with_average,
    pair_files,
    prompt_of_none,
    read_pairs,
    trained_autoencoder,
)

PairOf = Callable[[int], Pair]

HELD_OUT_FROM = 8  # files of encoded pairs


def train_autoencoder(
    work: Path, pair: PairOf, schedule: Schedule, curriculum: Curriculum, device: str = "cpu"
) -> None:
    """Encoder and decoder together, into work/autoencoder."""
    _train_on_pictures(new_autoencoder(), work / AUTOENCODER, pair, schedule, curriculum, device, frozen=False)


def tune_decoder(work: Path, pair: PairOf, schedule: Schedule, curriculum: Curriculum, device: str = "cpu") -> None:
    """The decoder alone, into work/decoder: the latents that transformers learn from stay as they are."""
    model = new_autoencoder()
    fill_with_average(model, work / AUTOENCODER)
    model.encoder.requires_grad_(False)
    _train_on_pictures(model, work / DECODER, pair, schedule, curriculum, device, frozen=True)


def _train_on_pictures(
    model: nn.Module,
    folder: Path,
    pair: PairOf,
    schedule: Schedule,
    curriculum: Curriculum,
    device: str,
    *,
    frozen: bool,
) -> None:
    model.to(device)
    loss = Reconstruction(model, frozen_encoder=frozen)
    training = Training(model, folder, schedule)
    ahead = batches(PictureBatches(pair, curriculum), training.step, schedule.steps)

    def loss_at(step: int) -> tuple[torch.Tensor, Figures]:
        pixels, weights = next(ahead)
        return loss(pixels.to(device), weights.to(device), step)

    training.run(loss_at)


def encode(work: Path, pair: PairOf, seeds: Sequence[int], settings: PassSettings, part: tuple[int, int]) -> None:
    """Latents of the pairs of `seeds` and pass 2's noise for them, into work/encoded and work/warped."""
    vae = VideoVae(trained_autoencoder(work))
    latents = write_shards(work / ENCODED, vae, pair, seeds, settings, part)
    noise = write_noise_shards(work / WARPED, pair, seeds, part)
    for path, _ in zip(latents, noise, strict=True):
        print(path, flush=True)


def train_pass(work: Path, number: int, schedule: Schedule, batch: int, device: str = "cpu") -> None:
    """A pass's transformer, into work/pass1 or work/pass2, which begins as pass 1 and is shown warped noise.

    Where there are HELD_OUT_FROM files of encoded pairs or more, the last one is held out: its error goes to the log.
    """
    names = pair_files(work, number)
    learnt, held_out = (names[:-1], names[-1:]) if len(names) >= HELD_OUT_FROM else (names, [])
    model = new_transformer()
    if number == 2 and not (work / PASSES[2] / STATE).is_file():
        fill_with_average(model, work / PASSES[1])
    model.to(device)
    prompt = prompt_of_none().to(device)

    def error_of(files: Sequence[str]) -> Denoising:
        pairs, noise = read_pairs(work, number, files)
        return Denoising(model, pairs, prompt, scheduler=SCHEDULER, batch=batch, noise_of=noise, seed=number)

    judge = error_of(held_out).held_out if held_out else None
    Training(model, work / PASSES[number], schedule).run(error_of(learnt), judge)
