"""The real engine, with memory that runs out where the prompt says."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from void_server.engine import Progress, RemovalRequest
from void_server.engine_options import EngineOptions
from void_server.void_engine import VoidEngine

BALLAST = 256 << 20  # bytes, held by whatever runs out


def card() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def machine() -> None:
    raise MemoryError("Unable to allocate 2.00 GiB")


def limit() -> None:
    """For real: what the system grants this process is used up."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (64 << 20), before[1]))
    try:
        torch.ones(1 << 29)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


class Hungry:
    """Runs out so many times, at a step of pass 1."""

    def __init__(self, progress: Progress, how: str, times: int) -> None:
        self._progress, self._how, self._times = progress, how, times
        self.notice, self.hints = progress.notice, progress.hints

    def step(self, stage: str, step: int, steps: int) -> None:
        self._progress.step(stage, step, steps)
        if (stage, step) == ("pass1", 2):
            self.run_out()

    def run_out(self) -> None:
        if self._times > 0:
            self._times -= 1
            ballast = np.ones(BALLAST // 8)
            {"card": card, "machine": machine, "limit": limit}[self._how]()
            raise AssertionError(ballast.shape)


class Starving:
    """Prompt `denoising HOW TIMES` or `decoding HOW TIMES`; anything else is just done."""

    def __init__(self, weights: Path | None) -> None:
        self._engine = VoidEngine.load(EngineOptions(weights=weights))
        self.name, self.notice = self._engine.name, self._engine.notice

    def remove(self, request: RemovalRequest) -> npt.NDArray[np.float32]:
        part, *words = request.prompt.split()
        if part == "denoising":
            progress = Hungry(request.progress, words[0], int(words[1]))
            return self._engine.remove(replace(request, progress=progress))
        if part == "decoding":
            hungry = Hungry(request.progress, words[0], int(words[1]))
            vae = type(self._engine._loaded.vae)
            real = vae.decode_chunks

            def decode_chunks(*given: Any, **named: Any) -> Any:
                hungry.run_out()
                return real(*given, **named)

            vae.decode_chunks = decode_chunks
            try:
                return self._engine.remove(request)
            finally:
                vae.decode_chunks = real
        return self._engine.remove(request)
