"""Whether a weights folder is whole: hashes, headers, names and shapes. No weights are loaded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from void_server.model.hub import read_hashes, sha256_of
from void_server.model.loading import (
    PATCH_EMBED,
    TEXT_STEM,
    VAE_STEM,
    empty_text_encoder,
    empty_transformer,
    empty_vae,
    is_narrow,
    misfits,
    named_twice,
)
from void_server.model.weights import (
    BASE_PARTS,
    HASHES,
    PASS_FILES,
    BadWeights,
    Progress,
    find_base,
    read_header,
    shard_files,
)


@dataclass(frozen=True)
class Problem:
    """What is wrong with one file or folder, in words that say what to do."""

    file: Path
    what: str


def verify(folder: Path, progress: Progress) -> list[Problem]:
    """Everything that is wrong with the weights in `folder`; [] where they are whole.

    progress(what, bytes, bytes in all) is called while hashes are computed. A folder without hashes.json is checked
    in all other ways.
    """
    if not folder.is_dir():
        return [Problem(folder, "there is no such folder; fetch the weights")]
    problems = hash_problems(folder, progress)
    checks: list[Callable[[], list[Problem]]]
    try:
        base = find_base(folder)
    except BadWeights as error:
        problems.append(said(folder, error))
        checks = [partial(header_problems, folder / name) for name in PASS_FILES]
    else:
        problems += [
            Problem(base / part, "is missing; fetch the weights again")
            for part in BASE_PARTS
            if not (base / part).exists()
        ]
        checks = [partial(_pass_problems, base, folder / name) for name in PASS_FILES]
        checks += [
            partial(_part_problems, base / "vae", VAE_STEM, partial(empty_vae, base)),
            partial(_part_problems, base / "text_encoder", TEXT_STEM, partial(empty_text_encoder, base)),
        ]
    for check in checks:
        problems += check()
    return without_repeats(problems)


def hash_problems(folder: Path, progress: Progress) -> list[Problem]:
    """Every file of hashes.json that isn't as it says; [] where there is no hashes.json."""
    try:
        hashes = read_hashes(folder)
    except BadWeights as error:
        return [said(folder / HASHES, error)]
    problems = []
    for place, noted in sorted(hashes.items()):
        path = folder / place
        try:
            size = path.stat().st_size
            if size != noted["size"]:
                what = f"has {size} bytes instead of {noted['size']}; fetch it again"
            elif sha256_of(path, progress) != noted["sha256"]:
                what = "is damaged: its sha256 is not the one in hashes.json; remove it and fetch it again"
            else:
                continue
        except FileNotFoundError:
            what = "is missing; fetch the weights again"
        except OSError as error:
            what = f"can't be read ({error.strerror}); check its permissions"
        except (KeyError, TypeError):
            what = "has no size and sha256 in hashes.json; remove that file and fetch again"
        problems.append(Problem(path, what))
    return problems


def header_problems(path: Path) -> list[Problem]:
    """What is wrong with a .safetensors file by its header and length alone."""
    try:
        read_header(path)
    except BadWeights as error:
        return [said(path, error)]
    return []


def _pass_problems(base: Path, path: Path) -> list[Problem]:
    try:
        found: dict[str, Sequence[int]] = {name: tensor.shape for name, tensor in read_header(path).items()}
        model = empty_transformer(base)
    except BadWeights as error:
        return [said(path, error)]
    if is_narrow(found, model):  # widened when it is loaded
        found[PATCH_EMBED] = model.state_dict()[PATCH_EMBED].shape
    return _misfit_problems(path, model, found)


def _part_problems(folder: Path, stem: str, empty: Callable[[], torch.nn.Module]) -> list[Problem]:
    """Of the autoencoder or the text encoder, in one file or several."""
    try:
        files, model = shard_files(folder, stem), empty()
    except BadWeights as error:
        return [said(folder, error)]
    problems: list[Problem] = []
    found: dict[str, Sequence[int]] = {}
    for path in files:
        broken = header_problems(path)
        problems += broken
        if not broken:
            found |= {name: tensor.shape for name, tensor in read_header(path).items()}
    # What a broken file lacks is not worth a list.
    return problems or _misfit_problems(folder, model, named_twice(found))


def _misfit_problems(path: Path, model: torch.nn.Module, found: dict[str, Sequence[int]]) -> list[Problem]:
    what = misfits(model, found)
    return [Problem(path, f"does not fit the model: {what}; fetch it again")] if what else []


def without_repeats(problems: list[Problem]) -> list[Problem]:
    """A file that is not there has one problem, whatever else needs it."""
    kept: list[Problem] = []
    for problem in problems:
        if problem.file.exists() or all(earlier.file != problem.file for earlier in kept):
            kept.append(problem)
    return kept


def said(path: Path, error: BadWeights) -> Problem:
    """An error's words as a problem of `path`, which they need not name again."""
    return Problem(path, str(error).removeprefix(f"{path} "))
