"""What the tests of the reasoners share: an answer, who is asked, and how to read what was sent."""

from __future__ import annotations

import base64
import json

import pytest
from masks.reasoner_server import MODEL, Reply, serving

from void_server.masks.endpoint import CannotReason, Patience
from void_server.masks.gemini import Gemini
from void_server.masks.openai_compatible import OpenAICompatible

KEY = "AIzaSecret-0123456789"
FRAMES, GRID = range(1001, 1015), (8, 12)
PATIENCE = Patience(timeout=30, attempts=3, first_wait=0.02, longest_wait=0.6)

SHADOW = {
    "noun": "shadow",
    "category": "visual_artifact",
    "why": "the glass casts it",
    "grid_localizations": [{"frame": 1004, "grid_regions": [{"row": 5, "col": 3}, {"row": 5, "col": 11}]}],
}
ANSWER = {
    "grid": {"rows": 8, "cols": 12},
    "scene": "A table.",
    "confidence": 0.7,
    "belongings": [],
    "affected": [SHADOW],
}
GOOD = Reply(json.dumps(ANSWER))


def maker(kind):
    """Makes reasoners of one kind, each for an endpoint or its address."""

    def make(endpoint, *, model=MODEL, patience=PATIENCE):
        url = endpoint if isinstance(endpoint, str) else endpoint.url
        if kind == "gemini":
            return Gemini(model, url, patience=patience)
        return OpenAICompatible(f"{url}/v1/", model, video="video" in kind, patience=patience)

    make.kind = kind
    return make


def refusal(reasoner, question, *replies, key=None, requests, **options):
    """The message of the CannotReason that these replies lead to, after so many requests."""
    with serving(*replies, key=key) as endpoint, pytest.raises(CannotReason) as raised:
        reasoner(endpoint, **options).ask(question)
    assert len(endpoint.requests) == requests
    return str(raised.value)


def sent_parts(request):
    """A request's first message as a list of texts and (mime, bytes), whichever the protocol."""
    if "contents" in request.body:
        for part in request.body["contents"][0]["parts"]:
            data = part.get("inlineData")
            # Google's JSON takes names in either case and base64 in either alphabet.
            yield (data["mime_type"], base64.urlsafe_b64decode(data["data"])) if data else part["text"]
    else:
        for part in request.body["messages"][0]["content"]:
            url = part[part["type"]]["url"] if part["type"] != "text" else None
            mime, _, data = url.removeprefix("data:").partition(";base64,") if url else ("", "", "")
            yield (mime, base64.b64decode(data)) if url else part["text"]


def sent_schema(request):
    if "contents" in request.body:
        config = request.body["generationConfig"]
        assert config["responseMimeType"] == "application/json"
        return config["responseJsonSchema"]
    form = request.body["response_format"]
    assert form["type"] == "json_schema"
    return form["json_schema"]["schema"]


def later_turns(request):
    """What was said after the question."""
    if "contents" in request.body:
        return [(turn["role"], turn["parts"][0]["text"]) for turn in request.body["contents"][1:]]
    return [(turn["role"], turn["content"]) for turn in request.body["messages"][1:]]
