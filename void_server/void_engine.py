"""The real engine: both passes of VOID, with noise warped between them."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from void_server.checkpoints import Checkpoints
from void_server.engine import RemovalRequest
from void_server.engine_options import CannotLoad, EngineOptions
from void_server.model import Checkpoint, OutOfMemory, VoidModel, WeightsFolder
from void_server.model.flow import DISFlow, FlowEstimator
from void_server.model.plan import PlanName
from void_server.model.raft import RaftFlow
from void_server.model.retime import fill_between, key_frames
from void_server.model.speed import Speed, SpeedUnavailable
from void_server.model.warped_noise import warp_for_pass
from void_server.model.weights import WeightsCard
from void_server.plates.colour import ModelCurve
from void_server.plates.window import Window
from void_server.settings import ShotSettings
from void_server.training.shipped import FOLDER

log = logging.getLogger("void.engine")


class VoidEngine:
    """Both passes of VOID on weights that stay loaded."""

    def __init__(
        self,
        load: Callable[[PlanName | None], VoidModel],
        plan: PlanName | None,
        folder: WeightsFolder,
        flow: FlowEstimator,
    ) -> None:
        """load: loads the folder's model, held by a plan; None for what fits. What it raises is raised here."""
        card = folder.card or WeightsCard(name=folder.pass1.parent.name)
        self.name = card.name
        self.notice = card.notice
        self._load = load
        self._model: VoidModel | None = load(plan)
        self._files = _files(folder)
        self._flow = flow

    @classmethod
    def load(cls, options: EngineOptions) -> VoidEngine:
        """Load a weights folder: the tiny trained weights of the package, where none is named.

        Raises CannotLoad naming what is missing, wrong or too large.
        """
        cuda = torch.cuda.is_available()
        device = "cuda" if cuda else "cpu"
        try:
            flow = RaftFlow(options.raft, device) if options.raft else DISFlow()
            folder = WeightsFolder.find(options.weights or FOLDER)
            speed = Speed(
                compile=options.compile,
                first_block_cache=options.first_block_cache,
                fuse_qkv=options.fuse_qkv,
                attention=options.attention,
            )
            load = functools.partial(
                _load_model,
                folder,
                device=device,
                dtype=torch.bfloat16 if cuda else torch.float32,
                speed=speed,
            )
            return cls(load, None if options.plan == "auto" else options.plan, folder, flow)
        except (ValueError, SpeedUnavailable) as error:
            raise CannotLoad(str(error)) from error

    @property
    def _loaded(self) -> VoidModel:
        """The model; loaded again where that has failed before."""
        if self._model is None:
            self._model = self._load("swap")
        return self._model

    def warm_up(self) -> None:
        """A removal of the smallest size, which brings kernels, workspaces and the embedding of no prompt into memory.

        Where blocks are compiled, of the published size: graphs of another one would make the first shot wait again.
        Raises what `remove` raises.
        """
        once = {"pass1": {"steps": 1}, "pass2": {"steps": 1}}
        small = {} if self._loaded.speed.compile else {"height": 32, "width": 48, "window": 5, "overlap": 0}
        settings = ShotSettings.from_dict(once | small)
        shape = settings.window, settings.height, settings.width
        quadmask = np.full(shape, 255, np.uint8)
        quadmask[:, :16, :16] = 0
        self.remove(
            RemovalRequest(
                clip=np.zeros((*shape, 3), np.float32),
                quadmask=quadmask,
                prompt="",
                settings=settings,
                progress=_Logged(),
                frames=tuple(range(settings.window)),
                windows=(Window(0, 0, settings.width, settings.height),) * settings.window,
                curve=ModelCurve.for_shot(1.0),
            )
        )

    def remove(self, request: RemovalRequest) -> npt.NDArray[np.float32]:
        """Both passes; where memory runs out, once more with one transformer on the card at a time.

        That takes longer and changes no bit. The plan in 8 bits would change the picture, so it is the operator's to
        choose. Raises OutOfMemory, BadClip, and what the request's progress raises.
        """
        try:
            return self._remove(request)
        except OutOfMemory as error:
            speed = self._loaded.speed
            if self._loaded.how != "resident" or speed.compile or speed.fuse_qkv:  # which go with no other plan
                raise
            cause = str(error)
        # Not within `except`: the error's traceback holds the pass.
        log.warning("%s; going on with plan swap", cause)
        self._model = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        request.progress.notice(
            "memory ran out with both transformers on the card; from now on one is there at a time (--plan swap): "
            "slower, and the same picture"
        )
        return self._remove(request)

    def _remove(self, request: RemovalRequest) -> npt.NDArray[np.float32]:
        """Both passes on the frames that the model is to see; the others from their neighbours."""
        every = request.settings.every
        if every == 1:
            return self._passes(request)
        keys = key_frames(len(request.clip), every)
        seen = self._passes(replace(request, clip=request.clip[keys], quadmask=request.quadmask[keys]))
        return fill_between(seen, keys, self._flow)

    def _passes(self, request: RemovalRequest) -> npt.NDArray[np.float32]:
        """Pass 1, then noise warped along its motion, then pass 2; what was done before a restart is not done again."""
        checkpoints = Checkpoints.of(request, self._identity())
        if request.settings.passes == 2 and checkpoints.load(2):
            return self._run(2, request, checkpoints)  # it needs nothing more of pass 1
        first = self._run(1, request, checkpoints)
        if request.settings.passes == 1:
            return first
        request.progress.step("warping", 0, 1)
        given = request.settings
        noise = warp_for_pass(first, self._flow, given.for_pass(2), given.noise, given.noise_degradation)
        request.progress.step("warping", 1, 1)
        return self._run(2, request, checkpoints, noise)

    def _run(
        self, number: int, request: RemovalRequest, checkpoints: Checkpoints, noise: torch.Tensor | None = None
    ) -> npt.NDArray[np.float32]:
        settings = request.settings.for_pass(number)
        stage = f"pass{number}"
        resume = checkpoints.load(number)
        request.progress.step(stage, resume.step if resume else 0, settings.steps)

        def on_step(i: int, latents: torch.Tensor) -> None:
            checkpoints.save(number, settings.steps, Checkpoint(i + 1, latents))
            request.progress.step(stage, i + 1, settings.steps)

        return self._loaded.run_pass(
            number,
            request.clip,
            request.quadmask,
            request.prompt,
            settings,
            noise=noise,
            on_step=on_step,
            resume=resume,
        )

    def _identity(self) -> str:
        """All that a result depends on besides the request; of the plans, fp8 alone changes anything."""
        model = self._loaded
        flow = type(self._flow).__name__
        return repr((self._files, torch.__version__, model.how == "fp8", model.device, model.speed, flow))


class _Logged:
    """The Progress of a removal that nobody has asked for."""

    def step(self, stage: str, step: int, steps: int) -> None:
        log.debug("warming up: %s %d/%d", stage, step, steps)

    def part(self, number: int, count: int) -> None:
        """There is one."""

    def notice(self, text: str) -> None:
        log.warning("%s", text)

    def hints(self, text: str) -> None:
        """None are asked for."""


def _load_model(
    folder: WeightsFolder, plan: PlanName | None, *, device: str, dtype: torch.dtype, speed: Speed
) -> VoidModel:
    return VoidModel.load(folder.base, folder.pass1, folder.pass2, device=device, dtype=dtype, plan=plan, speed=speed)


def _files(folder: WeightsFolder) -> list[tuple[str, int, int]]:
    """The weights of both passes by name, size and time: enough to tell others in their place."""
    files = [(path.name, path.stat()) for path in (folder.pass1, folder.pass2)]
    return [(name, found.st_size, found.st_mtime_ns) for name, found in files]
