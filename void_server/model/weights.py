"""Where the weights lie on disk; found and named without loading any."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

BASE_PARTS = (
    "transformer/config.json",
    "vae/config.json",
    "text_encoder/config.json",
    "tokenizer",
    "scheduler/scheduler_config.json",
)


class BadWeights(ValueError):
    """Weights that are missing, damaged or of another model; the message says which and what to do."""


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
        base = _find_base(folder)
        missing = [str(base / part) for part in BASE_PARTS if not (base / part).exists()]
        passes = [folder / f"void_pass{number}.safetensors" for number in (1, 2)]
        missing += [str(path) for path in passes if not path.is_file()]
        if missing:
            raise BadWeights(f"weights are missing: {', '.join(missing)}; fetch the weights again into {folder}")
        return cls(base=base, pass1=passes[0], pass2=passes[1], card=_read_card(folder / "card.json"))


def _find_base(folder: Path) -> Path:
    bases = sorted(index.parent for index in folder.glob("*/model_index.json"))
    if not bases:
        raise BadWeights(
            f"no subfolder of {folder} has a model_index.json; fetch the base model, CogVideoX-Fun-V1.5-5b-InP, into it"
        )
    if len(bases) > 1:
        names = ", ".join(base.name for base in bases)
        raise BadWeights(f"{folder} has {len(bases)} base models ({names}); leave one there")
    return bases[0]


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
