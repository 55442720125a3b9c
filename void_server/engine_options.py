"""How the server holds and runs its model: options of `void serve`, on their way to the worker. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

Plan = Literal["auto", "resident", "swap", "fp8"]
Attention = Literal["auto", "math", "flash"]


class CannotLoad(Exception):
    """The engine can't be made ready: the message says why and what to do."""


@dataclass(frozen=True)
class EngineOptions:
    """What `void serve` was told of its engine.

    name: "void", or an operator's own as module:factory. weights: its folder. plan: how the transformers are held,
    "auto" for what fits the card. The rest as in docs/speed.md; off, every number is the reference's.
    """

    name: str = "void"
    weights: Path | None = None
    plan: Plan = "auto"
    compile: bool = False
    fuse_qkv: bool = False
    first_block_cache: float = 0.0
    attention: Attention = "auto"

    def to_json(self) -> str:
        """As an argument of the worker's command line."""
        return msgspec.json.encode(self, enc_hook=str).decode()

    @classmethod
    def from_json(cls, text: str) -> EngineOptions:
        """Read what `to_json` wrote. Raises CannotLoad naming the field that can't be."""
        try:
            return msgspec.json.decode(text, type=cls, dec_hook=lambda kind, value: kind(value))
        except msgspec.ValidationError as error:
            raise CannotLoad(f"an option of the server can't be: {error}") from error
