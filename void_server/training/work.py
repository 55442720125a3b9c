"""The folder that a training from nothing lives in, and what is taken from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from safetensors import safe_open
from torch import nn

from void_server.model import BadWeights, WeightsFolder
from void_server.model.loading import misfits, read_safetensors
from void_server.training import shipped
from void_server.training.autoencoder import new_autoencoder
from void_server.training.encoded import Encoded, read_noise, read_shards, shard_names
from void_server.training.layout import Networks, new_folder, new_text_encoder, write_networks
from void_server.training.loop import STATE, write_state
from void_server.training.pairs import FRAMES, HEIGHT, WIDTH
from void_server.training.transformer import TINY, NoiseOf, new_transformer, reused

# Inside the folder of a training.
AUTOENCODER, DECODER, ENCODED, WARPED = "autoencoder", "decoder", "encoded", "warped"
PASSES = {1: "pass1", 2: "pass2"}

# What the weights were trained at, in the form of `void run --settings`.
SETTINGS = f"""\
height = {HEIGHT}
width = {WIDTH}
window = {FRAMES}
overlap = 8
crop = "full"
mask_levels = "quad"

[pass1]
steps = 1

[pass2]
steps = 1
guidance_scale = 1.0
"""
CARD = {"name": "VOID tiny", "notice": "tiny demo weights: for trying the workflow, not for shots"}


def fill_with_average(model: nn.Module, folder: Path) -> bool:
    """Give `model` the averaged weights of the training in `folder`; False where there is none."""
    if not (folder / STATE).is_file():
        return False
    prefix = "average/"
    with safe_open(folder / STATE, framework="pt") as file:
        found = {name[len(prefix) :]: file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118
    model.load_state_dict(found, strict=False)
    return True


def trained_autoencoder(work: Path) -> AutoencoderKLCogVideoX:
    """The autoencoder, with the decoder that was tuned by itself where there is one. Raises FileNotFoundError."""
    model = new_autoencoder()
    if not fill_with_average(model, work / AUTOENCODER):
        raise FileNotFoundError(f"{work} has no trained autoencoder; train one first: void train autoencoder")
    fill_with_average(model, work / DECODER)
    return model.eval().requires_grad_(False)


def trained_transformer(work: Path, number: int) -> CogVideoXTransformer3DModel:
    """The transformer of a pass; of pass 1 where pass 2 has not been trained. Raises FileNotFoundError."""
    model = new_transformer()
    if not any(fill_with_average(model, work / PASSES[choice]) for choice in range(number, 0, -1)):
        raise FileNotFoundError(f"{work} has no trained transformer; train one first: void train pass1")
    return model.eval().requires_grad_(False)


def unpack(weights: WeightsFolder, work: Path) -> None:
    """Make a training's folder of shipped weights, to go on from them: step 0, with optimisers that know nothing.

    The weights must have the tiny model's shape. Raises FileExistsError where `work` has been trained in, BadWeights.
    """
    parts = {
        AUTOENCODER: (new_autoencoder(), weights.base / "vae" / "diffusion_pytorch_model.safetensors"),
        PASSES[1]: (new_transformer(), weights.pass1),
        PASSES[2]: (new_transformer(), weights.pass2),
    }
    for name, (model, path) in parts.items():
        if (work / name).exists():
            raise FileExistsError(f"{work / name} is there already; name a new folder")
        tensors = read_safetensors(path)
        if problem := misfits(model, {key: tensor.shape for key, tensor in tensors.items()}):
            raise BadWeights(f"{path} is not of the tiny model ({problem}); a LoRA goes on from any: void train lora")
        parameters = {key for key, _ in model.named_parameters()}
        kept = {key: tensor.float() for key, tensor in tensors.items() if key in parameters}
        write_state(work / name, {"model": kept, "average": kept, "optimiser": {}}, 0)


def pair_files(work: Path, number: int) -> list[str]:
    """The names of the files of encoded pairs that pass `number` can learn from. Raises FileNotFoundError."""
    return shard_names(work / ENCODED, *([work / WARPED] if number == 2 else []))


def read_pairs(work: Path, number: int, names: Sequence[str]) -> tuple[Encoded, NoiseOf | None]:
    """The encoded pairs in the files `names` and, for pass 2, the noise warped for them."""
    noise = reused(read_noise(work / WARPED, names)) if number == 2 else None
    return read_shards(work / ENCODED, names), noise


def prompt_of_none() -> torch.Tensor:
    """What every prompt's embedding is for a model that knows no words, [1, 226, width]."""
    return torch.zeros(1, 226, int(TINY["text_embed_dim"]))


def ship(work: Path, folder: Path) -> None:
    """Write a trained model as a weights folder in half precision; `folder` must be new or empty."""
    with new_folder(folder) as made:
        networks = Networks(
            trained_autoencoder(work).half(),
            new_text_encoder(int(TINY["text_embed_dim"]), silent=True).half(),
            (trained_transformer(work, 1), trained_transformer(work, 2)),
        )
        write_networks(made, networks, CARD, torch.float16)
        (made / shipped.SETTINGS).write_text(SETTINGS, encoding="utf-8")
