"""How the server holds and runs its model: options of `void serve`, on their way to the worker. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import msgspec

Plan = Literal["auto", "resident", "swap", "fp8"]
Attention = Literal["auto", "math", "flash"]
ReasonerName = Literal["none", "gemini", "openai"]

DEFAULT_ANSWERS = Path.home() / ".cache" / "void" / "answers"


class CannotLoad(Exception):
    """The engine can't be made ready: the message says why and what to do."""


class _Options:
    """Options that travel to the worker as JSON, on its command line."""

    def to_json(self) -> str:
        """As an argument of the worker's command line."""
        return msgspec.json.encode(self, enc_hook=str).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote. Raises CannotLoad naming the field that can't be."""
        try:
            return msgspec.json.decode(text, type=cls, dec_hook=lambda kind, value: kind(value))
        except msgspec.ValidationError as error:
            raise CannotLoad(f"an option of the server can't be: {error}") from error


@dataclass(frozen=True)
class EngineOptions(_Options):
    """What `void serve` was told of its engine.

    name: "void", or an operator's own as module:factory. weights: its folder. plan: how the transformers are held,
    "auto" for what fits the card. raft: file of RAFT-large's weights, for the optical flow; without it, OpenCV's DIS.
    The rest as in docs/speed.md; off, every number is the reference's.
    """

    name: str = "void"
    weights: Path | None = None
    plan: Plan = "auto"
    compile: bool = False
    fuse_qkv: bool = False
    first_block_cache: float = 0.0
    attention: Attention = "auto"
    raft: Path | None = None


@dataclass(frozen=True)
class MaskOptions(_Options):
    """What `void serve` was told of making masks.

    sam2: folder of SAM 2's weights, which carries a roto from its painted frames to the others. reasoner: who is
    asked for hints; model and endpoint (empty: the reasoner's own). Keys come from the environment alone. answers:
    folder in which answers are kept.
    """

    sam2: Path | None = None
    reasoner: ReasonerName = "none"
    reasoner_model: str = ""
    reasoner_endpoint: str = ""
    answers: Path = DEFAULT_ANSWERS
