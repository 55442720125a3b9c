"""The key reaches the endpoint and nobody else; nobody else is contacted at all."""

from __future__ import annotations

import json
import logging
import sys
import traceback

import pytest
from masks.asking import GOOD, KEY
from masks.reasoner_server import Reply, serving

from void_server.masks.endpoint import CannotReason, Patience
from void_server.masks.reasoner import ask_with_cache


def everything_about(error):
    """All that any handler could print of an exception: its chain, suppressed links too, and their fields."""
    told, seen = [], []
    while error is not None and error not in seen:
        seen.append(error)
        told += [str(error), repr(error), repr(error.args), repr(vars(error)), *traceback.format_exception(error)]
        error = error.__cause__ or error.__context__
    return "".join(told)


FAILURES = [
    GOOD,
    Reply("rubbish"),
    Reply(f"{{{KEY}}}"),
    Reply(GOOD.text.replace("A table.", KEY)),
    Reply(end="blocked"),
    Reply(status=400, said=f"API key not valid: {KEY}"),
    Reply(status=404, said=f"no such model for {KEY}"),
    Reply(status=500, said=f"{KEY} {KEY}"),
    Reply(status=429, said=KEY, retry_after="3600"),
    Reply(status=403, body=f"<p>{KEY}</p>".encode()),
    Reply(status=302, location="http://127.0.0.1:1/"),
    Reply(drop=True),
    Reply(body=b"[]"),
    Reply(GOOD.text, delay=20),
]


@pytest.mark.parametrize("reply", FAILURES, ids=range(len(FAILURES)))
def test_the_key_is_printed_nowhere(reasoner, question, reply, caplog, capfd, tmp_path):
    """Everything is logged, everything is printed, the endpoint echoes the key: it is still not to be found."""
    caplog.set_level(logging.DEBUG)
    for name in ("google_genai", "httpx2", "httpcore2", "void_server"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    patience = Patience(timeout=0.3, attempts=2, first_wait=0.01, longest_wait=0.1)
    told = ""
    with serving(reply) as endpoint:
        asked = reasoner(endpoint, patience=patience)
        try:
            told += repr(ask_with_cache(asked, question, tmp_path))
        except CannotReason as error:
            told += everything_about(error)
    told += f"{asked!r} {asked} {asked.identity} {vars(asked)}"
    told += "".join(path.name + path.read_text() for path in tmp_path.iterdir())
    told += "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    captured = capfd.readouterr()
    told += captured.out + captured.err
    assert KEY in json.dumps(endpoint.requests[0].headers), "it was sent"
    assert "127.0.0.1" in told
    assert KEY not in told


@pytest.mark.parametrize("key", ["a", "EMPTY", "table"])
def test_a_placeholder_for_a_key_does_not_spoil_the_answer(reasoner, question, key, monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", key)
    monkeypatch.setenv("VOID_REASONER_KEY", key)
    with serving(GOOD, key=key) as endpoint:
        assert reasoner(endpoint).ask(question).scene == "A table."


@pytest.mark.parametrize("value", [f"{KEY}\nX-Other: 1", f"{KEY} {KEY}", f"{KEY}é", f"{KEY}\x7f"])
def test_a_key_that_no_header_takes_is_refused_unseen(reasoner, question, value, monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", value)
    monkeypatch.setenv("VOID_REASONER_KEY", value)
    with (
        serving(GOOD) as endpoint,
        pytest.raises(CannotReason, match="_KEY holds spaces, line breaks or letters") as raised,
    ):
        reasoner(endpoint).ask(question)
    assert KEY not in everything_about(raised.value)
    assert not endpoint.requests


addresses: list[object] = []
listening = False


def note_addresses(event, arguments):
    if listening and event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        addresses.append(arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[0])
    if listening and event == "open" and isinstance(arguments[0], str) and "gcloud" in arguments[0]:
        addresses.append(arguments[0])


def test_nobody_but_the_endpoint_is_contacted(reasoner, question, monkeypatch):
    """No telemetry, no look-up of a cloud's metadata server, even where Google's settings point at them."""
    global listening
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "a-project")
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "us-central1")
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_GENAI_USE_ENTERPRISE", "true")
    monkeypatch.setenv("GOOGLE_GENAI_CLIENT_MODE", "replay")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://192.0.2.1")
    sys.addaudithook(note_addresses)
    addresses.clear()
    with serving(GOOD) as endpoint:
        listening = True
        try:
            reasoner(endpoint).ask(question)
        finally:
            listening = False
    assert addresses
    port = int(endpoint.url.rpartition(":")[2])
    assert set(addresses) <= {("127.0.0.1", port), "127.0.0.1", b"127.0.0.1"}
