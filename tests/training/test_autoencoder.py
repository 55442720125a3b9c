"""Training the autoencoder: it goes the way of the passes, its curriculum grows, and its loss falls."""

from pathlib import Path

import numpy as np
import torch

from void_server.model.vae import VideoVae
from void_server.training.autoencoder import (
    Curriculum,
    PictureBatches,
    Reconstruction,
    batches,
    encoded,
    new_autoencoder,
)
from void_server.training.loop import Schedule, Training
from void_server.training.pairs import Pair, make_pair

SMALL = {"block_out_channels": (4, 8, 8, 8), "norm_num_groups": 2}


def pair_of(seed: int) -> Pair:
    return make_pair(seed, frames=21, height=32, width=48)


def test_latents_and_pictures_are_those_of_the_passes() -> None:
    model = new_autoencoder(**SMALL).eval()
    loss, shipping = Reconstruction(model), VideoVae(new_autoencoder(**SMALL).eval())
    pixels = torch.rand(2, 3, 21, 32, 48) * 2 - 1
    with torch.no_grad():
        latents = encoded(model, pixels)
        pictures = loss.decoded(latents)
    given = shipping.encode(pixels[:1])
    assert torch.allclose(latents[:1].transpose(1, 2), given, atol=1e-5)
    assert torch.allclose(pictures[:1], shipping.decode(given), atol=1e-5)


def test_frames_come_first_and_then_ever_longer_clips() -> None:
    curriculum = Curriculum(steps=100, singles=0.5, short=0.8)
    frame, short, long = (6, 1), (2, 13), (2, 21)
    assert [curriculum.at(step) for step in (0, 49, 50, 51, 78, 79, 80, 99)] == [
        *(frame, frame),
        *(short, frame, short, frame),
        *(long, frame),
    ]


def test_a_step_s_batch_is_the_same_made_here_or_ahead() -> None:
    dataset = PictureBatches(pair_of, Curriculum(steps=6, singles=0.5, short=0.9))
    for step, (pixels, weights) in enumerate(batches(dataset, 3, 5), start=3):
        again = dataset[step]
        assert torch.equal(pixels, again[0])
        assert torch.equal(weights, again[1])
        count, frames = (6, 1) if step == 3 else (2, 13)
        assert pixels.shape == (count, 3, frames, 32, 48)
        assert weights.shape == (count, 1, frames, 32, 48)
        assert -1 <= pixels.min() < pixels.max() <= 1
        assert weights.min() >= 1
        assert weights.max() <= 5


def test_the_loss_falls_and_latents_come_to_unit_deviation(tmp_path: Path) -> None:
    model = new_autoencoder(**SMALL)
    loss = Reconstruction(model)
    pair = pair_of(4)
    pixels = torch.from_numpy(np.stack([pair.without[:5], pair.with_object[:5]])).permute(0, 4, 1, 2, 3) * 2 - 1
    weights = torch.ones(2, 1, 5, 32, 48)
    with torch.no_grad():
        before, figures = loss(pixels, weights, 0)
    Training(model, tmp_path, Schedule(steps=40, warmup=5)).run(lambda step: loss(pixels, weights, step))
    with torch.no_grad():
        after, better = loss(pixels, weights, 0)
    assert after < 0.6 * before
    assert better["psnr"] > figures["psnr"] + 2
    assert abs(better["deviation"] - 1) < abs(figures["deviation"] - 1)


def test_a_frozen_encoder_stays_and_the_decoder_learns(tmp_path: Path) -> None:
    model = new_autoencoder(**SMALL)
    model.encoder.requires_grad_(False)
    loss = Reconstruction(model, frozen_encoder=True)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    pixels = torch.rand(2, 3, 5, 32, 48) * 2 - 1
    weights = torch.ones(2, 1, 5, 32, 48)
    Training(model, tmp_path, Schedule(steps=2)).run(lambda step: loss(pixels, weights, step))
    moved = {name.partition(".")[0] for name, weight in model.state_dict().items() if not weight.equal(before[name])}
    assert moved == {"decoder"}
