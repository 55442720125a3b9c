"""What the real engine keeps of a shot while it works, so that a restart goes on instead of over, to the same bits."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from void_client import __version__

from void_server.engine import RemovalRequest
from void_server.model import BadCheckpoint, Checkpoint

log = logging.getLogger("void.engine")

EVERY = 5  # steps between two checkpoints; the last step of a pass always has one


@dataclass(frozen=True)
class Checkpoints:
    """The passes of one request, each with its latents in a file; where there is no folder, nothing is kept.

    fingerprint: names all that the passes depend on. A file of another one, or one that is not whole, counts as none.
    """

    folder: Path | None
    fingerprint: str

    @classmethod
    def of(cls, request: RemovalRequest, engine: str) -> Checkpoints:
        """The checkpoints of a request. engine: names weights, device and options."""
        settings = request.settings.to_dict()
        facts = (__version__, engine, request.prompt, sorted(settings.items()), request.clip.shape)
        digest = blake2b(repr(facts).encode(), digest_size=16)
        for array in (*request.clip, *request.quadmask):
            digest.update(np.ascontiguousarray(array).reshape(-1).data)
        return cls(request.checkpoint, digest.hexdigest())

    def _path(self, number: int) -> Path | None:
        return self.folder / f"pass{number}.safetensors" if self.folder else None

    def load(self, number: int) -> Checkpoint | None:
        """How far pass 1 or 2 has come, or None where it has not begun."""
        path = self._path(number)
        if path is None or not path.exists():
            return None
        try:
            return Checkpoint.load(path, self.fingerprint)
        except BadCheckpoint as error:
            log.warning("%s", error)
            return None

    def save(self, number: int, steps: int, checkpoint: Checkpoint) -> None:
        """Keep how far a pass of so many steps has come, every few steps. Without room the pass goes on without."""
        path = self._path(number)
        if path is None or (checkpoint.step % EVERY and checkpoint.step != steps):
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            checkpoint.save(path, self.fingerprint)
        except OSError as error:
            log.warning("%s can't be written (%s): a restart would start this pass over", path, error.strerror)
