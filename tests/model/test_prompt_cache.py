"""Prompts' embeddings: the same bits from T5, from memory and from disk; T5 is loaded for new ones alone."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch

from void_server.model import WeightsFolder
from void_server.model.text import PromptEncoder
from void_server.training.tiny import write_random_weights


@pytest.fixture
def base(tiny_folder: Path) -> Path:
    return WeightsFolder.find(tiny_folder).base


class Watched:
    """A prompt encoder that tells how often T5 was loaded, and whether any is left."""

    def __init__(self, base: Path, cache: Path, dtype: torch.dtype = torch.float32) -> None:
        self.prompts = PromptEncoder.load(base, device="cpu", dtype=dtype, cache=cache)
        self.loaded: list[weakref.ref[Any]] = []
        load = self.prompts.load_encoder

        def watched() -> Any:
            encoder = load()
            self.loaded.append(weakref.ref(encoder))
            return encoder

        self.prompts.load_encoder = watched

    def embed(self, prompt: str) -> torch.Tensor:
        return self.prompts.embed(prompt)


def test_t5_is_loaded_for_a_new_prompt_and_let_go(base: Path, tmp_path: Path) -> None:
    watched = Watched(base, tmp_path)
    assert not watched.loaded, "loading the model does not load T5"
    gc.disable()  # it must not depend on when the collector comes
    try:
        first = watched.embed("a wall")
        assert len(watched.loaded) == 1
        assert watched.loaded[0]() is None, "T5 is still held"
    finally:
        gc.enable()
    assert torch.equal(watched.embed("a wall"), first)
    watched.embed("")
    assert len(watched.loaded) == 1, "pass 2's negative prompt came with the first"
    watched.embed("a river")
    assert len(watched.loaded) == 2


def test_embeddings_from_disk_are_the_same_bits(base: Path, tmp_path: Path) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        computed = Watched(base, tmp_path / "elsewhere", dtype).embed("a wall")
        Watched(base, tmp_path / "cache", dtype).embed("a wall")
        later = Watched(base, tmp_path / "cache", dtype)
        stored = later.embed("a wall")
        assert not later.loaded
        assert stored.dtype == dtype
        assert torch.equal(stored, computed)
        assert not torch.equal(stored, later.embed(""))
        assert not stored.is_inference(), "training uses it too"


def test_other_weights_don_t_share_embeddings(base: Path, tmp_path: Path) -> None:
    write_random_weights(tmp_path / "other", seed=1)
    ours, theirs = (
        Watched(base, tmp_path / "cache"),
        Watched(WeightsFolder.find(tmp_path / "other").base, tmp_path / "cache"),
    )
    assert not torch.equal(ours.embed("a wall"), theirs.embed("a wall"))
    assert len(theirs.loaded) == 1


@pytest.mark.parametrize("damage", [b"", b"half of a file", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_file_is_made_again(base: Path, tmp_path: Path, damage: bytes) -> None:
    right = Watched(base, tmp_path).embed("a wall")
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for path in files:
        path.write_bytes(damage)
    assert torch.equal(Watched(base, tmp_path).embed("a wall"), right)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_a_folder_that_can_t_be_written_costs_no_shot(
    base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    watched = Watched(base, tmp_path / "file" / "cache")
    assert torch.isfinite(watched.embed("a wall")).all()
    assert "can't be kept" in caplog.text


def test_the_folder_comes_from_the_environment(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOID_PROMPT_CACHE", str(tmp_path / "cache"))
    PromptEncoder.load(base, device="cpu", dtype=torch.float32).embed("a wall")
    assert len(list((tmp_path / "cache").iterdir())) == 2
    monkeypatch.delenv("VOID_PROMPT_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    PromptEncoder.load(base, device="cpu", dtype=torch.float32).embed("a wall")
    assert len(list((tmp_path / ".cache" / "void" / "prompts").iterdir())) == 2
