"""What is said of SAM 2 weights that can't be loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from void_server.masks.sam2 import BadSam2, Sam2
from void_server.training.tiny_sam2 import write_random_sam2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sam2") / "tiny"
    write_random_sam2(path)
    return path


@pytest.fixture
def spoilt(folder: Path, tmp_path: Path) -> Path:
    """A copy of the weights to spoil."""
    return shutil.copytree(folder, tmp_path / "spoilt")


def refused(folder: Path) -> str:
    with pytest.raises(BadSam2) as caught:
        Sam2.load(folder)
    message = str(caught.value)
    assert str(folder) in message
    assert "fetch the weights with `void weights fetch DIR --sam2` (into DIR/sam2)" in message
    assert "put config.json and model.safetensors of facebook/sam2.1-hiera-large there" in message
    return message


def test_weights_that_are_not_there_are_named(tmp_path, spoilt):
    assert "has no config.json and no model.safetensors" in refused(tmp_path / "nowhere")
    (spoilt / "model.safetensors").rename(spoilt / "pytorch_model.bin")
    assert "has no model.safetensors" in refused(spoilt)


def test_a_damaged_file_is_refused(spoilt):
    whole = (spoilt / "model.safetensors").read_bytes()
    for content in (whole[:-1000], whole[:100], b"", b"<html>"):
        (spoilt / "model.safetensors").write_bytes(content)
        assert "can't be read" in refused(spoilt)


def test_a_missing_or_misshapen_tensor_is_refused(spoilt):
    tensors = load_file(spoilt / "model.safetensors")
    fewer = {name: tensor for name, tensor in tensors.items() if not name.startswith("memory_attention")}
    save_file(fewer, spoilt / "model.safetensors", metadata={"format": "pt"})
    assert f"lacks {len(tensors) - len(fewer)} tensors" in refused(spoilt)
    save_file(
        tensors | {"no_object_pointer": torch.zeros(1, 3)}, spoilt / "model.safetensors", metadata={"format": "pt"}
    )
    assert "can't be read" in refused(spoilt)


def test_another_model_is_refused_and_a_broken_config(spoilt):
    path = spoilt / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"model_type": "sam"}))
    assert "describes a model of type sam, not sam2_video" in refused(spoilt)
    path.write_text(json.dumps(config | {"num_maskmem": "seven"}))
    assert "can't be read" in refused(spoilt)
    for content in ("{", "[]", "\x00"):
        path.write_text(content)
        assert "config.json can't be read" in refused(spoilt)


def test_loading_is_quiet(folder, capfd):
    Sam2.load(folder)
    assert capfd.readouterr() == ("", "")


def test_random_weights_are_the_same_for_the_same_seed(folder, tmp_path):
    write_random_sam2(tmp_path / "same")
    write_random_sam2(tmp_path / "other", seed=1)
    content = {name: (name / "model.safetensors").read_bytes() for name in (folder, *tmp_path.iterdir())}
    assert content[tmp_path / "same"] == content[folder] != content[tmp_path / "other"]
    with pytest.raises(FileExistsError, match="there already"):
        write_random_sam2(folder)
