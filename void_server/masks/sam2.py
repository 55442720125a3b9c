"""SAM 2 for video, from its weights folder to one mask a frame.

transformers' own Sam2VideoModel does the work, without its processors, which need torchvision. Whatever the size of
the weights, the code is the same.

SAM 2: Ravi et al., "SAM 2: Segment Anything in Images and Videos", arXiv:2408.00714.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import Sam2VideoConfig, Sam2VideoModel
from transformers.utils import logging as transformers_logging

from void_server.masks.propagate import Mask, OnFrame, OutOfMemory, Painted
from void_server.masks.sam2_tracking import Route, carry_along

FILES = ("config.json", "model.safetensors")
FETCH = (
    "fetch the weights with `void weights fetch DIR --sam2` (into DIR/sam2), or put config.json and model.safetensors "
    "of facebook/sam2.1-hiera-large there"
)

# What transformers raises for a file that is cut short, a config of another shape, tensors of another size.
_LOADING_ERRORS = (
    SafetensorError,
    StrictDataclassError,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RuntimeError,
)


class BadSam2(ValueError):
    """SAM 2 weights that are missing, damaged or of another model; the message says which and what to do."""


class Sam2:
    """SAM 2 for video, that waits in main memory and is on its device only while it carries a roto."""

    def __init__(self, model: Any, device: str = "cpu") -> None:
        """model: a transformers Sam2VideoModel in main memory; device: where it is to run."""
        self._model = model.eval().requires_grad_(False)
        self._device = torch.device(device)

    @classmethod
    def load(cls, folder: Path | str, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Sam2:
        """Load config.json and model.safetensors of a Sam2VideoModel, as transformers saves it.

        float32 is the reference; bfloat16 halves the memory. Raises BadSam2 naming the folder, what is missing or
        wrong, and what to do; a pickle is never opened.
        """
        folder = Path(folder)
        _check_folder(folder)
        try:
            with _quiet():
                model, report = Sam2VideoModel.from_pretrained(
                    folder, dtype=dtype, local_files_only=True, use_safetensors=True, output_loading_info=True
                )
        except _LOADING_ERRORS as error:
            cause = str(error).strip().partition("\n")[0]
            raise BadSam2(f"the SAM 2 weights in {folder} can't be read ({cause}): {FETCH} again") from error
        missing = sorted(report["missing_keys"])
        if missing:
            raise BadSam2(
                f"{folder / 'model.safetensors'} lacks {len(missing)} tensors of the model that config.json describes "
                f"(first: {missing[0]}): {FETCH} again"
            )
        return cls(model, device)

    def carry(self, clip: npt.NDArray[np.float32], painted: Painted, on_frame: OnFrame | None = None) -> Mask:
        """What is to be removed on every frame: bool [T, H, W].

        clip: float32 [T, H, W, 3] in 0..1, display-referred, finite. SAM 2 sees it squeezed to S x S and answers at
        S/4; S is 1024 for the published weights, so the size that VOID works at is right, and from plates larger than
        S what is a pixel thin is lost.
        painted: for each object its painted mattes, bool [H, W], by index into the clip. Each object is carried alone,
        from all its painted frames at once: forwards from the first matte with anything in it, and backwards from
        the last. Between two such mattes the direction of the nearer one counts, on a tie the earlier one's. On a
        frame painted for all objects the result is the union of those mattes and nothing else. An object with nothing
        in any matte is nowhere.
        on_frame(done, total) is called after each frame that the model has seen; what it raises ends the work.

        Of the clip one frame at a time is on the device; for each object, memories of the painted frames and of the
        last 15 others. Nothing is kept afterwards. Raises ValueError for sizes, types and frames that don't fit.
        """
        _check(clip, painted)
        result = np.zeros(clip.shape[:3], np.bool_)
        for mattes in painted:
            for frame, matte in mattes.items():
                result[frame] |= matte
        routes = [Route(mattes, len(clip)) for mattes in painted]
        routes = [route for route in routes if route.asked(reverse=False) or route.asked(reverse=True)]
        if routes:
            with self._awake() as model:
                carry_along(model, clip, routes, result, on_frame or _unseen)
        return result

    @contextmanager
    def _awake(self) -> Iterator[Any]:
        """The model on its device, for the length of a `with`."""
        try:
            yield self._model.to(self._device)
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(
                "SAM 2 ran out of the card's memory while it carried the roto: close what else uses the card, take "
                "smaller SAM 2 weights, or paint every frame"
            ) from error
        finally:
            self._model.to("cpu")
            if self._device.type == "cuda":
                torch.cuda.empty_cache()  # for those who look how much the card has free


def _check(clip: npt.NDArray[np.float32], painted: Painted) -> None:
    if clip.ndim != 4 or clip.shape[3] != 3 or clip.dtype != np.float32:
        raise ValueError(f"the clip is {clip.dtype} {list(clip.shape)}; it must be float32 [T, H, W, 3]")
    for number, mattes in enumerate(painted, 1):
        if not mattes:
            raise ValueError(f"object {number} of {len(painted)} has no painted frame, so nothing can be carried")
        for frame, matte in mattes.items():
            if not 0 <= frame < len(clip):
                raise ValueError(f"object {number} is painted on frame {frame} of a clip of {len(clip)} frames")
            if matte.shape != clip.shape[1:3] or matte.dtype != np.bool_:
                raise ValueError(
                    f"the matte of object {number} on frame {frame} is {matte.dtype} {list(matte.shape)}; it must be "
                    f"bool {list(clip.shape[1:3])}, as the clip's frames"
                )


def _check_folder(folder: Path) -> None:
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise BadSam2(f"the SAM 2 folder {folder} has no {' and no '.join(missing)}: {FETCH}")
    path = folder / "config.json"
    try:
        kind = json.loads(path.read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise BadSam2(f"{path} can't be read ({error}): {FETCH} again") from error
    if kind != Sam2VideoConfig.model_type:
        raise BadSam2(f"{path} describes a model of type {kind}, not {Sam2VideoConfig.model_type}: {FETCH}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' progress bar, which would run through ours."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def _unseen(done: int, total: int) -> None:
    pass
