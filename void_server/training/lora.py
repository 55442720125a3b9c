"""A LoRA (arXiv 2106.09685) of a pass's transformer for a show: trained through peft, merged, and loaded as usual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from void_server.model import PassSettings, WeightsFolder
from void_server.model.loading import load_transformer, load_vae
from void_server.model.text import PromptEncoder
from void_server.model.vae import VideoVae
from void_server.model.weights import read_config, read_header
from void_server.training.encoded import write_noise_shards, write_shards
from void_server.training.layout import write_pass
from void_server.training.loop import Schedule, Training
from void_server.training.pairs import Pair
from void_server.training.transformer import Denoising
from void_server.training.work import ENCODED, WARPED, pair_files, read_pairs

TARGETS = ["to_q", "to_k", "to_v", "to_out.0"]  # of every block's attention
DTYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}


def train_lora(
    weights: WeightsFolder,
    pair: Callable[[int], Pair],
    work: Path,
    out: Path,
    *,
    number: int,
    seeds: Sequence[int],
    settings: PassSettings,
    schedule: Schedule,
    prompt: str = "",
    rank: int = 16,
    batch: int = 1,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> None:
    """Train on the pairs of `seeds` and write pass `number` with the LoRA merged in to `out`, a .safetensors file.

    pair: of the size and length in `settings`. work: keeps what is encoded and the state of the training, which goes
    on from there. prompt: the one for all pairs. dtype: of the frozen weights and the activations; the LoRA's own
    weights are float32. Raises BadWeights and BadClip.
    """
    scheduler = read_config(weights.base / "scheduler" / "scheduler_config.json")
    _encode(weights, pair, work, number, seeds, settings, device, dtype)
    pairs, noise = read_pairs(work, number, pair_files(work, number))
    embedding = PromptEncoder.load(weights.base, device=device, dtype=dtype, cache=work / "prompts").embed(prompt)

    path = weights.pass2 if number == 2 else weights.pass1
    transformer: Any = load_transformer(weights.base, path, device=device, dtype=dtype)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        adapted = get_peft_model(transformer, LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGETS))
    if device != "cpu":
        transformer.enable_gradient_checkpointing()
    loss = Denoising(transformer, pairs, embedding, scheduler=scheduler, batch=batch, noise_of=noise, seed=number)
    training = Training(adapted, work / f"lora{number}", schedule)
    training.run(loss)
    training.use_average()
    stored = next(iter(read_header(path).values())).dtype
    write_pass(out, adapted.merge_and_unload().state_dict(), DTYPES[stored])


def _encode(
    weights: WeightsFolder,
    pair: Callable[[int], Pair],
    work: Path,
    number: int,
    seeds: Sequence[int],
    settings: PassSettings,
    device: str,
    dtype: torch.dtype,
) -> None:
    vae = VideoVae(load_vae(weights.base, device=device, dtype=dtype))
    for _ in write_shards(work / ENCODED, vae, pair, seeds, settings):
        pass
    if number == 2:
        for _ in write_noise_shards(work / WARPED, pair, seeds):
            pass
