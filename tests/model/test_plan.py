"""What each way of holding the model needs, by arithmetic; which one is taken; that each gives the right picture."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from void_server.model import BadWeights, PassSettings, VoidModel, WeightsFolder, holding
from void_server.model.holding import on_device
from void_server.model.loading import load_transformer
from void_server.model.plan import (
    GIB,
    BadPlan,
    Shape,
    Sizes,
    choose,
    decode_activations,
    encode_activations,
    plans,
    tokens,
    transformer_activations,
    weigh,
)
from void_server.model.vae import encode_spans

SHAPE = Shape(height=384, width=672, window=85)
SIZES = Sizes(
    transformers=(11 * GIB, 10 * GIB),
    transformers_fp8=(6 * GIB, 6 * GIB),
    vae=GIB // 2,
    text_encoder=9 * GIB,
    width=3072,
    encode_channels=128,
    decode_channels=256,
    element=2,
)
SETTINGS = PassSettings(height=32, width=48, window=13, overlap=8, steps=2, guidance_scale=6.0)


@pytest.fixture(scope="module")
def weights(tiny_folder: Path) -> WeightsFolder:
    return WeightsFolder.find(tiny_folder)


def run(model: VoidModel, number: int = 2) -> np.ndarray:
    clip = np.random.default_rng(0).random((13, 32, 48, 3), dtype=np.float32)
    quadmask = np.full((13, 32, 48), 255, np.uint8)
    quadmask[:, 8:20, 8:20] = 0
    return model.run_pass(number, clip, quadmask, "a wall", SETTINGS)


def load(weights: WeightsFolder, **options: object) -> VoidModel:
    return VoidModel.load(weights.base, weights.pass1, weights.pass2, **options)  # type: ignore[arg-type]


def bytes_of(module: torch.nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in chain(module.parameters(), module.buffers()))


def test_weights_are_counted_to_the_byte(weights: WeightsFolder) -> None:
    sizes = weigh(weights.base, (weights.pass1, weights.pass2))
    model = load(weights, dtype=torch.bfloat16)
    assert sizes.transformers == (bytes_of(model.transformers[1]), bytes_of(model.transformers[2]))
    assert sizes.vae == bytes_of(model.vae._stock)
    assert sizes.text_encoder == bytes_of(model.prompts.load_encoder())
    cast = load(weights, dtype=torch.bfloat16, plan="fp8")
    assert sizes.transformers_fp8 == (bytes_of(cast.transformers[1]), bytes_of(cast.transformers[2]))
    assert sizes.transformers_fp8[0] < sizes.transformers[0]
    stored = sum(tensor.nbytes for tensor in load_file(weights.pass1).values())
    assert weigh(weights.base, (weights.pass1, weights.pass2), element=4).transformers[0] == 2 * stored


def test_tokens_of_one_window_are_the_published_ones() -> None:
    assert tokens(SHAPE) == 226 + 24 * 42 * 11 == 11314


def test_activations_grow_with_what_they_should() -> None:
    assert transformer_activations(SIZES, SHAPE, batch=2) == 13 * 2 * 11314 * 3072 * 2
    largest = max(end - start for start, end in encode_spans(SHAPE.window))
    assert encode_activations(SIZES, SHAPE) == 10 * largest * 384 * 672 * 128 * 2
    assert decode_activations(SIZES, SHAPE) == 11 * 8 * 384 * 672 * 256 * 2
    short = replace(SHAPE, window=45)
    assert transformer_activations(SIZES, short) < transformer_activations(SIZES, SHAPE)
    assert decode_activations(SIZES, short) == decode_activations(SIZES, SHAPE), "it is decoded in chunks"


def test_a_plan_is_the_sum_of_its_terms() -> None:
    resident, swap, fp8 = plans(SIZES, SHAPE)
    denoising, decoding = transformer_activations(SIZES, SHAPE), decode_activations(SIZES, SHAPE)
    assert decoding > denoising
    assert resident.peak == GIB + 21 * GIB + GIB // 2 + decoding
    assert resident.host == 0
    assert swap.peak == GIB + GIB // 2 + max(11 * GIB + denoising, decoding)
    assert swap.host == 21 * GIB, "both wait there"
    assert fp8.peak == GIB + GIB // 2 + max(6 * GIB + denoising, decoding)
    assert fp8.host == 12 * GIB
    assert {plan.encoder_device for plan in (resident, swap, fp8)} == {"card"}


def test_t5_does_not_raise_the_peak() -> None:
    small = Shape(height=128, width=128, window=21)
    _, swap, fp8 = plans(SIZES, small)
    assert swap.encoder_device == "card", "it has the room of the transformer that comes after it"
    assert fp8.encoder_device == "cpu"
    assert fp8.host == 12 * GIB + 9 * GIB


def test_the_first_plan_that_fits_is_taken() -> None:
    offered = plans(SIZES, SHAPE)
    for plan in offered:
        assert choose(offered, plan.peak) is plan
        assert plan.peak < 80 * GIB
    assert choose(offered, 80 * GIB).name == "resident"
    assert choose(offered, offered[0].peak - 1).name == "swap"
    with pytest.raises(BadPlan, match=r"4.0 GiB of the card's memory are free, .* fp8, needs 12\.\d GiB; end other"):
        choose(offered, 4 * GIB)


@pytest.mark.parametrize(("free", "how"), [(80 * GIB, "resident"), (3 * GIB, "resident"), (GIB, None)])
def test_a_card_is_asked_before_anything_is_loaded(
    weights: WeightsFolder, monkeypatch: pytest.MonkeyPatch, free: int, how: str | None
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 80 * GIB))
    passes = (weights.pass1, weights.pass2)
    if how:
        assert holding.decide(weights.base, passes, None, device="cuda", dtype=torch.bfloat16)[0] == how
        assert holding.decide(weights.base, passes, "fp8", device="cuda", dtype=torch.bfloat16)[0] == "fp8"
        return
    monkeypatch.setattr(holding, "load_transformer", None)  # to be called by no one
    with pytest.raises(BadWeights, match=r"does not fit: 1\.0 GiB"):
        load(weights, device="cuda", dtype=torch.bfloat16)


def test_swapping_changes_no_bit(weights: WeightsFolder) -> None:
    resident, swapped = load(weights), load(weights, plan="swap")
    for number in (1, 2):
        np.testing.assert_array_equal(run(swapped, number), run(resident, number))


def test_each_pass_moves_its_own_transformer(weights: WeightsFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(weights, plan="swap")
    moved: list[object] = []

    def watched(transformer: object, how: str, device: str) -> object:
        moved.append((transformer, how, device))
        return on_device(transformer, how, device)  # type: ignore[arg-type]

    monkeypatch.setattr("void_server.model.void_model.on_device", watched)
    run(model, 2)
    assert moved == [(model.transformers[2], "swap", "cpu")]


def test_weights_come_to_the_device_and_go_again(weights: WeightsFolder) -> None:
    transformer = load_transformer(weights.base, weights.pass1, device="cpu", dtype=torch.float32)
    before = {name: parameter.data_ptr() for name, parameter in transformer.named_parameters()}

    class Cancelled(Exception): ...

    def cancelled_on_device() -> None:
        with torch.inference_mode(), on_device(transformer, "swap", "meta") as there:
            assert {parameter.device.type for parameter in there.parameters()} == {"meta"}
            raise Cancelled

    with pytest.raises(Cancelled):
        cancelled_on_device()
    assert {name: parameter.data_ptr() for name, parameter in transformer.named_parameters()} == before
    with on_device(transformer, "resident", "meta") as same:
        assert {parameter.device.type for parameter in same.parameters()} == {"cpu"}


def test_fp8_is_near_and_stays_in_eight_bits(weights: WeightsFolder) -> None:
    exact, model = load(weights), load(weights, plan="fp8")
    kept = {name: parameter.clone() for name, parameter in model.transformers[2].named_parameters()}
    picture, reference = run(model), run(exact)
    assert np.isfinite(picture).all()
    error = np.abs(picture - reference)
    # Random weights; three mantissa bits are one part in sixteen of each weight.
    assert 0 < error.mean() < 0.005
    assert error.max() < 0.1
    np.testing.assert_array_equal(run(model), picture)
    dtypes = {name: parameter.dtype for name, parameter in model.transformers[2].named_parameters()}
    assert dtypes["transformer_blocks.0.attn1.to_q.weight"] == torch.float8_e4m3fn
    assert dtypes["patch_embed.proj.weight"] == torch.float32
    assert all(torch.equal(kept[name].float(), p.float()) for name, p in model.transformers[2].named_parameters())
