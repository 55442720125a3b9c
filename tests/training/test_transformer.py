"""Training a transformer: the target is the scheduler's, the conditions are the passes', and the loss falls."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from safetensors.torch import save_file

from void_server.model import Checkpoint, PassSettings, VoidModel, WeightsFolder
from void_server.model.denoise import denoise
from void_server.model.vae import VideoVae
from void_server.training import encoded, loop
from void_server.training.encoded import Encoded, encode_pair, read_shards, shard_names, write_shards
from void_server.training.layout import SCHEDULER
from void_server.training.loop import LOG, Schedule, Training
from void_server.training.pairs import Pair, make_pair
from void_server.training.stages import HELD_OUT_FROM, train_pass
from void_server.training.transformer import Denoising, merged_tokens, new_transformer, predict, reused
from void_server.training.work import ENCODED, PASSES

FRAMES, HEIGHT, WIDTH = 5, 32, 48
SETTINGS = PassSettings.pass1(height=HEIGHT, width=WIDTH, window=FRAMES, mask_levels="quad")
SMALL = {"num_layers": 1, "num_attention_heads": 2, "attention_head_dim": 16}


def pair_of(seed: int) -> Pair:
    return make_pair(seed, frames=FRAMES, height=HEIGHT, width=WIDTH)


def some_pairs(count: int = 2) -> Encoded:
    generator = torch.Generator().manual_seed(7)
    truth = torch.randn(count, 2, 16, 4, 6, generator=generator)
    return Encoded(truth, torch.randn(count, 2, 32, 4, 6, generator=generator), torch.ones(count, 2, 1, 4, 6))


def alphas() -> np.ndarray:
    """sqrt of the cumulative product of 1 - beta, shifted and scaled to end at zero (arXiv 2305.08891, algorithm 1)."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    kept = np.sqrt(np.cumprod(1 - betas))
    return (kept - kept[-1]) * kept[0] / (kept[0] - kept[-1])


class Oracle:
    """Knows the truth, so that its velocity is right: v = (alpha noisy - truth) / sigma."""

    dtype = torch.float32
    config = SimpleNamespace(attention_head_dim=16, patch_size_t=2)

    def __init__(self, truth: torch.Tensor) -> None:
        self.truth = truth

    def __call__(self, hidden_states: torch.Tensor, timestep: torch.Tensor, **_: Any) -> tuple[torch.Tensor]:
        alpha = torch.from_numpy(alphas())[timestep].float().view(-1, 1, 1, 1, 1)
        return ((alpha * hidden_states[:, :, :16] - self.truth) / (1 - alpha**2).sqrt(),)

    def cache_context(self, _: str) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def _reset_stateful_cache(self) -> None:
        pass


def test_a_model_that_knows_the_truth_has_no_loss() -> None:
    pairs = some_pairs(1)
    loss = Denoising(Oracle(pairs.truth), pairs, torch.zeros(1, 226, 8), scheduler=SCHEDULER, batch=5)
    noise = torch.randn(5, *pairs.truth.shape[1:])
    found = loss.loss(np.zeros(5, int), noise, torch.tensor([999, 700, 400, 100, 10]))
    assert found.abs().max() < 1e-6


def test_a_model_that_knows_another_truth_has_the_loss_of_its_error() -> None:
    pairs = some_pairs(1)
    pairs.weights[:, :, :, :2] = 3  # half of it
    wrong = pairs.truth.clone()
    wrong[:, :, :, :2] += 0.5
    loss = Denoising(Oracle(wrong), pairs, torch.zeros(1, 226, 8), scheduler=SCHEDULER)
    found = loss.loss(np.zeros(1, int), torch.randn(1, *pairs.truth.shape[1:]), torch.tensor([999]))
    assert found.item() == pytest.approx(0.25 * 3 / 4, rel=1e-4)  # sigma is 1 there


