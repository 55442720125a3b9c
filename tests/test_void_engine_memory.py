"""Too little memory: the next leaner plan, to the same bits; where there is none, an error, and the next shot runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_void_engine_resume import Interrupted, Steps, ask

from void_server.engine_options import EngineOptions
from void_server.model import OutOfMemory
from void_server.void_engine import VoidEngine


class Told(Steps):
    """Steps, and what else the artist is told."""

    def __init__(self) -> None:
        super().__init__()
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)


@pytest.fixture
def engine(tiny_folder: Path) -> VoidEngine:
    return VoidEngine.load(EngineOptions(weights=tiny_folder))


def fill_the_card(engine: VoidEngine, part: str, calls: int) -> None:
    """Let this many calls of a part of the model that is loaded now succeed, then have the card be full."""
    model = engine._loaded
    owner, name = {
        "denoising": (model.transformers[2], "forward"),
        "decoding": (model.vae, "decode_chunks"),
    }[part]
    real, left = getattr(owner, name), [calls]

    def call(*given: Any, **named: Any) -> Any:
        if left[0] == 0:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        left[0] -= 1
        return real(*given, **named)

    setattr(owner, name, call)


@pytest.mark.parametrize(("part", "calls"), [("denoising", 5), ("decoding", 0), ("decoding", 1)])
def test_memory_that_runs_out_costs_time_and_no_bit(engine: VoidEngine, tmp_path: Path, part: str, calls: int) -> None:
    expected = engine.remove(ask(Steps()))
    fill_the_card(engine, part, calls)
    told = Told()
    assert engine.remove(ask(told, tmp_path / "checkpoint")).tobytes() == expected.tobytes()
    (notice,) = told.notices
    assert "one is there at a time" in notice
    assert engine._loaded.how == "swap"
    denoised = [(stage, step) for stage, step in told.seen if stage == "pass1" and 0 < step < 7]
    assert len(denoised) == 6, "pass 1, which had been done, is not done again"
    later = Told()
    assert engine.remove(ask(later)).tobytes() == expected.tobytes()
    assert not later.notices


def test_where_the_leanest_plan_does_not_fit_either_it_is_said_and_the_next_shot_runs(tiny_folder: Path) -> None:
    engine = VoidEngine.load(EngineOptions(weights=tiny_folder, plan="swap"))
    expected = engine.remove(ask(Steps()))
    real = engine._loaded.vae.decode_chunks
    fill_the_card(engine, "decoding", 0)
    with pytest.raises(OutOfMemory, match="leaner plan"):
        engine.remove(ask(Told()))
    engine._loaded.vae.decode_chunks = real
    assert np.array_equal(engine.remove(ask(Steps())), expected)


def test_what_ends_the_work_is_not_taken_for_too_little_memory(engine: VoidEngine) -> None:
    with pytest.raises(Interrupted):
        engine.remove(ask(Steps(("pass1", 1))))
    assert engine._loaded.how == "resident"
