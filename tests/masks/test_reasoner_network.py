"""Every Reasoner against an endpoint that is slow, busy, broken, elsewhere or wary."""

from __future__ import annotations

import socket
import time
import traceback
from email.utils import formatdate
from functools import partial
from itertools import pairwise

import pytest
from masks.asking import GOOD, KEY, refusal
from masks.reasoner_server import MODEL, Reply, serving

from void_server.masks.endpoint import CannotReason, Patience, checked_endpoint, wait_from_header
from void_server.masks.gemini import Gemini
from void_server.masks.openai_compatible import OpenAICompatible


def test_silence_ends_after_the_timeout(reasoner, question):
    patience = Patience(timeout=0.3, attempts=3, first_wait=0.01)
    said = refusal(reasoner, question, Reply(GOOD.text, delay=20), requests=1, patience=patience)
    assert "did not answer within 0.3 s: raise the timeout" in said


def gaps(endpoint):
    return [later.time - earlier.time for earlier, later in pairwise(endpoint.requests)]


def test_a_busy_endpoint_is_asked_again_after_waits_that_double(reasoner, question):
    patience = Patience(timeout=30, attempts=4, first_wait=0.1)
    with serving(Reply(status=429, said="slow down"), Reply(status=503), Reply(status=500), GOOD) as endpoint:
        assert reasoner(endpoint, patience=patience).ask(question).confidence == 0.7
    waits = gaps(endpoint)
    assert len(waits) == 3
    for wait, longest in zip(waits, (0.1, 0.2, 0.4), strict=True):
        assert longest / 2 <= wait, "jitter takes off at most half"


@pytest.mark.parametrize("told", ["header", "date", "body"])
def test_the_wait_that_the_endpoint_asks_for_is_kept(reasoner, question, told):
    if told == "body" and reasoner.kind != "gemini":
        pytest.skip("only Gemini tells it there")
    when = {
        "header": {"retry_after": "0.4"},
        "body": {"retry_info": "0.4s"},
        "date": {"retry_after": formatdate(time.time() + 2, usegmt=True)},
    }
    patience = Patience(timeout=30, attempts=3, first_wait=0.02, longest_wait=30)
    with serving(Reply(status=429, **when[told]), GOOD) as endpoint:
        reasoner(endpoint, patience=patience).ask(question)
    assert gaps(endpoint)[0] >= 0.4


def test_an_endpoint_that_asks_for_too_long_a_wait_is_not_waited_for(reasoner, question):
    said = refusal(reasoner, question, Reply(status=429, said="quota", retry_after="3600"), requests=1)
    assert "HTTP 429: quota" in said
    assert "asks to wait 3600 s" in said


def test_retries_come_to_an_end(reasoner, question):
    said = refusal(reasoner, question, Reply(status=500, said="oh no"), requests=3)
    assert "HTTP 500: oh no), 3 times in a row: ask again later" in said
    said = refusal(reasoner, question, Reply(drop=True), requests=3)
    assert "broke off" in said
    assert "3 times in a row" in said


def test_a_connection_that_breaks_is_made_again(reasoner, question):
    with serving(Reply(drop=True), GOOD) as endpoint:
        assert reasoner(endpoint).ask(question).scene == "A table."


def test_the_wait_of_a_header():
    assert wait_from_header("12") == 12
    assert wait_from_header(formatdate(time.time() + 30, usegmt=True)) == pytest.approx(30, abs=2)
    assert wait_from_header("Thu, 01 Jan 1970 00:00:00 GMT") == 0
    assert [wait_from_header(value) for value in (None, "", "soon", "nan", "inf", "-3")] == [None] * 5 + [0]


def test_a_wrong_key_and_no_key(reasoner, question, monkeypatch):
    said = refusal(reasoner, question, GOOD, key="another", requests=1)
    assert "does not accept the key (HTTP 40" in said
    assert "check GEMINI_API_KEY" in said or "check VOID_REASONER_KEY" in said
    for value in ("", "  "):
        monkeypatch.setenv("GEMINI_API_KEY", value)
        monkeypatch.setenv("VOID_REASONER_KEY", value)
        monkeypatch.setenv("GOOGLE_API_KEY", "not this one")
        monkeypatch.setenv("OPENAI_API_KEY", "nor this one")
        if reasoner.kind == "gemini":
            assert "there is no key for Gemini: set GEMINI_API_KEY" in refusal(reasoner, question, GOOD, requests=0)
        else:
            with serving(GOOD) as endpoint:
                reasoner(endpoint).ask(question)
            assert "authorization" not in endpoint.requests[0].headers


def test_a_model_that_is_not_there_is_named(reasoner, question):
    said = refusal(reasoner, question, GOOD, requests=1, model="seer-0")
    assert "has no model 'seer-0'" in said
    assert "name one that it lists" in said


def test_no_network(reasoner, question):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: nobody answers, and nobody else gets the port
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(CannotReason, match=r"at http://127\.0\.0\.1:.* can't be reached .*: check the network"):
            reasoner(url).ask(question)


def test_a_redirect_does_not_carry_the_key_away(reasoner, question):
    with serving(GOOD) as elsewhere:
        for status in (302, 307, 308):
            reply = Reply(status=status, location=f"{elsewhere.url}/v1/chat/completions")
            assert "sends us elsewhere" in refusal(reasoner, question, reply, requests=1)
    assert not elsewhere.requests


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("localhost:8000", "no address"),
        ("ftp://host", "no address"),
        ("http://", "no address"),
        ("http://[", "no address"),
        ("http://host:99999", "no address"),
        (f"http://user:{KEY}@host", "holds a password"),
        (f"http://host/v1?key={KEY}", "holds a password, a query"),
    ],
)
def test_an_address_is_checked_before_anything_is_sent(address, problem):
    for make in (partial(Gemini, MODEL), partial(OpenAICompatible, model=MODEL), checked_endpoint):
        with pytest.raises(CannotReason, match=problem) as raised:
            make(address)
        assert KEY not in "".join(traceback.format_exception(raised.value))
