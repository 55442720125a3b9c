"""Weights from disk into models: memory-mapped safetensors, checked name by name and shape by shape."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from safetensors import SafetensorError, safe_open
from transformers import AutoModelForTextEncoding, T5Config

from void_server.model.weights import BadWeights, not_whole, read_config, read_header, shard_files

# Noise, mask latents and video latents, 16 channels each.
TRANSFORMER_CHANNELS = 48
PATCH_EMBED = "patch_embed.proj.weight"
VAE_STEM = "diffusion_pytorch_model"
TEXT_STEM = "model"
_LISTED = 6

Item = TypeVar("Item")


def load_transformer(base: Path, weights: Path, *, device: str, dtype: torch.dtype) -> torch.nn.Module:
    """The transformer of one pass: its shape from the base model's config, every tensor from `weights`.

    A checkpoint of 33 input channels is widened to 48. Raises BadWeights.
    """
    model = empty_transformer(base)
    tensors = read_safetensors(weights)
    if is_narrow({name: tensor.shape for name, tensor in tensors.items()}, model):
        narrow = tensors[PATCH_EMBED]
        tensors[PATCH_EMBED] = widen_patch_embed(narrow, _base_patch_embed(base / "transformer", narrow.shape))
    return _filled(model, tensors, weights, device, dtype)


def load_vae(base: Path, *, device: str, dtype: torch.dtype) -> torch.nn.Module:
    """The stock video autoencoder. Raises BadWeights."""
    folder = base / "vae"
    return _filled(empty_vae(base), _read_shards(folder, VAE_STEM), folder, device, dtype)


def load_text_encoder(base: Path, *, device: str, dtype: torch.dtype) -> torch.nn.Module:
    """The T5 encoder, with plain attention: fused kernels change its numbers by 3e-5. Raises BadWeights."""
    folder = base / "text_encoder"
    tensors = named_twice(_read_shards(folder, TEXT_STEM))
    model: Any = _filled(empty_text_encoder(base), tensors, folder, device, dtype)
    model.encoder.set_input_embeddings(model.shared)
    return model  # type: ignore[no-any-return]


def check_text_encoder(base: Path) -> None:
    """Raise BadWeights where load_text_encoder would; only headers are read."""
    folder = base / "text_encoder"
    found: dict[str, Sequence[int]] = {}
    for path in shard_files(folder, TEXT_STEM):
        found |= {name: tensor.shape for name, tensor in read_header(path).items()}
    _refuse_misfits(empty_text_encoder(base), named_twice(found), folder)


def empty_transformer(base: Path) -> torch.nn.Module:
    """The transformer that the base model's config describes, of 48 input channels, on the meta device."""
    config = read_config(base / "transformer" / "config.json") | {"in_channels": TRANSFORMER_CHANNELS}
    with torch.device("meta"):
        model: torch.nn.Module = CogVideoXTransformer3DModel(**_known_arguments(CogVideoXTransformer3DModel, config))
    return model


def empty_vae(base: Path) -> torch.nn.Module:
    """The autoencoder that the base model's config describes, on the meta device."""
    config = read_config(base / "vae" / "config.json")
    with torch.device("meta"):
        model: torch.nn.Module = AutoencoderKLCogVideoX(**_known_arguments(AutoencoderKLCogVideoX, config))
    return model


def empty_text_encoder(base: Path) -> torch.nn.Module:
    """The T5 encoder that the base model's config describes, on the meta device."""
    config = T5Config.from_dict(read_config(base / "text_encoder" / "config.json"))
    with torch.device("meta"):
        model: torch.nn.Module = AutoModelForTextEncoding.from_config(config, attn_implementation="eager")
    return model


def adds_inpaint_noise(base: Path) -> bool:
    """Whether the model was trained with a little noise on the conditioning video; its transformer's config says."""
    return bool(read_config(base / "transformer" / "config.json").get("add_noise_in_inpaint_model", False))


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Every tensor of a .safetensors file, memory-mapped. Raises BadWeights; a pickle is never opened."""
    if not path.is_file():
        raise BadWeights(f"{path} is missing; fetch the weights again")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise BadWeights(not_whole(path, error)) from error


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
    tensors: dict[str, torch.Tensor] = {}
    for path in shard_files(folder, stem):
        tensors |= read_safetensors(path)
    return tensors


def _known_arguments(model_class: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    # Configs carry keys for other programs; a stock model warns of each.
    known = inspect.signature(model_class.__init__).parameters
    return {key: value for key, value in config.items() if key in known}


def _filled(
    model: torch.nn.Module, tensors: Mapping[str, torch.Tensor], source: Path, device: str, dtype: torch.dtype
) -> torch.nn.Module:
    _refuse_misfits(model, {name: tensor.shape for name, tensor in tensors.items()}, source)
    # Moved one by one, so that a file's tensors are never all in main memory.
    moved = {name: tensor.to(device=device, dtype=dtype) for name, tensor in tensors.items()}
    model.load_state_dict(moved, strict=True, assign=True)
    return model.eval().requires_grad_(False)


def _refuse_misfits(model: torch.nn.Module, found: Mapping[str, Sequence[int]], source: Path) -> None:
    if problem := misfits(model, found):
        raise BadWeights(
            f"{source} does not fit the model: {problem}; fetch it again, or check that it belongs to this base model"
        )


def misfits(model: torch.nn.Module, found: Mapping[str, Sequence[int]]) -> str:
    """What keeps tensors of the names and shapes `found` from filling `model`, in words; "" where they fit."""
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    problems = [
        _listing("missing", wanted.keys() - found.keys()),
        _listing("not of this model", found.keys() - wanted.keys()),
        _listing(
            "of the wrong shape",
            (
                f"{name} {list(found[name])} instead of {list(wanted[name])}"
                for name in wanted.keys() & found.keys()
                if tuple(found[name]) != wanted[name]
            ),
        ),
    ]
    return "; ".join(filter(None, problems))


def is_narrow(found: Mapping[str, Sequence[int]], model: torch.nn.Module) -> bool:
    """Whether a checkpoint of these shapes has the patch embedding of 33 input channels where `model` has 48."""
    narrow, wanted = found.get(PATCH_EMBED, ()), model.state_dict()[PATCH_EMBED].shape
    return len(narrow) == 2 and narrow[1] * TRANSFORMER_CHANNELS == wanted[1] * 33


def named_twice(tensors: Mapping[str, Item]) -> dict[str, Item]:
    """A T5 checkpoint's tensors under all their names: the embedding is stored once and named twice in the model."""
    if "shared.weight" not in tensors:
        return dict(tensors)
    return {"encoder.embed_tokens.weight": tensors["shared.weight"], **tensors}


def _listing(what: str, names: Iterable[str]) -> str:
    names = sorted(names)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{what}: {', '.join(names[:_LISTED])}{more}" if names else ""
