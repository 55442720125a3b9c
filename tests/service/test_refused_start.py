"""A server that can't do what it was told says why, and ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import Void


@pytest.mark.slow
def test_a_server_says_why_it_cannot_start(void: Any, server: str, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    assert void("weights", "tiny", weights).returncode == 0
    for arguments, word in [
        (("--bind", "tcp://0.0.0.0:5690"), "loopback"),
        (("--bind", server), "can't be bound"),
        (("--weights", tmp_path / "none"), "no weights folder"),
        (("--engine", "nowhere:factory"), "no engine"),
        (("--first-block-cache", "2", "--weights", weights), "first_block_cache"),
        (("--plan", "big"), "not one of"),
        (("--spool", "/proc/none"), "spool"),
    ]:
        done = void("serve", *(arguments if "--bind" in arguments else ("--bind", "tcp://127.0.0.1:*", *arguments)))
        assert done.returncode == 2, done.stderr
        assert word in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--sam2", "/nowhere"], ["/nowhere", "no config.json", "facebook/sam2.1-hiera-large"]),
        (["--reasoner", "openai"], ["--reasoner-endpoint", "--reasoner-model", "http://127.0.0.1:11434/v1"]),
        (
            ["--reasoner", "openai", "--reasoner-model", "m", "--reasoner-endpoint", "http://me:secret@there/v1"],
            ["password", "key in the environment"],
        ),
        (["--reasoner", "gemini", "--reasoner-endpoint", "there"], ["no address", "http://127.0.0.1:8000/v1"]),
    ],
    ids=["sam2", "openai", "password", "address"],
)
def test_a_server_that_can_not_do_what_it_was_told_says_why_and_ends(
    void: Void, options: list[str], words: list[str]
) -> None:
    done = void("serve", "--engine", "engines:Dimmer", "--bind", "tcp://127.0.0.1:*", *options)
    assert done.returncode == 2
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
    assert not done.stdout
