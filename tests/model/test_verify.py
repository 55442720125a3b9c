"""What `verify` finds wrong with a weights folder."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from void_server.model.verify import Problem, verify

BASE = "CogVideoX-Fun-V1.5-5b-InP"
VAE = f"{BASE}/vae/diffusion_pytorch_model.safetensors"
TEXT = f"{BASE}/text_encoder/model.safetensors"


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return shutil.copytree(tiny_folder, tmp_path / "weights")


def add_hashes(folder: Path) -> None:
    hashes = {}
    for path in (path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        noted = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        hashes[path.relative_to(folder).as_posix()] = noted
    (folder / "hashes.json").write_text(json.dumps(hashes))


def found(folder: Path) -> dict[str, str]:
    """The problems by file; a file with several has them joined."""
    problems: dict[str, str] = {}
    for problem in verify(folder, lambda what, done, size: None):
        name = problem.file.relative_to(folder).as_posix()
        problems[name] = f"{problems[name]} | {problem.what}" if name in problems else problem.what
    return problems


def change(path: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    edit(tensors)
    save_file(tensors, path)


def cut(path: Path, count: int = 10) -> None:
    path.write_bytes(path.read_bytes()[:-count])


@pytest.mark.parametrize("hashed", [True, False])
def test_whole_weights_have_no_problem(folder: Path, hashed: bool) -> None:
    if hashed:
        add_hashes(folder)
    assert found(folder) == {}


def test_one_wrong_bit_is_found_by_its_hash(folder: Path) -> None:
    add_hashes(folder)
    path = folder / "void_pass2.safetensors"
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)
    assert list(found(folder)) == ["void_pass2.safetensors"]
    assert "its sha256 is not the one in hashes.json" in found(folder)["void_pass2.safetensors"]
    (folder / "hashes.json").unlink()
    assert found(folder) == {}, "nothing else could tell"


def test_every_wrong_file_is_named_and_not_the_first_alone(folder: Path) -> None:
    cut(folder / "void_pass1.safetensors")
    change(folder / "void_pass2.safetensors", lambda tensors: tensors.pop("norm_final.bias"))
    change(folder / VAE, lambda tensors: tensors.update({"encoder.conv_in.conv.bias": torch.zeros(3)}))
    cut(folder / TEXT)
    shutil.rmtree(folder / BASE / "tokenizer")
    problems = found(folder)
    assert set(problems) == {
        "void_pass1.safetensors",
        "void_pass2.safetensors",
        f"{BASE}/vae",
        TEXT,
        f"{BASE}/tokenizer",
    }
    size = (folder / "void_pass1.safetensors").stat().st_size
    assert f"it has {size} bytes instead of {size + 10}" in problems["void_pass1.safetensors"]
    assert "missing: norm_final.bias" in problems["void_pass2.safetensors"]
    assert "encoder.conv_in.conv.bias [3] instead of [2]" in problems[f"{BASE}/vae"]
    assert problems[f"{BASE}/tokenizer"] == "is missing; fetch the weights again"


def test_a_missing_file_is_one_problem(folder: Path) -> None:
    add_hashes(folder)
    (folder / "void_pass1.safetensors").unlink()
    assert found(folder) == {"void_pass1.safetensors": "is missing; fetch the weights again"}


def test_a_narrow_pass_fits(folder: Path) -> None:
    def narrow(tensors: dict[str, torch.Tensor]) -> None:
        wide = tensors["patch_embed.proj.weight"]
        tensors["patch_embed.proj.weight"] = torch.cat([wide[:, :136], wide[:, -128:]], dim=1)

    change(folder / "void_pass1.safetensors", narrow)
    assert found(folder) == {}
    change(folder / "void_pass1.safetensors", lambda tensors: tensors.pop("norm_final.bias"))
    assert "missing: norm_final.bias;" in found(folder)["void_pass1.safetensors"]


def test_a_sharded_text_encoder_is_checked_shard_by_shard(folder: Path) -> None:
    parts = folder / TEXT
    tensors = load_file(parts)
    names = sorted(tensors)
    shards = {"model-1.safetensors": names[:5], "model-2.safetensors": names[5:]}
    for file, part in shards.items():
        save_file({name: tensors[name] for name in part}, parts.with_name(file))
    parts.unlink()
    index = {"weight_map": {name: file for file, part in shards.items() for name in part}}
    parts.with_name("model.safetensors.index.json").write_text(json.dumps(index))
    assert found(folder) == {}
    cut(parts.with_name("model-2.safetensors"))
    assert list(found(folder)) == [f"{BASE}/text_encoder/model-2.safetensors"]
    parts.with_name("model-2.safetensors").unlink()
    assert found(folder)[f"{BASE}/text_encoder/model-2.safetensors"].startswith("is missing")


def test_no_weights_are_read_without_hashes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("weights were opened")

    monkeypatch.setattr("void_server.model.loading.safe_open", refuse)
    assert found(folder) == {}


def test_no_folder_and_no_base_model_are_problems(folder: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert verify(nowhere, lambda *_: None) == [Problem(nowhere, "there is no such folder; fetch the weights")]
    shutil.rmtree(folder / BASE)
    cut(folder / "void_pass2.safetensors")
    assert set(found(folder)) == {".", "void_pass2.safetensors"}
