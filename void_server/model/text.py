"""Prompts to embeddings: from memory, else from disk, else from T5, which is loaded for that and let go again."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import T5Tokenizer

from void_server.model.loading import check_text_encoder, load_text_encoder
from void_server.model.prompt_cache import PromptCache, encoder_identity
from void_server.model.weights import BadWeights

TOKENS = 226
# Pass 2's usual negative prompt; embedded along with the first prompt, so that it costs no load of its own.
USUAL_NEGATIVE = ""


class PromptEncoder:
    """T5 with a memory: a shot's prompt is asked for in both passes, and a show has few prompts.

    An embedding has 1.8 MB, T5 has 9.5 GB: embeddings are kept, T5 is not.
    """

    def __init__(self, tokenizer: Any, load_encoder: Callable[[], Any], cache: PromptCache, device: str) -> None:
        """load_encoder: makes a T5 encoder on the device of its choice. device: where embeddings are wanted."""
        self._tokenizer = tokenizer
        self.load_encoder = load_encoder
        self._cache = cache
        self._device = device
        self._remembered: dict[str, torch.Tensor] = {}

    @classmethod
    def load(
        cls,
        base: Path,
        *,
        device: str,
        dtype: torch.dtype,
        encoder_device: str | None = None,
        cache: Path | str | None = None,
    ) -> "PromptEncoder":
        """From a base model's tokenizer and text_encoder folders; T5 is checked by its headers, not loaded.

        encoder_device: where T5 runs when it is needed, `device` where None. cache: folder of embeddings, which may be
        shared; $VOID_PROMPT_CACHE where None, or else ~/.cache/void/prompts. Raises BadWeights.
        """
        try:
            tokenizer = T5Tokenizer.from_pretrained(base / "tokenizer", local_files_only=True)
        except (OSError, ValueError, RuntimeError, TypeError) as error:
            raise BadWeights(f"{base / 'tokenizer'} cannot be read ({error}); fetch the base model again") from error
        check_text_encoder(base)
        runs_on = encoder_device or device
        identity = f"{encoder_identity(base)} {dtype} {torch.device(runs_on).type}"
        load_encoder = partial(load_text_encoder, base, device=runs_on, dtype=dtype)
        return cls(tokenizer, load_encoder, PromptCache(identity, cache), device)

    def token_ids(self, prompt: str) -> torch.Tensor:
        """int64 [1, 226], padded with 0, cut where longer."""
        ids: torch.Tensor = self._tokenizer(
            prompt, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
        ).input_ids
        return ids

    @torch.inference_mode(False)  # what is kept must serve training too
    @torch.no_grad()
    def embed(self, prompt: str) -> torch.Tensor:
        """[1, 226, text width] on the model's device, in its dtype. Padding tokens are attended to, as in training."""
        if prompt not in self._remembered:
            stored = self._cache.read(prompt)
            if stored is None:
                self._encode([prompt, USUAL_NEGATIVE])
            else:
                self._remembered[prompt] = stored.to(self._device)
        return self._remembered[prompt]

    def _encode(self, prompts: list[str]) -> None:
        encoder = self.load_encoder()
        for prompt in prompts:
            embedding = encoder(self.token_ids(prompt).to(encoder.device))[0].cpu()
            self._cache.write(prompt, embedding)
            self._remembered[prompt] = embedding.to(self._device)
        del encoder
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
