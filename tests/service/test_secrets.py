"""Secrets with names of their own, through a whole server: they are in no byte that it leaves behind or sends."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from following import make_job, take
from servers import Server
from void_client import keys
from void_client.client import Client
from void_client.errors import JobFailed

from void_server.service.logs import JsonLines, Secrets, TextLines

CANARIES = {"GEMINI_API_KEY": "AIzaCanary-of-gemini-01", "VOID_REASONER_KEY": "sk-canary-of-openai-02"}


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_library_that_quotes_keys_in_its_error_leaks_none(
    shot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """The stand-in engine raises the environment; the server has a CURVE pair as well."""
    for name, key in CANARIES.items():
        monkeypatch.setenv(name, key)
    public = keys.new_pair(tmp_path / "keys").public.decode()
    keys.allow(tmp_path / "keys", "ana", keys.new_pair(tmp_path / "ana").public.decode())
    left = tmp_path / "left"
    left.mkdir()
    server = Server(left / "spool", "--keys", tmp_path / "keys", "--log-format", form, "--log-level", "debug")
    monkeypatch.setenv("VOID_SERVER_KEY", public)
    monkeypatch.setenv("VOID_KEYS", str(tmp_path / "ana"))
    with Client(server.address) as client:
        sent = make_job(shot, "blurt")
        job_id = client.submit(sent)
        states: list[dict[str, Any]] = []
        with pytest.raises(JobFailed, match=r"ran into RuntimeError: .*\[secret\]") as caught:
            take(client, sent, job_id, on_state=states.append)
        told = str(caught.value) + repr(states) + repr(client.jobs())
    server.kill()  # the journal's log is left as it is
    written = b"".join(path.read_bytes() for path in left.rglob("*") if path.is_file())
    assert b"RuntimeError: the request was" in written, "the traceback is there"
    assert b"the model saw [secret]" in written, "the journal has the notice"
    secrets = [*CANARIES.values(), *(keys.read_pair(tmp_path / name).secret.decode() for name in ("keys", "ana"))]
    for secret in secrets:
        assert secret.encode() not in written
        assert secret not in told
    if form == "json":
        assert all(json.loads(line) for line in server.log().splitlines())


@pytest.mark.parametrize("form", [TextLines, JsonLines])
def test_a_named_secret_is_taken_out_of_messages_arguments_and_tracebacks(form: type[TextLines | JsonLines]) -> None:
    """Such as CURVE's, which is in no variable; also where it has what JSON would escape."""
    secret = 'Z85 "canary\\secret'
    try:
        raise ValueError(f"cannot use {secret}")
    except ValueError:
        record = logging.LogRecord("void", logging.ERROR, "", 0, "took %s", (secret,), sys.exc_info())
    line = form(Secrets(secret)).format(record)
    assert "canary" not in line
    assert line.count("[secret]") >= 2
    assert "ValueError: cannot use [secret]" in line


def test_what_is_public_or_too_short_to_be_a_secret_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOID_SERVER_KEY", "a-public-key-0123456789")
    monkeypatch.setenv("VOID_REASONER_KEY", "EMPTY")
    assert Secrets().hide("EMPTY a-public-key-0123456789") == "EMPTY a-public-key-0123456789"
