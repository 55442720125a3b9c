"""Prompt embeddings on disk, so that T5 need not be loaded for a prompt that was seen before."""

import hashlib
import logging
import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from void_server.model.weights import write_whole

logger = logging.getLogger(__name__)

FOLDER_VARIABLE = "VOID_PROMPT_CACHE"
_NAME = "embedding"
_SAMPLES = 16
_SAMPLE_BYTES = 64 * 1024


class PromptCache:
    """Embeddings by prompt. Sharing a folder is safe: the key names the encoder too, and files appear whole.

    A folder that cannot be written to costs speed, not the shot: it is logged, and the shot goes on.
    """

    def __init__(self, identity: str, folder: Path | str | None = None) -> None:
        """identity: of whatever else the embedding depends on: the encoder's weights, their dtype, the device."""
        self._identity = identity
        self._folder = Path(folder or os.environ.get(FOLDER_VARIABLE) or Path.home() / ".cache" / "void" / "prompts")

    def path(self, prompt: str) -> Path:
        """Where the embedding of `prompt` is or would be."""
        key = hashlib.sha256(f"{self._identity}\n{prompt}".encode()).hexdigest()
        return self._folder / f"{key}.safetensors"

    def read(self, prompt: str) -> torch.Tensor | None:
        """The embedding, on the CPU; None where it is not there or damaged."""
        path = self.path(prompt)
        try:
            embedding: torch.Tensor = load(path.read_bytes())[_NAME]
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, KeyError) as error:
            logger.warning("the prompt embedding %s is damaged (%s); it is made again", path, error)
            return None
        return embedding

    def write(self, prompt: str, embedding: torch.Tensor) -> None:
        """Keep an embedding, whatever its device."""
        path = self.path(prompt)
        try:
            write_whole(path, save({_NAME: embedding.cpu().contiguous()}))
        except OSError as error:
            logger.warning("the prompt embedding can't be kept in %s (%s); T5 will be loaded again", path.parent, error)


def encoder_identity(base: Path) -> str:
    """sha256 over what decides an embedding: the tokenizer, the encoder's config, and its weights by name, size,
    header and sixteen samples (reading them whole would take as long as loading T5). Hexadecimal."""
    digest = hashlib.sha256()
    for folder in ("tokenizer", "text_encoder"):
        for path in sorted((base / folder).iterdir()):
            if path.is_file() and not path.name.startswith("."):
                digest.update(f"{folder}/{path.name} {path.stat().st_size}\n".encode())
                digest.update(_sampled(path))
    return digest.hexdigest()


def _sampled(path: Path) -> bytes:
    """The whole of a small file; of a large one, its beginning (with the header) and pieces at even distances."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _SAMPLES * _SAMPLE_BYTES:
            return file.read()
        pieces = []
        for sample in range(_SAMPLES):
            file.seek(sample * (size - _SAMPLE_BYTES) // (_SAMPLES - 1))
            pieces.append(file.read(_SAMPLE_BYTES))
        return b"".join(pieces)
