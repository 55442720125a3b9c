"""`void doctor` on set-ups that are broken in one way each."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import free_address
from void_client import keys

Examined = Callable[..., tuple[int, dict[str, dict[str, str]]]]


@pytest.fixture
def examined(void: Any, tmp_path: Path, tiny_folder: Path) -> Examined:
    """Exit status, and findings by what they are about."""

    def run(env: dict[str, str] | None = None, **changes: object) -> tuple[int, dict[str, dict[str, str]]]:
        options = {
            "server": free_address(),
            "weights": tiny_folder,
            "spool": tmp_path / "spool",
            "keys": tmp_path / "keys",
        } | changes
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        done = void("doctor", "--json", *words, env=env)
        assert "Traceback" not in done.stderr, done.stderr
        findings = [json.loads(line) for line in done.stdout.splitlines()]
        return done.returncode, {finding["about"]: finding for finding in findings}

    return run


def test_a_set_up_without_a_fault(examined: Examined, tmp_path: Path) -> None:
    status, found = examined()
    assert status == 0
    assert {about for about, finding in found.items() if finding["level"] == "wrong"} == set()
    assert set(found) == {"versions", "clock", "GPU", "memory", "weights", "server", "disk", "journal", "keys"}
    assert "free for `void serve`" in found["server"]["text"]
    assert not (tmp_path / "spool").exists(), "nothing is changed"


def test_a_server_that_answers_is_told_with_its_jobs(examined: Examined, server: str) -> None:
    status, found = examined(server=server)
    assert status == 0
    assert "is ready, dimmer" in found["server"]["text"]


@pytest.mark.slow
def test_each_fault_is_named_with_what_to_do(examined: Examined, tmp_path: Path) -> None:
    spool = tmp_path / "damaged"
    spool.mkdir()
    (spool / "journal.sqlite").write_bytes(b"rubbish" * 1000)
    open_keys = tmp_path / "open"
    keys.new_pair(open_keys)
    (open_keys / "void.key_secret").chmod(0o644)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = f"tcp://127.0.0.1:{stranger.getsockname()[1]}"
        for changes, about, words in [
            ({"weights": tmp_path / "none"}, "weights", "void weights fetch"),
            ({"server": taken}, "server", "no VOID server"),
            ({"spool": spool}, "journal", "move the folder"),
            ({"spool": "/proc/none"}, "disk", "--spool"),
            ({"keys": open_keys}, "keys", "chmod 600"),
            ({"env": {"VOID_SERVER_KEY": "0" * 40}}, "keys", "void keys new"),
        ]:
            status, found = examined(**changes)
            assert (status, found[about]["level"]) == (1, "wrong"), (about, found[about])
            assert words in found[about]["text"]
    assert (spool / "journal.sqlite").read_bytes() == b"rubbish" * 1000


def test_in_words(void: Any, tmp_path: Path) -> None:
    done = void("doctor", "--server", free_address(), "--spool", tmp_path, "--keys", tmp_path)
    assert done.returncode == 0
    assert "ok     versions: VOID" in done.stdout
    assert "look   weights: none were named" in done.stdout
