"""Both passes of a tiny model on a clip, as the engine runs them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from void_server.model import VoidModel
from void_server.model.flow import DISFlow
from void_server.model.warped_noise import warp_for_pass
from void_server.settings import ShotSettings
from void_server.training.drawing import Pixels
from void_server.training.shipped import PROMPT


def both_passes(
    model: VoidModel, clip: Pixels, quadmask: npt.NDArray[np.uint8], settings: ShotSettings
) -> tuple[Pixels, Pixels]:
    """Pass 1, and pass 2 on noise warped along it: two clips float32 [T, H, W, 3] in 0..1.

    clip: float32 [T, h, w, 3], display-referred in 0..1. quadmask: uint8 [T, h, w]. Raises BadClip, OutOfMemory.
    """
    first = model.run_pass(1, clip, quadmask, PROMPT, settings.for_pass(1))
    second = settings.for_pass(2)
    noise = warp_for_pass(first, DISFlow(), second, settings.noise, settings.noise_degradation)
    return first, model.run_pass(2, clip, quadmask, PROMPT, second, noise=noise)
