"""Finding the server, offering to start one, and saying why there is none. Diagnostics and the farm's button."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import stage
from servers import free_address
from void_client.client import Client

from .conftest import Script, status, wait_for_status

SERVE = f"{sys.executable} -m void_server serve --engine engines:Dimmer"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The started server's log goes under here."""
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path / "home")
    return tmp_path / "home"


def stop_server(address: str) -> None:
    """End the server that a node has started: it outlives its Nuke on purpose."""
    with Client(address) as client:
        worker = client.status()["workers"][0]["pid"]
    parent = int(Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(parent, signal.SIGTERM)


def test_no_server_is_said_with_address_cause_and_next_step(script: Script) -> None:
    address = free_address()
    node = script(address=address)
    stage.answer(False)
    stage.press(node, "bake")
    stage.wait_until(lambda: len(stage.messages()) == 2)
    question, said = stage.messages()
    for part in (address, "nothing listens there", "Start one here now?", "void serve"):
        assert part in question
    for part in (address, "nothing listens there", "press Bake"):
        assert part in said
        assert part in status(node)


def test_a_server_is_started_on_the_artists_word_and_bakes(
    home: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOID_SERVE_COMMAND", SERVE)
    address = free_address()
    node = script(address=address)
    stage.answer(True)
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames")
    assert "engines:Dimmer" in stage.messages()[0]
    stop_server(address)


def test_a_server_that_does_not_start_is_quoted(home: Path, script: Script) -> None:
    node = script(address=free_address(), serve_command=f"{SERVE} --weights {home / 'nowhere'} --engine nonsense")
    stage.answer(True)
    stage.press(node, "bake")
    stage.wait_until(lambda: len(stage.messages()) == 2)
    assert "ended at once" in stage.messages()[-1]
    assert "nonsense" in stage.messages()[-1]
    assert "server.log" in stage.messages()[-1]


def test_a_command_that_is_not_there_is_named(home: Path, script: Script) -> None:
    node = script(address=free_address(), serve_command="no-such-command serve")
    stage.answer(True)
    stage.press(node, "start_server")
    assert "no-such-command serve --bind" in stage.messages()[0], "the command is shown before it is run"
    stage.wait_until(lambda: len(stage.messages()) == 2)
    assert "no-such-command" in stage.messages()[-1]
    assert "VOID_SERVE_COMMAND" in stage.messages()[-1]


def test_the_environment_names_the_server_and_the_panel_overrides_it(
    script: Script, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = script(address="")
    monkeypatch.setenv("VOID_SERVER", server)
    stage.press(node, "check_server")
    stage.wait_until(lambda: stage.messages())
    assert f"at {server}: ready, dimmer" in stage.messages()[-1]
    node["server"].setValue("tcp://127.0.0.1:9")
    stage.press(node, "check_server")
    stage.wait_until(lambda: len(stage.messages()) == 2)
    assert "tcp://127.0.0.1:9" in stage.messages()[-1]


def test_an_address_that_is_none_is_said(script: Script) -> None:
    node = script(address="localhost")
    stage.press(node, "bake")
    stage.wait_until(lambda: stage.messages())
    assert "localhost is no address" in stage.messages()[-1]
    assert "tcp://127.0.0.1:5690" in stage.messages()[-1]


def test_diagnostics_tell_what_a_td_asks_first(script: Script, server: str) -> None:
    node = script()
    stage.press(node, "diagnose")
    stage.wait_until(lambda: "ready, dimmer" in node["diagnostics"].value())
    text = node["diagnostics"].value()
    for part in (
        server,
        "plate: Read_plate, roto: Read_roto",
        "1001-1006",
        "zmq: ",
        node["void_id"].value(),
        "shot.nk",
    ):
        assert part in text
