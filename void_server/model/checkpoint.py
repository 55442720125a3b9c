"""How far a pass has come, in memory and on disk."""

import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from void_server.model.errors import BadCheckpoint


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A pass after `step` of its steps: the latents, float32 [1, Tl, 16, H/8, W/8], which are all that it needs.

    After on_step(i, latents) that is Checkpoint(i + 1, latents).
    """

    step: int
    latents: torch.Tensor

    def save(self, path: Path | str, fingerprint: str) -> None:
        """Write to a safetensors file, which appears, or replaces an older one, whole or not at all. Raises OSError.

        fingerprint: the caller's name for all that the result depends on (clip, quadmask, prompt, settings, weights).
        """
        path = Path(path)
        scratch = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        metadata = {"step": str(self.step), "fingerprint": fingerprint}
        try:
            # Not by the library's save_file, for which a full disk is a SafetensorError.
            with scratch.open("wb") as file:
                file.write(save({"latents": self.latents.detach().cpu().contiguous()}, metadata))
                file.flush()
                os.fsync(file.fileno())  # else a power cut may leave a whole name with half of the bytes
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path | str, fingerprint: str) -> Self:
        """Read what `save` wrote under the same fingerprint. Raises BadCheckpoint."""
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                checkpoint = cls(int(metadata["step"]), file.get_tensor("latents"))
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise BadCheckpoint(
                f"{path} is not a whole checkpoint ({error}); remove it and start the pass over"
            ) from error
        if metadata.get("fingerprint") != fingerprint:
            raise BadCheckpoint(
                f"{path} is of another run ({metadata.get('fingerprint')}, not {fingerprint}): its clip, settings or "
                "weights were different; remove it and start the pass over"
            )
        return checkpoint
