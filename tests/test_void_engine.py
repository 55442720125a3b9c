"""The real engine on small random weights, as a shot asks for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from void_server.engine import RemovalRequest, WarmsUp
from void_server.engine_options import EngineOptions
from void_server.model import reference_geometry
from void_server.model.clip import padded_length
from void_server.model.retime import key_frames
from void_server.model.settings import latent_frames
from void_server.plates.colour import ModelCurve
from void_server.plates.window import Window
from void_server.settings import BadSettings, ShotSettings
from void_server.void_engine import VoidEngine


class Steps:
    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int]] = []

    def step(self, stage: str, step: int, steps: int) -> None:
        self.seen.append((stage, step, steps))

    def notice(self, text: str) -> None:
        raise AssertionError(text)


@pytest.fixture(scope="module")
def engine(tiny_folder: Path) -> VoidEngine:
    return VoidEngine.load(EngineOptions(weights=tiny_folder))


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


def test_a_shot_longer_than_the_window_has_one_chain_of_noise(
    engine: VoidEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, run_pass = [], engine._model.run_pass

    def watched(number: int, *rest: object, noise: torch.Tensor | None = None, **named: object) -> object:
        given.append((number, noise))
        return run_pass(number, *rest, noise=noise, **named)

    monkeypatch.setattr(engine._model, "run_pass", watched)
    request = ask(29, Steps())
    engine.remove(request)
    settings = request.settings.for_pass(2)
    latents = latent_frames(padded_length(29, settings.window, settings.max_frames))
    assert latents > latent_frames(settings.window)
    (_, none), (number, noise) = given
    assert (none, number, noise.shape) == (None, 2, (1, latents, 16, 4, 6))


def test_the_noise_s_settings_reach_pass_2(engine: VoidEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_geometry, "REFERENCE_SIZE", (64, 96))
    monkeypatch.setattr(reference_geometry, "REFERENCE_FRAMES", 3)
    ways = ({}, {"noise_degradation": 0.5}, {"noise": "reference"}, {"noise": "exact", "noise_degradation": 0.0})
    plain, degraded, reference, same = (engine.remove(ask(5, Steps(), **way)) for way in ways)
    assert not np.array_equal(degraded, plain)
    assert not np.array_equal(reference, plain)
    assert np.array_equal(same, plain)


@pytest.mark.parametrize(
    ("wrong", "named"), [({"noise": "white"}, "noise"), ({"noise_degradation": 1.5}, "noise_degradation")]
)
def test_noise_that_there_is_not_is_refused(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(BadSettings, match=named):
        ShotSettings.from_dict(wrong)


def test_a_warm_up_leaves_no_trace_in_what_comes_after(tiny_folder: Path, engine: VoidEngine) -> None:
    warm = VoidEngine.load(EngineOptions(weights=tiny_folder))
    assert isinstance(warm, WarmsUp)
    warm.warm_up()
    np.testing.assert_array_equal(warm.remove(ask(7, Steps())), engine.remove(ask(7, Steps())))


def test_a_warm_up_is_a_whole_removal_of_both_passes(tiny_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "void.engine")
    VoidEngine.load(EngineOptions(weights=tiny_folder)).warm_up()
    done = [record.getMessage() for record in caplog.records if "warming up" in record.getMessage()]
    assert done == [f"warming up: {stage} {n}/1" for stage in ("pass1", "warping", "pass2") for n in (0, 1)]
