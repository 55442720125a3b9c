"""The weights of SAM 2, which carries a roto from its painted frames to the others: where from, and whether whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from void_server.model import hub
from void_server.model.weights import PASS_FILES, BadWeights, Progress, read_config, read_header

if TYPE_CHECKING:
    import torch

    from void_server.model.verify import Problem

Size = Literal["tiny", "small", "base-plus", "large"]
SUBFOLDER = "sam2"  # of a weights folder
FILES = ("config.json", "model.safetensors")


def list_files(size: Size, revision: str | None = None) -> list[hub.RemoteFile]:
    """Both files of facebook/sam2.1-hiera-SIZE, as the hub at $HF_ENDPOINT has them now. Raises BadWeights."""
    return hub.list_repo(f"facebook/sam2.1-hiera-{size}", revision, FILES, "")


def is_sam2(folder: Path) -> bool:
    """Whether `folder` is SAM 2's own, not a weights folder that has it below."""
    return any((folder / name).is_file() for name in FILES) and not any((folder / name).exists() for name in PASS_FILES)


def verify(folder: Path, progress: Progress) -> list[Problem]:
    """Everything that is wrong with the SAM 2 in `folder`; [] where it is whole. No weights are loaded.

    progress(what, bytes, bytes in all) is called while hashes are computed. A folder without hashes.json is checked
    in all other ways. That the files fit each other is asked too: one may be of another size of SAM 2.
    """
    from void_server.model.loading import misfits
    from void_server.model.verify import Problem, hash_problems, header_problems, said, without_repeats

    config, weights = (folder / name for name in FILES)
    problems = hash_problems(folder, progress)
    broken = header_problems(weights)
    try:
        model = _empty_model(config)
    except BadWeights as error:
        broken.append(said(config, error))
    if broken:
        return without_repeats(problems + broken)
    wanted = model.state_dict().keys()
    found = {name: tensor.shape for name, tensor in read_header(weights).items() if name in wanted}
    if what := misfits(model, found):
        problems.append(Problem(weights, f"is not of the model in config.json: {what}; fetch both again"))
    return problems


def _empty_model(path: Path) -> torch.nn.Module:
    """The model that a config.json describes, on the meta device. Raises BadWeights."""
    if not path.is_file():
        raise BadWeights(f"{path} is missing; fetch the weights again")
    config = read_config(path)
    import torch
    from huggingface_hub.errors import StrictDataclassError
    from transformers import Sam2VideoConfig, Sam2VideoModel

    kind = config.get("model_type")
    if kind != Sam2VideoConfig.model_type:
        raise BadWeights(f"{path} describes a model of type {kind}, not {Sam2VideoConfig.model_type}; fetch it again")
    try:
        with torch.device("meta"):
            model: torch.nn.Module = Sam2VideoModel(Sam2VideoConfig.from_dict(config))
    except (StrictDataclassError, ValueError, TypeError, LookupError, AttributeError, RuntimeError) as error:
        cause = str(error).strip().partition("\n")[0]
        raise BadWeights(f"{path} describes no SAM 2 that can be built ({cause}); fetch it again") from error
    return model
