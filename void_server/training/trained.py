"""The trained tiny model as it is run: where it lies, its settings, its prompt, and both of its passes on a clip."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from void_server.model import VoidModel
from void_server.model.clip import padded_length
from void_server.model.flow import DISFlow
from void_server.model.settings import latent_frames
from void_server.model.warped_noise import warp_clip
from void_server.settings import ShotSettings
from void_server.training.drawing import Pixels

FOLDER = Path(__file__).parent / "weights" / "tiny"
SETTINGS = "settings.toml"  # in a weights folder: what its model was trained for, as `void run --settings` takes it
PROMPT = "An empty room."  # what every scene was trained with


def settings_of(folder: Path) -> ShotSettings:
    """The settings that a folder of tiny weights brings along. Raises OSError, ValueError, BadSettings."""
    return ShotSettings.from_dict(tomllib.loads((folder / SETTINGS).read_text("utf-8")))


def both_passes(
    model: VoidModel, clip: Pixels, quadmask: npt.NDArray[np.uint8], settings: ShotSettings
) -> tuple[Pixels, Pixels]:
    """Pass 1, and pass 2 on noise warped along it, as the engine runs them: two clips float32 [T, H, W, 3] in 0..1."""
    first = model.run_pass(1, clip, quadmask, PROMPT, settings.for_pass(1))
    second = settings.for_pass(2)
    frames = latent_frames(padded_length(len(first), second.window, second.max_frames))
    shape = (1, frames, 16, second.height // 8, second.width // 8)
    noise = warp_clip(
        first, DISFlow(), shape, mode=settings.noise, seed=second.seed, degradation=settings.noise_degradation
    )
    return first, model.run_pass(2, clip, quadmask, PROMPT, second, noise=noise)
