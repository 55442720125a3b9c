"""The real engine on small random weights, as a shot asks for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from void_server.engine import RemovalRequest
from void_server.engine_options import EngineOptions
from void_server.model.retime import key_frames
from void_server.plates.colour import ModelCurve
from void_server.plates.window import Window
from void_server.settings import ShotSettings
from void_server.training.tiny import write_random_weights
from void_server.void_engine import VoidEngine


class Steps:
    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int]] = []

    def step(self, stage: str, step: int, steps: int) -> None:
        self.seen.append((stage, step, steps))

    def notice(self, text: str) -> None:
        raise AssertionError(text)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> VoidEngine:
    folder: Path = tmp_path_factory.mktemp("weights") / "tiny"
    write_random_weights(folder)
    return VoidEngine.load(EngineOptions(weights=folder))


def ask(count: int, steps: Steps, **changes: object) -> RemovalRequest:
    given = {"height": 32, "width": 48, "window": 13, "overlap": 8, "pass1": {"steps": 2}, "pass2": {"steps": 3}}
    clip = np.random.default_rng(0).random((count, 32, 48, 3), np.float32)
    quadmask = np.full((count, 32, 48), 255, np.uint8)
    quadmask[:, 8:20, 8:24] = 0
    return RemovalRequest(
        clip=clip,
        quadmask=quadmask,
        prompt="An empty table.",
        settings=ShotSettings.from_dict(given | changes),
        progress=steps,
        frames=tuple(range(count)),
        windows=(Window(0, 0, 48, 32),) * count,
        curve=ModelCurve.for_shot(1.0),
    )


def test_both_passes_report_every_step_and_repeat_to_the_bit(engine: VoidEngine) -> None:
    steps = Steps()
    first = engine.remove(ask(7, steps))
    assert first.shape == (7, 32, 48, 3)
    assert steps.seen == [("pass1", n, 2) for n in range(3)] + [("warping", n, 1) for n in range(2)] + [
        ("pass2", n, 3) for n in range(4)
    ]
    assert np.array_equal(engine.remove(ask(7, Steps())), first)
    assert not np.array_equal(engine.remove(ask(7, Steps(), seed=43)), first)


def test_one_pass_is_the_first(engine: VoidEngine) -> None:
    steps = Steps()
    engine.remove(ask(5, steps, passes=1))
    assert {stage for stage, _, _ in steps.seen} == {"pass1"}


def test_every_second_frame_is_what_the_model_makes_of_those_frames(engine: VoidEngine) -> None:
    request = ask(9, Steps(), every=2, passes=1)
    keys = key_frames(9, 2)
    whole = engine.remove(request)
    alone = ask(9, Steps(), passes=1)
    alone = RemovalRequest(**{**vars(alone), "clip": alone.clip[keys], "quadmask": alone.quadmask[keys]})
    assert len(whole) == 9
    assert np.array_equal(whole[keys], engine.remove(alone))
