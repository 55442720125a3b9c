"""Prompts to embeddings."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from transformers import T5Tokenizer

from void_server.model.loading import load_text_encoder
from void_server.model.weights import BadWeights

TOKENS = 226
_PROMPTS_KEPT = 64


class PromptEncoder:
    """T5 with a memory: a shot's prompt is asked for in both passes, and a show has few prompts."""

    def __init__(self, tokenizer: Any, encoder: Any) -> None:
        self._tokenizer = tokenizer
        self._encoder = encoder
        self._remembered = lru_cache(maxsize=_PROMPTS_KEPT)(self._encode)

    @classmethod
    def load(cls, base: Path, *, device: str, dtype: torch.dtype) -> "PromptEncoder":
        """From a base model's tokenizer and text_encoder folders. Raises BadWeights."""
        try:
            tokenizer = T5Tokenizer.from_pretrained(base / "tokenizer", local_files_only=True)
        except (OSError, ValueError, RuntimeError, TypeError) as error:
            raise BadWeights(f"{base / 'tokenizer'} cannot be read ({error}); fetch the base model again") from error
        return cls(tokenizer, load_text_encoder(base, device=device, dtype=dtype))

    def token_ids(self, prompt: str) -> torch.Tensor:
        """int64 [1, 226], padded with 0, cut where longer."""
        ids: torch.Tensor = self._tokenizer(
            prompt, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
        ).input_ids
        return ids

    def embed(self, prompt: str) -> torch.Tensor:
        """[1, 226, text width] on the model's device, in its dtype. Padding tokens are attended to, as in training."""
        return self._remembered(prompt)

    @torch.inference_mode(False)  # what is kept must serve training too
    def _encode(self, prompt: str) -> torch.Tensor:
        embeddings: torch.Tensor = self._encoder(self.token_ids(prompt).to(self._encoder.device))[0]
        return embeddings
