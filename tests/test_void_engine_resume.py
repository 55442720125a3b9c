"""A shot that is interrupted anywhere goes on where it was, to the bits of one that was not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from void_server.checkpoints import EVERY, Checkpoints
from void_server.engine import RemovalRequest
from void_server.engine_options import EngineOptions
from void_server.model import Checkpoint
from void_server.plates.colour import ModelCurve
from void_server.plates.window import Window
from void_server.settings import ShotSettings
from void_server.training.tiny import write_random_weights
from void_server.void_engine import VoidEngine

STEPS = {"pass1": 7, "pass2": 6}
FRAMES = 7


class Interrupted(Exception):
    """As if the process had been killed."""


class Steps:
    """A Progress that notes each step, and ends the work when it sees one of these."""

    def __init__(self, end_at: tuple[str, int] | None = None) -> None:
        self.seen: list[tuple[str, int]] = []
        self._end_at = end_at

    def step(self, stage: str, step: int, steps: int) -> None:
        self.seen.append((stage, step))
        if (stage, step) == self._end_at:
            raise Interrupted

    def notice(self, text: str) -> None:
        raise AssertionError(text)

    def hints(self, text: str) -> None:
        raise AssertionError(text)


@pytest.fixture(scope="module")
def engine(tiny_folder: Path) -> VoidEngine:
    return VoidEngine.load(EngineOptions(weights=tiny_folder))


@pytest.fixture(scope="module")
def undisturbed(engine: VoidEngine) -> npt.NDArray[np.float32]:
    return engine.remove(ask(Steps()))


def ask(steps: Steps, checkpoint: Path | None = None, **changes: object) -> RemovalRequest:
    given = {"height": 32, "width": 48, "window": 13, "overlap": 8} | {
        name: {"steps": count} for name, count in STEPS.items()
    }
    quadmask = np.full((FRAMES, 32, 48), 255, np.uint8)
    quadmask[:, 8:20, 8:24] = 0
    return RemovalRequest(
        clip=np.random.default_rng(0).random((FRAMES, 32, 48, 3), np.float32),
        quadmask=quadmask,
        prompt="An empty table.",
        settings=ShotSettings.from_dict(given | changes),
        progress=steps,
        frames=tuple(range(FRAMES)),
        windows=(Window(0, 0, 48, 32),) * FRAMES,
        curve=ModelCurve.for_shot(1.0),
        checkpoint=checkpoint,
    )


@pytest.mark.parametrize(
    ("interrupted", "resumed"),
    [
        (("pass1", 3), ("pass1", 0)),
        (("pass1", 6), ("pass1", 5)),
        (("pass1", 7), ("pass1", 7)),
        (("warping", 0), ("pass1", 7)),
        (("pass2", 2), ("pass1", 7)),
        (("pass2", 5), ("pass2", 5)),
        (("pass2", 6), ("pass2", 6)),
    ],
)
def test_another_engine_goes_on_from_the_last_checkpoint_to_the_same_bits(
    engine: VoidEngine,
    tiny_folder: Path,
    undisturbed: npt.NDArray[np.float32],
    tmp_path: Path,
    interrupted: tuple[str, int],
    resumed: tuple[str, int],
) -> None:
    folder = tmp_path / "checkpoint"
    with pytest.raises(Interrupted):
        engine.remove(ask(Steps(interrupted), folder))
    steps = Steps()
    result = VoidEngine.load(EngineOptions(weights=tiny_folder)).remove(ask(steps, folder))
    assert steps.seen[0] == resumed
    assert result.tobytes() == undisturbed.tobytes()


def test_checkpoints_change_nothing_and_are_few(
    engine: VoidEngine, undisturbed: npt.NDArray[np.float32], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = []
    save = Checkpoint.save
    monkeypatch.setattr(Checkpoint, "save", lambda self, *where: (saved.append(self.step), save(self, *where)))
    assert engine.remove(ask(Steps(), tmp_path / "checkpoint")).tobytes() == undisturbed.tobytes()
    assert saved == [EVERY, STEPS["pass1"], EVERY, STEPS["pass2"]]


@pytest.mark.parametrize("change", ["clip", "quadmask", "prompt", "seed", "weights"])
def test_a_checkpoint_of_something_else_is_not_taken(
    engine: VoidEngine, tmp_path: Path, change: str, tiny_folder: Path
) -> None:
    folder = tmp_path / "checkpoint"
    with pytest.raises(Interrupted):
        engine.remove(ask(Steps(("pass1", 6)), folder))
    steps = Steps(("pass1", 1))
    other = ask(steps, folder, **({"seed": 43} if change == "seed" else {}))
    if change == "clip":
        other.clip[3, 0, 0, 0] += 1e-6
    if change == "quadmask":
        other.quadmask[6, 31, 47] = 127
    if change == "prompt":
        other = replace(other, prompt="An empty table")
    if change == "weights":
        write_random_weights(tmp_path / "others")
        engine = VoidEngine.load(EngineOptions(weights=tmp_path / "others"))
    with pytest.raises(Interrupted):
        engine.remove(other)
    assert steps.seen == [("pass1", 0), ("pass1", 1)]


def test_a_checkpoint_that_is_cut_short_is_started_over(
    engine: VoidEngine, undisturbed: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    with pytest.raises(Interrupted):
        engine.remove(ask(Steps(("pass2", 5)), folder))
    file = folder / "pass2.safetensors"
    file.write_bytes(file.read_bytes()[:-7])
    steps = Steps()
    assert engine.remove(ask(steps, folder)).tobytes() == undisturbed.tobytes()
    assert steps.seen[0] == ("pass1", STEPS["pass1"]), "pass 1 was whole, and is only decoded"


def test_a_folder_that_can_not_be_written_costs_nothing_but_the_checkpoint(
    engine: VoidEngine, undisturbed: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    result = engine.remove(ask(Steps(), tmp_path / "file" / "checkpoint"))
    assert result.tobytes() == undisturbed.tobytes()


def test_without_a_folder_there_is_no_checkpoint(tmp_path: Path) -> None:
    checkpoints = Checkpoints(None, "x")
    checkpoints.save(1, 1, Checkpoint(1, torch.zeros(1)))
    assert checkpoints.load(1) is None