def test_what_is_held_out_is_judged_at_pure_noise_every_pair_once() -> None:
    pairs = some_pairs(5)
    off = torch.arange(5.0).view(5, 1, 1, 1, 1) / 10
    # As many at once as there are, so that the oracle's truths are those of the pairs that it is asked for.
    loss = Denoising(Oracle(pairs.truth + off), pairs, torch.zeros(1, 226, 8), scheduler=SCHEDULER, batch=5)
    assert loss.held_out()["held_out"] == pytest.approx(off.square().mean().item(), rel=1e-4)


def test_held_out_pairs_are_told_in_batches_alike() -> None:
    model, pairs, prompt = new_transformer(**SMALL), some_pairs(5), torch.zeros(1, 226, 16)
    torch.nn.init.normal_(model.proj_out.weight, std=0.01)
    one, other = (Denoising(model, pairs, prompt, scheduler=SCHEDULER, batch=size) for size in (2, 5))
    assert one.held_out() == one.held_out()
    assert one.held_out()["held_out"] == pytest.approx(other.held_out()["held_out"], rel=0.05)  # other noise


def test_sampling_a_model_that_knows_the_truth_returns_it() -> None:
    truth = some_pairs(1).truth
    start = Checkpoint(0, torch.randn(truth.shape))
    result = denoise(
        Oracle(truth),
        DDIMScheduler.from_config(SCHEDULER),
        start,
        torch.zeros(1, 2, 32, 4, 6),
        torch.zeros(1, 226, 8),
        guidance_scale=1.0,
        steps=4,
        window=2,
        overlap=0,
    )
    assert (result - truth).abs().max() < 1e-5


@pytest.fixture
def weights(tiny_folder: Path) -> WeightsFolder:
    return WeightsFolder.find(tiny_folder)


def test_conditions_are_those_that_a_pass_is_given(weights: WeightsFolder) -> None:
    model = VoidModel.load(weights.base, weights.pass1, weights.pass2)
    pair, settings = pair_of(3), replace(SETTINGS, seed=11)
    made = encode_pair(model.vae, pair, settings)
    given = model.encode_conditions(1, pair.with_object, pair.quadmask, np.arange(FRAMES), settings)
    assert torch.allclose(made.conditions, given, atol=1e-5)
    truth = model.vae.encode(torch.from_numpy(pair.without).permute(3, 0, 1, 2)[None] * 2 - 1)
    assert torch.allclose(made.truth, truth, atol=1e-5)


def test_what_changes_weighs_more() -> None:
    pair = pair_of(3)
    pair = replace(pair, quadmask=np.full_like(pair.quadmask, 255), moved=np.zeros_like(pair.moved))
    pair.quadmask[:, :8, :8] = 0
    pair.quadmask[0, :8, 8:12] = 127
    pair.moved[1:, 24:, 40:] = 0.5
    weights = encoded.loss_weights(pair, np.arange(FRAMES), (2, 16, 4, 6))
    expected = torch.ones(2, 1, 4, 6)
    expected[:, 0, 0, 0] = 5
    expected[0, 0, 0, 1] = 3
    expected[1, 0, 3, 5] = 5
    assert torch.equal(weights, expected)


def test_a_prompt_of_equal_tokens_is_as_good_as_one() -> None:
    model = new_transformer(**SMALL)
    torch.nn.init.normal_(model.proj_out.weight)
    pairs, prompt = some_pairs(), torch.full((1, 226, 16), 0.3)
    one, bias = merged_tokens(prompt)
    assert one.shape == (1, 1, 16)
    steps = torch.tensor([999, 30])
    whole = predict(model, pairs.truth, pairs.conditions, steps, prompt)
    short = predict(model, pairs.truth, pairs.conditions, steps, one, bias)
    unbiased = predict(model, pairs.truth, pairs.conditions, steps, one)
    assert torch.allclose(whole, short, atol=1e-4)
    assert not torch.allclose(whole, unbiased, atol=1e-2)


def test_a_prompt_of_many_tokens_stays() -> None:
    prompt = torch.randn(1, 226, 16)
    kept, bias = merged_tokens(prompt)
    assert kept is prompt
    assert bias is None


