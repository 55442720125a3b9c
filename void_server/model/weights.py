"""Where the weights lie on disk and what their headers say; found, named and measured without loading any."""

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

# What is being done, bytes done, bytes in all.
Progress = Callable[[str, int, int], None]

BASE_PARTS = (
    "transformer/config.json",
    "vae/config.json",
    "text_encoder/config.json",
    "tokenizer",
    "scheduler/scheduler_config.json",
)
PASS_FILES = ("void_pass1.safetensors", "void_pass2.safetensors")
HASHES = "hashes.json"


class BadWeights(ValueError):
    """Weights that are missing, damaged or of another model; the message says which and what to do."""


@dataclass(frozen=True)
class TensorInfo:
    """A tensor as a safetensors header names it: its dtype there ("BF16") and its shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class WeightsCard:
    """What a weights folder says of itself, to be shown wherever its results are.

    name: for lists and logs. notice: a sentence for the artist, or "" where there is nothing to say.
    """

    name: str
    notice: str = ""


@dataclass(frozen=True)
class WeightsFolder:
    """A folder of weights: the base model in diffusers layout, one file for each pass, and perhaps a card."""

    base: Path
    pass1: Path
    pass2: Path
    card: WeightsCard | None = None

    @classmethod
    def find(cls, folder: Path | str) -> Self:
        """Find the weights in `folder`; nothing is loaded.

        Layout: void_pass1.safetensors, void_pass2.safetensors, one subfolder that holds a model_index.json (the base
        model), and optionally card.json, {"name": ..., "notice": ...}. Raises BadWeights, naming what is missing.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise BadWeights(f"there is no weights folder {folder}; fetch the weights, or name another folder")
        base = find_base(folder)
        missing = [str(base / part) for part in BASE_PARTS if not (base / part).exists()]
        passes = [folder / name for name in PASS_FILES]
        missing += [str(path) for path in passes if not path.is_file()]
        if missing:
            raise BadWeights(f"weights are missing: {', '.join(missing)}; fetch the weights again into {folder}")
        return cls(base=base, pass1=passes[0], pass2=passes[1], card=_read_card(folder / "card.json"))


def find_base(folder: Path) -> Path:
    """The one subfolder that is a base model. Raises BadWeights where there is none, or more than one."""
    bases = sorted(index.parent for index in folder.glob("*/model_index.json"))
    if not bases:
        raise BadWeights(
            f"no subfolder of {folder} has a model_index.json; fetch the base model, CogVideoX-Fun-V1.5-5b-InP, into it"
        )
    if len(bases) > 1:
        names = ", ".join(base.name for base in bases)
        raise BadWeights(f"{folder} has {len(bases)} base models ({names}); leave one there")
    return bases[0]


def read_header(path: Path) -> dict[str, TensorInfo]:
    """The tensors that a .safetensors file names, its length checked against them; no tensor is read.

    Raises BadWeights for a file that is missing, cut short, or no safetensors file (a pickle, a page of HTML).
    """
    if not path.is_file():
        raise BadWeights(f"{path} is missing; fetch the weights again")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > size - 8:
                raise ValueError(f"its header would be {length} bytes of {size}")
            header: dict[str, Any] = json.loads(file.read(length))
        header.pop("__metadata__", None)
        tensors = {name: TensorInfo(entry["dtype"], tuple(entry["shape"])) for name, entry in header.items()}
        promised = 8 + length + max((entry["data_offsets"][1] for entry in header.values()), default=0)
        if promised != size:
            raise ValueError(f"it has {size} bytes instead of {promised}")
    except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise BadWeights(not_whole(path, error)) from error
    return tensors


def not_whole(path: Path, cause: Exception) -> str:
    """The message for a file that cannot be what it should."""
    return f"{path} is not a whole safetensors file ({cause}); fetch it again (pickles are refused: convert them)"


def shard_files(folder: Path, stem: str) -> list[Path]:
    """The .safetensors files of one model: those of its index, or the one file. Raises BadWeights."""
    index = folder / f"{stem}.safetensors.index.json"
    if not index.is_file():
        return [folder / f"{stem}.safetensors"]
    weight_map = read_config(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise BadWeights(f"{index} has no weight_map; fetch the base model again")
    return [folder / name for name in sorted(set(weight_map.values()))]


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises BadWeights."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadWeights(f"{path} cannot be read ({error}); fetch it again") from error
    if not isinstance(config, dict):
        raise BadWeights(f"{path} is not a JSON object; fetch it again")
    return config


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file so that it is there whole or not at all, even beside another writer. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_bytes(content)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def _read_card(path: Path) -> WeightsCard | None:
    if not path.is_file():
        return None
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        name, notice = card["name"], card.get("notice", "")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadWeights(
            f'{path} is not a card ({error}); write {{"name": ..., "notice": ...}}, or remove it'
        ) from None
    if not isinstance(name, str) or not isinstance(notice, str):
        raise BadWeights(f"{path} has a name or notice that is not text; write both as strings, or remove the card")
    return WeightsCard(name=name, notice=notice)
