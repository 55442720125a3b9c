"""Every Reasoner against an endpoint on this machine that speaks its protocol: what is asked, what is answered."""

from __future__ import annotations

import io
import json
import re

import av
import pytest
from masks.asking import ANSWER, FRAMES, GOOD, GRID, KEY, SHADOW, later_turns, maker, refusal, sent_parts, sent_schema
from masks.reasoner_server import Reply, serving
from PIL import Image

from void_server.masks.hints import Hints, read_hints, schema
from void_server.masks.reasoner import Question


def answer_with(**place):
    localization = {"frame": 1004, "grid_regions": [{"row": 5, "col": 3}]}
    if "frame" in place:
        localization["frame"] = place["frame"]
    else:
        localization["grid_regions"] = [place]
    return Reply(json.dumps(ANSWER | {"affected": [SHADOW | {"grid_localizations": [localization]}]}))


def test_a_good_answer_becomes_hints(reasoner, question):
    with serving(GOOD, key=KEY) as endpoint:
        hints = reasoner(endpoint).ask(question)
    assert isinstance(hints, Hints)
    assert hints == read_hints(json.dumps(ANSWER).encode(), "answer", FRAMES, GRID)
    assert hints.affected[0].grid_localizations[0].grid_regions[1].col == 11
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("wrapping", ["```json\n{}\n```", "Here it is:\n\n{}\nI hope that helps.", "\n {} \n"])
def test_talk_around_the_json_is_overlooked(reasoner, question, wrapping):
    with serving(Reply(wrapping.replace("{}", GOOD.text))) as endpoint:
        assert reasoner(endpoint).ask(question).scene == "A table."
    assert len(endpoint.requests) == 1


def test_the_question_holds_the_pictures_the_schema_and_what_the_artist_said(reasoner, question):
    with serving(GOOD) as endpoint:
        reasoner(endpoint).ask(question)
    (request,) = endpoint.requests
    assert sent_schema(request) == schema()
    parts = list(sent_parts(request))
    pictures = [part for part in parts if part[0] == "image/jpeg"]
    stills = [still.jpeg for still in question.evidence.stills]
    assert len(stills) == 10
    assert [data for _, data in pictures] == [*stills, question.evidence.appearance.jpeg]
    assert all(Image.open(io.BytesIO(data)).width > 640 for _, data in pictures)
    for still in question.evidence.stills:
        assert parts[parts.index(f"Frame {still.frame}:") + 1] == ("image/jpeg", still.jpeg)
    text = parts[0]
    for fact in (
        r"the \"glass\" on the left",
        "1001 to 1014",
        "8 rows and 12 columns",
        "rows 0 to 7",
        "columns 0 to 11",
    ):
        assert fact in text
    assert "{" not in text.replace('{"rows": 8, "cols": 12}', "")


@pytest.mark.parametrize("kind", ["gemini", "openai with video"])
def test_the_video_is_sent_whole_to_those_who_take_one(kind, question, surroundings):
    with serving(GOOD) as endpoint:
        maker(kind)(endpoint).ask(question)
    (request,) = endpoint.requests
    parts = list(sent_parts(request))
    (mp4,) = [part[1] for part in parts if part[0] == "video/mp4"]
    with av.open(io.BytesIO(mp4)) as box:
        assert len(list(box.decode(video=0))) == 14
    assert "and a video" in parts[0]
    assert "14 pictures" in parts[parts.index(("video/mp4", mp4)) - 1]
    if kind == "gemini":
        told = [part["videoMetadata"] for part in request.body["contents"][0]["parts"] if "videoMetadata" in part]
        assert told == [{"fps": 24.0}], "Gemini looks at one picture a second unless told otherwise"


def test_those_who_take_no_video_hear_of_none(question, surroundings):
    with serving(GOOD) as endpoint:
        maker("openai")(endpoint).ask(question)
    assert "video" not in str([part for part in sent_parts(endpoint.requests[0]) if isinstance(part, str)])


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(end="blocked"), "refuses to .*PROHIBITED_CONTENT.*: describe the object differently, give a hints file"),
        (Reply(end="filtered"), "(SAFETY|content_filter).*: describe the object differently"),
        (Reply("{", end="filtered"), "(SAFETY|content_filter).*: describe the object differently"),
        (Reply(end="nothing"), "no answer at all.*: ask again"),
        (Reply(""), "answer is empty.*: ask again"),
        (Reply(), "answer is empty.*: ask again"),
        (Reply(GOOD.text[:40], end="cut"), "too long and was cut off"),
        (
            Reply(status=400, said="Invalid JSON schema"),
            r"refuses the request \(HTTP 400: Invalid JSON schema\): check",
        ),
        (Reply(status=413, said="too large"), r"refuses the request \(HTTP 413: too large\)"),
        (
            Reply(status=403, said="no"),
            r"does not accept the key \(HTTP 403: no\): check (GEMINI_API|VOID_REASONER)_KEY",
        ),
    ],
)
def test_a_refusal_is_told_at_once_with_what_to_do(reasoner, question, reply, message):
    assert re.search(message, refusal(reasoner, question, reply, requests=1))


STRANGE = (b"", b"<html>welcome</html>", b"[]", b'"{}"', b"7", b"\xff\xfe")
WRONG = (b'{"candidates": 3, "choices": 3}', b'{"candidates": [3], "choices": [3]}')


@pytest.mark.parametrize("body", STRANGE + WRONG)
def test_another_protocol_is_told_apart_from_a_refusal(reasoner, question, body):
    said = refusal(reasoner, question, Reply(body=body), requests=1)
    assert "does not answer as" in said or "no answer at all" in said


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (Reply("I see a glass."), "not valid JSON"),
        (Reply(GOOD.text[:-30]), "not valid JSON"),
        (Reply("{}"), "grid"),
        (answer_with(row=8, col=3), "row is 8, outside the grid"),
        (answer_with(row=5, col=12), "col is 12, outside the grid"),
        (answer_with(frame=14), "frame is 14, which is not a frame of the shot.*1001 to 1014"),
    ],
)
def test_an_answer_that_cannot_be_used_is_sent_back_once(reasoner, question, reply, problem):
    said = refusal(reasoner, question, reply, requests=2)
    assert re.search(problem, said)
    assert "ask again, write the hints by hand, or go on with the roto alone" in said
    with serving(reply, GOOD) as endpoint:
        assert reasoner(endpoint).ask(question).scene == "A table."
    first, second = endpoint.requests
    assert list(sent_parts(first)) == list(sent_parts(second))
    assert not later_turns(first)
    (speaker, theirs), (us, ours) = later_turns(second)
    assert (speaker in ("model", "assistant"), us, theirs) == (True, "user", reply.text)
    assert re.search(problem, ours)


def test_an_answer_in_the_older_form_is_taken(reasoner, question, shared):
    older = shared / "samples" / "gemini_answer_older_schema.json"
    if not older.exists():
        pytest.skip(f"no {older}")
    answer = json.loads(older.read_text())
    grid = answer["grid_rows"], answer["grid_cols"]
    asked = Question(question.evidence, FRAMES, grid)
    with serving(Reply(older.read_text())) as endpoint:
        hints = reasoner(endpoint).ask(asked)
    assert hints.affected[0].noun == "shadow"
    assert hints.scene == answer["scene_description"]
