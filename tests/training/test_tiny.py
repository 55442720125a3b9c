"""The tiny random model: whole, small, the same for the same seed, and loaded by the code that loads the real one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from void_server.model import PassSettings, VoidModel, WeightsFolder
from void_server.model.flow import DISFlow
from void_server.model.warped_noise import warp_clip
from void_server.training import layout
from void_server.training.tiny import write_random_weights


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.rand(1)  # what came before must not matter
        write_random_weights(tmp_path / name, seed)
    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert a == b
    assert a["void_pass1.safetensors"] != c["void_pass1.safetensors"]
    assert a["void_pass1.safetensors"] != a["void_pass2.safetensors"]
    assert sum(map(len, a.values())) < 4 * 2**20


def test_torch_s_own_seed_is_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    write_random_weights(tmp_path / "weights")
    assert torch.equal(torch.rand(3), expected)


def test_both_passes_run_in_seconds_and_are_noise(tmp_path: Path) -> None:
    write_random_weights(tmp_path / "weights")
    weights = WeightsFolder.find(tmp_path / "weights")
    assert weights.card is not None
    assert weights.card.notice == "untrained weights: the fill is noise"
    model = VoidModel.load(weights.base, weights.pass1, weights.pass2)
    clip = np.broadcast_to(np.linspace(0, 1, 160, dtype=np.float32)[:, None], (53, 96, 160, 3)).copy()
    quadmask = np.full((53, 96, 160), 255, np.uint8)
    quadmask[:, 30:60, 40:80] = 0
    size = {"height": 96, "width": 160, "window": 21, "steps": 2}
    one = model.run_pass(1, clip, quadmask, "an empty room", PassSettings.pass1(**size))
    noise = warp_clip(one, DISFlow(), (1, 14, 16, 12, 20))
    two = model.run_pass(2, clip, quadmask, "an empty room", PassSettings.pass2(**size), noise=noise)
    for result in (one, two):
        assert result.shape == clip.shape
        assert np.isfinite(result).all()
        assert result.std() > 0.05
        assert abs(np.corrcoef(result.ravel(), clip.ravel())[0, 1]) < 0.3


def test_words_become_known_tokens(tmp_path: Path) -> None:
    write_random_weights(tmp_path / "weights")
    weights = WeightsFolder.find(tmp_path / "weights")
    prompts = VoidModel.load(weights.base, weights.pass1, weights.pass2).prompts
    ids = prompts.token_ids("A dog on the table, 1984?")[0].tolist()
    end, unknown = 1, 2
    assert len(ids) == 226
    assert unknown not in ids
    assert set(ids[ids.index(end) + 1 :]) == {0}


def test_a_folder_with_anything_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shot.exr").touch()
    with pytest.raises(FileExistsError, match="not empty; name a new folder"):
        write_random_weights(tmp_path)
    with pytest.raises(FileExistsError, match="not empty"):
        write_random_weights(tmp_path / "shot.exr")
    assert contents(tmp_path) == {"shot.exr": b""}


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(layout, "save_file", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_random_weights(tmp_path / "weights")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    write_random_weights(tmp_path)
    assert WeightsFolder.find(tmp_path).pass1.is_file()
