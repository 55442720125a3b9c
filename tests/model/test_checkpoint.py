"""A pass that was interrupted goes on from its checkpoint as if nothing had happened."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from small_shots import run

from void_server.model import BadCheckpoint, BadClip, Checkpoint, VoidModel, WeightsFolder


@pytest.mark.parametrize("frames", [13, 27], ids=["one window", "three windows"])
@pytest.mark.parametrize(("number", "guidance"), [(1, 1.0), (2, 6.0)])
@pytest.mark.parametrize("last", [0, 2])
def test_an_interrupted_pass_resumes_in_another_process_to_the_same_bits(
    model: VoidModel, tiny_folder: Path, tmp_path: Path, frames: int, number: int, guidance: float, last: int
) -> None:
    changes = {"steps": 4, "guidance_scale": guidance}
    path = tmp_path / "pass.safetensors"

    def interrupt(step: int, latents: torch.Tensor) -> None:
        Checkpoint(step + 1, latents).save(path, "this run")
        if step == last:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(model, frames, number, changes, on_step=interrupt)
    weights = WeightsFolder.find(tiny_folder)
    fresh = VoidModel.load(weights.base, weights.pass1, weights.pass2)
    told = []
    resumed = run(
        fresh,
        frames,
        number,
        changes,
        resume=Checkpoint.load(path, "this run"),
        on_step=lambda step, _: told.append(step),
    )
    assert told == list(range(last + 1, 4))
    np.testing.assert_array_equal(resumed, run(model, frames, number, changes))


def test_a_pass_whose_steps_are_all_done_is_only_decoded(model: VoidModel) -> None:
    kept = []
    result = run(model, on_step=lambda step, latents: kept.append(Checkpoint(step + 1, latents)))
    np.testing.assert_array_equal(run(model, resume=kept[0], on_step=lambda step, _: pytest.fail("a step")), result)


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        (Checkpoint(1, torch.zeros(1, 4, 16, 4, 8)), r"checkpoint is \[1, 4, 16, 4, 8\]; .* give \[1, 4, 16, 4, 6\]"),
        (Checkpoint(2, torch.zeros(1, 4, 16, 4, 6)), "of step 2 and the pass has 1; .*start the pass over"),
        (Checkpoint(-1, torch.zeros(1, 4, 16, 4, 6)), "of step -1"),
    ],
)
def test_a_checkpoint_of_another_shot_is_refused(model: VoidModel, checkpoint: Checkpoint, message: str) -> None:
    with pytest.raises(BadClip, match=message):
        run(model, resume=checkpoint)


def test_a_file_holds_the_checkpoint_and_replaces_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "pass.safetensors"
    latents = torch.randn(1, 4, 16, 4, 6)
    for step in (1, 2):
        Checkpoint(step, latents * step).save(path, "shot 7")
    back = Checkpoint.load(path, "shot 7")
    assert back.step == 2
    torch.testing.assert_close(back.latents, latents * 2, atol=0, rtol=0)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == {"step": "2", "fingerprint": "shot 7"}


def test_a_save_that_fails_leaves_the_checkpoint_before_it(tmp_path: Path) -> None:
    """The system refuses what is beyond 4 KiB, as a full disk does."""
    resource = pytest.importorskip("resource")
    path = tmp_path / "pass.safetensors"
    Checkpoint(1, torch.zeros(1)).save(path, "x")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            Checkpoint(2, torch.zeros(100_000)).save(path, "x")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert Checkpoint.load(path, "x").step == 1
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pass.safetensors"
    Checkpoint(1, torch.zeros(1)).save(path, "seed 42")
    with pytest.raises(BadCheckpoint, match=r"of another run \(seed 42, not seed 43\).*start the pass over"):
        Checkpoint.load(path, "seed 43")


@pytest.mark.parametrize("damage", ["missing", "cut", "no step", "other tensors"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "pass.safetensors"
    metadata = {"fingerprint": "x"} if damage == "no step" else {"fingerprint": "x", "step": "1"}
    save_file({"noise" if damage == "other tensors" else "latents": torch.zeros(100)}, path, metadata)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-50])
    if damage == "missing":
        path.unlink()
    with pytest.raises(BadCheckpoint, match=r"not a whole checkpoint .*start the pass over"):
        Checkpoint.load(path, "x")