def test_the_loss_of_two_pairs_falls(tmp_path: Path) -> None:
    pairs, prompt = some_pairs(), torch.zeros(1, 226, 16)
    model = new_transformer(**SMALL)
    loss = Denoising(model, pairs, prompt, scheduler=SCHEDULER, batch=4)
    noise, steps = torch.randn(2, *pairs.truth.shape[1:]), torch.tensor([999, 999])
    before = loss.loss(np.arange(2), noise, steps).mean().item()
    assert before == pytest.approx(pairs.truth.square().mean().item(), rel=1e-3)  # it begins by predicting nothing
    Training(model, tmp_path, Schedule(steps=40, warmup=5)).run(loss)
    assert loss.loss(np.arange(2), noise, steps).mean().item() < 0.3 * before


def test_noise_made_new_is_still_warped_and_white() -> None:
    generator = torch.Generator().manual_seed(0)
    still = torch.randn(1, 1, 16, 16, 16, generator=generator).expand(1, 2, -1, -1, -1)  # the same in both frames
    again = reused(still)(np.zeros(8, int), generator)
    assert again.shape == (8, 2, 16, 16, 16)
    assert torch.equal(again[:, 0], again[:, 1])
    flat = again[:, 0].reshape(8, -1)
    mixed = (flat @ flat.T / flat.shape[1]).fill_diagonal_(0)
    assert mixed.abs().max() < 0.3  # no channel in its old place but by chance


def write_files(work: Path, count: int) -> None:
    """Encoded pairs of the tiny model's size, one a file, that are zero, but for those in the last file."""
    parts = {"truth": torch.zeros(1, 6, 16, 8, 14), "weights": torch.ones(1, 6, 1, 8, 14)}
    conditions = torch.zeros(1, 6, 32, 8, 14)
    (work / ENCODED).mkdir(parents=True)
    for number in range(count):
        last = {"truth": parts["truth"] + 100.0} if number == count - 1 else {}
        save_file(parts | last | {"conditions": conditions}, work / ENCODED / f"{number:06d}.safetensors")


def logged(work: Path) -> list[dict[str, float]]:
    train_pass(work, 1, Schedule(steps=3), batch=16)
    return [json.loads(line) for line in (work / PASSES[1] / LOG).read_text().splitlines()]


def test_the_last_of_many_files_is_not_learnt_from_but_judged_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "JUDGED_EVERY", 3)
    write_files(tmp_path / "many", HELD_OUT_FROM)
    lines = logged(tmp_path / "many")
    assert max(line["first_step"] for line in lines) < 2
    assert lines[-1]["held_out"] > 5000
    write_files(tmp_path / "few", HELD_OUT_FROM - 1)
    lines = logged(tmp_path / "few")
    assert max(line["first_step"] for line in lines) > 1000, "too few to do without one"
    assert "held_out" not in lines[-1]


def test_shards_are_shared_and_not_made_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: WeightsFolder
) -> None:
    monkeypatch.setattr(encoded, "SHARD", 1)
    vae = VoidModel.load(weights.base, weights.pass1, weights.pass2).vae
    assert isinstance(vae, VideoVae)
    second = list(write_shards(tmp_path, vae, pair_of, range(3), SETTINGS, (1, 2)))
    assert [path.name for path in second] == ["000001.safetensors"]
    written = second[0].stat().st_mtime_ns
    assert len(list(write_shards(tmp_path, vae, pair_of, range(3), SETTINGS))) == 3
    assert second[0].stat().st_mtime_ns == written
    pairs = read_shards(tmp_path, shard_names(tmp_path))
    assert len(pairs) == 3
    third = encode_pair(vae, pair_of(2), replace(SETTINGS, seed=2))
    assert torch.allclose(pairs.conditions[2].float(), third.conditions[0], atol=2e-3)


def test_no_pairs_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="encode some first"):
        shard_names(tmp_path)
