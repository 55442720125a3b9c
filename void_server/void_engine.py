"""The real engine: both passes of VOID, with noise warped between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from void_server.engine import RemovalRequest
from void_server.engine_options import CannotLoad, EngineOptions
from void_server.model import VoidModel, WeightsFolder
from void_server.model.clip import padded_length
from void_server.model.flow import DISFlow, FlowEstimator
from void_server.model.raft import RaftFlow
from void_server.model.retime import fill_between, key_frames
from void_server.model.settings import latent_frames
from void_server.model.speed import Speed, SpeedUnavailable
from void_server.model.warped_noise import warp_clip
from void_server.model.weights import WeightsCard


class VoidEngine:
    """Both passes of VOID on weights that stay loaded."""

    def __init__(self, model: VoidModel, name: str, notice: str, flow: FlowEstimator) -> None:
        self.name = name
        self.notice = notice
        self._model = model
        self._flow = flow

    @classmethod
    def load(cls, options: EngineOptions) -> VoidEngine:
        """Load a weights folder. Raises CannotLoad naming what is missing, wrong or too large."""
        if options.weights is None:
            raise CannotLoad("no weights given: `void serve --weights DIR` (`void weights tiny DIR` makes some to try)")
        cuda = torch.cuda.is_available()
        device = "cuda" if cuda else "cpu"
        try:
            flow = RaftFlow(options.raft, device) if options.raft else DISFlow()
            folder = WeightsFolder.find(options.weights)
            speed = Speed(
                compile=options.compile,
                first_block_cache=options.first_block_cache,
                fuse_qkv=options.fuse_qkv,
                attention=options.attention,
            )
            model = VoidModel.load(
                folder.base,
                folder.pass1,
                folder.pass2,
                device=device,
                dtype=torch.bfloat16 if cuda else torch.float32,
                plan=None if options.plan == "auto" else options.plan,
                speed=speed,
            )
        except (ValueError, SpeedUnavailable) as error:
            raise CannotLoad(str(error)) from error
        card = folder.card or WeightsCard(name=options.weights.name)
        return cls(model, card.name, card.notice, flow)

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
        noise = warp_clip(
            first,
            self._flow,
            shape,
            mode=request.settings.noise,
            seed=settings.seed,
            degradation=request.settings.noise_degradation,
        )
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
