"""RAFT through torchvision: which files it takes, and what goes in and comes out of the network.

RAFT's trained weights are not at hand: the network here is random. So this shows loading, layout, range, padding and
units, not how good its flow is; with trained weights, `FlowCompliance` in place of `FlowLayout` would show that.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from model.flow_compliance import FlowLayout, texture
from safetensors.torch import save_file

from void_server.engine_options import CannotLoad, EngineOptions
from void_server.model.flow import FlowEstimator
from void_server.model.raft import FlowUnavailable, RaftFlow
from void_server.training.tiny import write_random_weights
from void_server.void_engine import VoidEngine

LIBRARIES = []


@pytest.fixture(scope="module")
def network() -> Any:
    """torchvision's RAFT-large with random weights."""
    # The plain wheel from PyPI, which diffusers must not find beside a CPU torch, may lie in a folder of its own.
    if folder := os.environ.get("VOID_TORCHVISION"):
        sys.path.append(folder)
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed, and $VOID_TORCHVISION names no folder that has it")
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        # The plain wheel beside a torch for the CPU: its compiled operators are missing, and RAFT needs none of them.
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        LIBRARIES.append(torch.library.Library("torchvision", "DEF"))
        for operator in ("nms", "qnms"):
            LIBRARIES[0].define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision.models.optical_flow import raft_large

    torch.manual_seed(0)
    return raft_large(weights=None).eval()


@pytest.fixture(scope="module")
def files(network: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The network's weights in both forms."""
    folder = tmp_path_factory.mktemp("raft")
    paths = {suffix: folder / f"raft{suffix}" for suffix in (".pth", ".safetensors")}
    torch.save(network.state_dict(), paths[".pth"])
    save_file(network.state_dict(), paths[".safetensors"])
    return paths


class TestRaft(FlowLayout):
    @pytest.fixture
    def estimator(self, files: dict[str, Path]) -> FlowEstimator:
        return RaftFlow(files[".pth"])


def test_it_is_the_network_s_last_flow_of_frames_from_minus_one_to_one(network: Any, files: dict[str, Path]) -> None:
    first, second = texture(130, 141), np.ascontiguousarray(texture(130, 141)[:, ::-1])
    pad = [np.pad(2 * frame - 1, ((0, 6), (0, 3), (0, 0)), mode="edge") for frame in (first, second)]
    with torch.inference_mode():
        flows = network(*(torch.from_numpy(frame.transpose(2, 0, 1)[None]) for frame in pad))
    expected = flows[-1][0, :, :130, :141].numpy()
    assert np.abs(expected).max() > 1e-3
    for path in files.values():
        np.testing.assert_allclose(RaftFlow(path)(first, second), expected, atol=1e-4 * np.abs(expected).max())


class Payload:
    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return (Path.touch, (Path(self.mark),))  # type: ignore[attr-defined]


def test_a_pickle_that_holds_more_than_tensors_is_refused_and_not_run(tmp_path: Path) -> None:
    payload = Payload()
    payload.mark = str(tmp_path / "ran")  # type: ignore[attr-defined]
    for name, save in (("zip.pth", torch.save), ("plain.pth", lambda what, to: to.write_bytes(pickle.dumps(what)))):
        save({"weights": payload}, tmp_path / name)
        with pytest.raises(FlowUnavailable, match=r"does not hold tensors alone, or is damaged"):
            RaftFlow(tmp_path / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.pth", None, "cannot be read from .*gone.pth"),
        ("gone.safetensors", None, "cannot be read from .*gone.safetensors"),
        ("cut.pth", b"PK\3\4", "does not hold tensors alone, or is damaged"),
        ("cut.safetensors", b"\1\2", "does not hold tensors alone, or is damaged"),
        ("empty.pth", b"", "does not hold tensors alone, or is damaged"),
    ],
)
def test_a_file_that_is_not_there_or_damaged_is_named(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FlowUnavailable, match=message):
        RaftFlow(tmp_path / name)


def test_the_weights_of_something_else_are_refused(network: Any, tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(FlowUnavailable, match=r"other.pth is not of RAFT-large"):
        RaftFlow(tmp_path / "other.pth")


def test_a_list_of_tensors_is_no_state_dict(tmp_path: Path) -> None:
    torch.save([torch.zeros(3)], tmp_path / "list.pth")
    with pytest.raises(FlowUnavailable, match="is not a state dict"):
        RaftFlow(tmp_path / "list.pth")


def test_a_server_without_torchvision_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_random_weights(tmp_path / "tiny")
    torch.save({"layer.weight": torch.zeros(3)}, tmp_path / "raft.pth")
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(CannotLoad, match=r"RAFT needs torchvision.*pip install 'void-for-nuke\[raft\]'"):
        VoidEngine.load(EngineOptions(weights=tmp_path / "tiny", raft=tmp_path / "raft.pth"))
