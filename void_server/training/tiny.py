"""A complete weights folder of a few hundred kilobytes, in the layout of the real one.

The weights are random, so the fill is noise; everything else, from the search for files to the last decoded frame, is
what the real weights go through.
"""

import io
import json
import tempfile
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXTransformer3DModel
from safetensors.torch import save_file
from transformers import T5Config, T5EncoderModel

BASE_NAME = "CogVideoX-Fun-V1.5-5b-InP"
CARD = {"name": "untrained tiny", "notice": "untrained weights: the fill is noise"}

TEXT_WIDTH = 32
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
VAE = {
    "block_out_channels": (2, 4, 8, 8),  # few at full size, where all the time goes
    "layers_per_block": 1,
    "norm_num_groups": 2,
    "latent_channels": 16,
    "scaling_factor": 0.7,
}
TRANSFORMER = {
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "num_layers": 2,
    "in_channels": 48,
    "out_channels": 16,
    "time_embed_dim": 32,
    "text_embed_dim": TEXT_WIDTH,
    "sample_height": 96,
    "sample_width": 160,
    "sample_frames": 21,
    "patch_size": 2,
    "patch_size_t": 2,
    "patch_bias": False,
    "use_rotary_positional_embeddings": True,
}
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


def write_random_weights(folder: Path | str, seed: int = 0) -> None:
    """Write a small random model into `folder`, which must be new or empty; the same seed gives the same files.

    The folder appears whole or not at all. Raises FileExistsError.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is there already and not empty; name a new folder, or empty this one")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        made = Path(scratch) / folder.name
        base = made / BASE_NAME
        base.mkdir(parents=True)
        _write_json(made / "card.json", CARD)
        _write_json(base / "model_index.json", MODEL_INDEX)
        vocabulary = _write_tokenizer(base / "tokenizer")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            _write_networks(made, base, vocabulary)
        if folder.exists():
            folder.rmdir()
        made.rename(folder)


def _write_networks(made: Path, base: Path, vocabulary: int) -> None:
    AutoencoderKLCogVideoX(**VAE).save_pretrained(base / "vae")
    _write_text_encoder(base / "text_encoder", vocabulary)
    CogVideoXDDIMScheduler(**SCHEDULER).save_pretrained(base / "scheduler")
    for number in (1, 2):
        transformer = CogVideoXTransformer3DModel(**TRANSFORMER)
        tensors = {name: tensor.to(torch.bfloat16) for name, tensor in transformer.state_dict().items()}
        save_file(tensors, made / f"void_pass{number}.safetensors")
    transformer.save_config(base / "transformer")
    config = base / "transformer" / "config.json"
    # As in the real base model, which was made for one mask channel.
    inpainting = {"in_channels": 33, "add_noise_in_inpaint_model": True}
    _write_json(config, json.loads(config.read_text(encoding="utf-8")) | inpainting)


def _write_text_encoder(folder: Path, vocabulary: int) -> None:
    config = T5Config(
        vocab_size=vocabulary,
        d_model=TEXT_WIDTH,
        d_ff=2 * TEXT_WIDTH,
        d_kv=8,
        num_heads=4,
        num_layers=2,
        feed_forward_proj="gated-gelu",
        is_encoder_decoder=False,
        use_cache=False,
    )
    config.architectures = ["T5EncoderModel"]
    config.save_pretrained(folder)
    tensors = T5EncoderModel(config).state_dict()
    del tensors["encoder.embed_tokens.weight"]  # the same tensor as shared.weight
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _write_tokenizer(folder: Path) -> int:
    """A sentencepiece model in T5's order of ids (pad, end, unknown, pieces, sentinels). Returns the number of ids."""
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
    folder.mkdir()
    (folder / "spiece.model").write_bytes(written.getvalue())
    settings = {
        "tokenizer_class": "T5Tokenizer",
        "extra_ids": EXTRA_IDS,
        "pad_token": "<pad>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "model_max_length": 226,
        "legacy": True,
    }
    _write_json(folder / "tokenizer_config.json", settings)
    pieces = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue()).get_piece_size()
    return int(pieces) + EXTRA_IDS


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
