"""Weights from disk into models: memory-mapped safetensors, checked name by name and shape by shape."""

import inspect
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from safetensors import SafetensorError, safe_open
from transformers import AutoModelForTextEncoding, T5Config

from void_server.model.weights import BadWeights

# Noise, mask latents and video latents, 16 channels each.
TRANSFORMER_CHANNELS = 48
PATCH_EMBED = "patch_embed.proj.weight"
_LISTED = 6


def load_transformer(base: Path, weights: Path, *, device: str, dtype: torch.dtype) -> torch.nn.Module:
    """The transformer of one pass: its shape from the base model's config, every tensor from `weights`.

    A checkpoint of 33 input channels is widened to 48. Raises BadWeights.
    """
    config = read_config(base / "transformer" / "config.json")
    with torch.device("meta"):
        model = CogVideoXTransformer3DModel(
            **_known_arguments(CogVideoXTransformer3DModel, config) | {"in_channels": TRANSFORMER_CHANNELS}
        )
    tensors = read_safetensors(weights)
    narrow = tensors.get(PATCH_EMBED)
    wanted = model.state_dict()[PATCH_EMBED].shape
    if narrow is not None and narrow.ndim == 2 and narrow.shape[1] * TRANSFORMER_CHANNELS == wanted[1] * 33:
        tensors[PATCH_EMBED] = widen_patch_embed(narrow, _base_patch_embed(base / "transformer", narrow.shape))
    return _filled(model, tensors, weights, device, dtype)


def load_vae(base: Path, *, device: str, dtype: torch.dtype) -> torch.nn.Module:
    """The stock video autoencoder. Raises BadWeights."""
    folder = base / "vae"
    with torch.device("meta"):
        model = AutoencoderKLCogVideoX(**_known_arguments(AutoencoderKLCogVideoX, read_config(folder / "config.json")))
    return _filled(model, _read_shards(folder, "diffusion_pytorch_model"), folder, device, dtype)


def load_text_encoder(base: Path, *, device: str, dtype: torch.dtype) -> torch.nn.Module:
    """The T5 encoder, with plain attention: fused kernels change its numbers by 3e-5. Raises BadWeights."""
    folder = base / "text_encoder"
    config = T5Config.from_dict(read_config(folder / "config.json"))
    with torch.device("meta"):
        model: Any = AutoModelForTextEncoding.from_config(config, attn_implementation="eager")
    tensors = _read_shards(folder, "model")
    if "shared.weight" in tensors:  # stored once, named twice in the model
        tensors.setdefault("encoder.embed_tokens.weight", tensors["shared.weight"])
    encoder = _filled(model, tensors, folder, device, dtype)
    model.encoder.set_input_embeddings(model.shared)
    return encoder


def adds_inpaint_noise(base: Path) -> bool:
    """Whether the model was trained with a little noise on the conditioning video; its transformer's config says."""
    return bool(read_config(base / "transformer" / "config.json").get("add_noise_in_inpaint_model", False))


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises BadWeights."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadWeights(f"{path} cannot be read ({error}); fetch the base model again") from error
    if not isinstance(config, dict):
        raise BadWeights(f"{path} is not a JSON object; fetch the base model again")
    return config


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Every tensor of a .safetensors file, memory-mapped. Raises BadWeights; a pickle is never opened."""
    if not path.is_file():
        raise BadWeights(f"{path} is missing; fetch the weights again")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise BadWeights(
            f"{path} is not a whole safetensors file ({error}); fetch it again (pickles are refused: convert them)"
        ) from error


def widen_patch_embed(narrow: torch.Tensor, base: torch.Tensor | None) -> torch.Tensor:
    """Patch embedding of 33 input channels made one of 48.

    narrow, base: [width, 33 x patch]; result [width, 48 x patch]. Noise and video columns come from `narrow`. The one
    mask channel becomes sixteen copies of itself: of the base model's, which a narrow checkpoint was made from, or,
    where that is not on disk, of the checkpoint's own.
    """
    patch = narrow.shape[1] // 33
    latent = 16 * patch
    mask = (narrow if base is None else base)[:, latent : latent + patch].to(narrow.dtype)
    return torch.cat([narrow[:, :latent], mask.repeat(1, 16), narrow[:, -latent:]], dim=1)


def _base_patch_embed(folder: Path, shape: torch.Size) -> torch.Tensor | None:
    for path in sorted(folder.glob("*.safetensors")):
        weight = read_safetensors(path).get(PATCH_EMBED)
        if weight is not None and weight.shape == shape:
            return weight
    return None


def _read_shards(folder: Path, stem: str) -> dict[str, torch.Tensor]:
    index = folder / f"{stem}.safetensors.index.json"
    if not index.is_file():
        return read_safetensors(folder / f"{stem}.safetensors")
    weight_map = read_config(index).get("weight_map")
    if not isinstance(weight_map, dict):
        raise BadWeights(f"{index} has no weight_map; fetch the base model again")
    tensors: dict[str, torch.Tensor] = {}
    for name in sorted(set(weight_map.values())):
        tensors |= read_safetensors(folder / name)
    return tensors


def _known_arguments(model_class: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    # Configs carry keys for other programs; a stock model warns of each.
    known = inspect.signature(model_class.__init__).parameters
    return {key: value for key, value in config.items() if key in known}


def _filled(
    model: torch.nn.Module, tensors: Mapping[str, torch.Tensor], source: Path, device: str, dtype: torch.dtype
) -> torch.nn.Module:
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items()}
    problems = [
        _listing("missing", wanted.keys() - tensors.keys()),
        _listing("not of this model", tensors.keys() - wanted.keys()),
        _listing(
            "of the wrong shape",
            (
                f"{name} {list(tensors[name].shape)} instead of {list(wanted[name])}"
                for name in wanted.keys() & tensors.keys()
                if tensors[name].shape != wanted[name]
            ),
        ),
    ]
    if any(problems):
        raise BadWeights(
            f"{source} does not fit the model: {'; '.join(filter(None, problems))}; "
            "fetch it again, or check that it belongs to this base model"
        )
    # Moved one by one, so that a file's tensors are never all in main memory.
    moved = {name: tensor.to(device=device, dtype=dtype) for name, tensor in tensors.items()}
    model.load_state_dict(moved, strict=True, assign=True)
    return model.eval().requires_grad_(False)


def _listing(what: str, names: Iterable[str]) -> str:
    names = sorted(names)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{what}: {', '.join(names[:_LISTED])}{more}" if names else ""
