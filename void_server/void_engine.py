"""The real engine: both passes of VOID, with noise warped between them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from void_server.engine import RemovalRequest
from void_server.model import VoidModel, WeightsFolder
from void_server.model.clip import padded_length
from void_server.model.flow import DISFlow
from void_server.model.retime import fill_between, key_frames
from void_server.model.settings import latent_frames
from void_server.model.warped_noise import warp_clip


class VoidEngine:
    """Both passes of VOID on weights that stay loaded."""

    def __init__(self, weights: Path) -> None:
        """Load a weights folder. Raises BadWeights naming what is missing or wrong."""
        folder = WeightsFolder.find(weights)
        self.name = folder.card.name if folder.card else weights.name
        self.notice = folder.card.notice if folder.card else ""
        cuda = torch.cuda.is_available()
        self._model = VoidModel.load(
            folder.base,
            folder.pass1,
            folder.pass2,
            device="cuda" if cuda else "cpu",
            dtype=torch.bfloat16 if cuda else torch.float32,
        )
        self._flow = DISFlow()

    def remove(self, request: RemovalRequest) -> npt.NDArray[np.float32]:
        """Both passes on the frames that the model is to see; the others from their neighbours."""
        every = request.settings.every
        if every == 1:
            return self._passes(request)
        keys = key_frames(len(request.clip), every)
        seen = self._passes(replace(request, clip=request.clip[keys], quadmask=request.quadmask[keys]))
        return fill_between(seen, keys, self._flow)

    def _passes(self, request: RemovalRequest) -> npt.NDArray[np.float32]:
        """Pass 1, then noise warped along its motion, then pass 2."""
        first = self._run(1, request)
        if request.settings.passes == 1:
            return first
        request.progress.step("warping", 0, 1)
        settings = request.settings.for_pass(2)
        length = padded_length(len(first), settings.window, settings.max_frames)
        shape = (1, latent_frames(length), 16, settings.height // 8, settings.width // 8)
        noise = warp_clip(first, self._flow, shape, seed=settings.seed)
        request.progress.step("warping", 1, 1)
        return self._run(2, request, noise)

    def _run(self, number: int, request: RemovalRequest, noise: torch.Tensor | None = None) -> npt.NDArray[np.float32]:
        settings = request.settings.for_pass(number)
        stage = f"pass{number}"
        request.progress.step(stage, 0, settings.steps)
        return self._model.run_pass(
            number,
            request.clip,
            request.quadmask,
            request.prompt,
            settings,
            noise=noise,
            on_step=lambda i, _: request.progress.step(stage, i + 1, settings.steps),
        )
