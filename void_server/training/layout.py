"""Networks to a weights folder: the real layout, half precision, whole or not there at all."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXTransformer3DModel
from safetensors.torch import save_file
from transformers import T5Config, T5EncoderModel

BASE_NAME = "CogVideoX-Fun-V1.5-5b-InP"
EXTRA_IDS = 100  # T5's sentinels; the real tokenizer has them after its pieces
SENTENCES = (
    "A ball rolls off the table.",
    "An empty street with parked cars and trees in the wind.",
    "Two pillows are on the bed, and a cup of coffee stands by the window.",
    "The wall behind the actor, quiet, evenly lit, with a shadow that fades.",
    "A river, a bridge, a boat: water moves slowly in the background.",
    "Just the grass field, the sky and six black birds; nothing else exists here.",
    "Clean plate of a kitchen (no people), zoom in, 24 frames per second!",
    "What is left when the person is gone? The room, the chair, the lamp.",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz 0123456789 .,:;!?()'\"-/&%+#",
)
SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "snr_shift_scale": 1.0,
    "timestep_spacing": "trailing",
}
MODEL_INDEX = {
    "_class_name": "CogVideoX_Fun_Pipeline_Inpaint",
    "scheduler": ["diffusers", "CogVideoXDDIMScheduler"],
    "text_encoder": ["transformers", "T5EncoderModel"],
    "tokenizer": ["transformers", "T5Tokenizer"],
    "transformer": ["diffusers", "CogVideoXTransformer3DModel"],
    "vae": ["diffusers", "AutoencoderKLCogVideoX"],
}


@dataclass(frozen=True)
class Networks:
    """What a weights folder is made of. transformers: of pass 1 and of pass 2, of one shape."""

    autoencoder: AutoencoderKLCogVideoX
    text_encoder: T5EncoderModel
    transformers: tuple[CogVideoXTransformer3DModel, CogVideoXTransformer3DModel]


@contextmanager
def new_folder(folder: Path | str) -> Iterator[Path]:
    """A scratch folder that becomes `folder`, which must be new or empty, once all is in it. Raises FileExistsError."""
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is there already and not empty; name a new folder, or empty this one")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        made = Path(scratch) / folder.name
        made.mkdir()
        yield made
        if folder.exists():
            folder.rmdir()
        made.rename(folder)


def write_networks(folder: Path, networks: Networks, card: Mapping[str, str], dtype: torch.dtype) -> None:
    """Fill `folder` as `WeightsFolder.find` wants it. dtype: of the transformers; the rest is as it is."""
    base = folder / BASE_NAME
    base.mkdir()
    write_json(folder / "card.json", card)
    write_json(base / "model_index.json", MODEL_INDEX)
    write_tokenizer(base / "tokenizer")
    networks.autoencoder.save_pretrained(base / "vae")
    _write_text_encoder(base / "text_encoder", networks.text_encoder)
    CogVideoXDDIMScheduler(**SCHEDULER).save_pretrained(base / "scheduler")
    for number, transformer in enumerate(networks.transformers, start=1):
        write_pass(folder / f"void_pass{number}.safetensors", transformer.state_dict(), dtype)
    networks.transformers[0].save_config(base / "transformer")
    config = base / "transformer" / "config.json"
    # As in the real base model, which was made for one mask channel.
    inpainting = {"in_channels": 33, "add_noise_in_inpaint_model": True}
    write_json(config, json.loads(config.read_text(encoding="utf-8")) | inpainting)


def write_pass(path: Path, tensors: Mapping[str, torch.Tensor], dtype: torch.dtype) -> None:
    """One pass's weights, every tensor in `dtype`, as VoidModel.load takes them."""
    save_file({name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in tensors.items()}, path)


def new_text_encoder(width: int, *, silent: bool = False) -> T5EncoderModel:
    """A small untrained T5. silent: all zero, and so is every prompt's embedding, for a model that knows no words."""
    config = T5Config(
        vocab_size=vocabulary(),
        d_model=width,
        d_ff=2 * width,
        d_kv=8,
        num_heads=4,
        num_layers=2,
        feed_forward_proj="gated-gelu",
        is_encoder_decoder=False,
        use_cache=False,
    )
    config.architectures = ["T5EncoderModel"]
    model = T5EncoderModel(config)
    if silent:
        for weight in model.parameters():
            torch.nn.init.zeros_(weight)
    return model


def _write_text_encoder(folder: Path, model: T5EncoderModel) -> None:
    model.config.save_pretrained(folder)
    tensors = model.state_dict()
    del tensors["encoder.embed_tokens.weight"]  # the same tensor as shared.weight
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _sentence_pieces() -> bytes:
    """A sentencepiece model in T5's order of ids (pad, end, unknown, pieces, sentinels)."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_writer=written,
        model_type="unigram",
        vocab_size=120,
        hard_vocab_limit=False,
        character_coverage=1.0,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    return written.getvalue()


def vocabulary() -> int:
    """The number of ids of the tokenizer that `write_tokenizer` writes."""
    pieces = sentencepiece.SentencePieceProcessor(model_proto=_sentence_pieces()).get_piece_size()
    return int(pieces) + EXTRA_IDS


def write_tokenizer(folder: Path) -> None:
    """A tokenizer of a few score pieces, the same every time."""
    folder.mkdir()
    (folder / "spiece.model").write_bytes(_sentence_pieces())
    settings = {
        "tokenizer_class": "T5Tokenizer",
        "extra_ids": EXTRA_IDS,
        "pad_token": "<pad>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "model_max_length": 226,
        "legacy": True,
    }
    write_json(folder / "tokenizer_config.json", settings)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """A small JSON file, for people to read too."""
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
