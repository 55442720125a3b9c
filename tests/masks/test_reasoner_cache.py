"""An answer is kept, and the same question not asked twice."""

from __future__ import annotations

import msgspec
import pytest
from masks.asking import FRAMES, GOOD, GRID
from masks.reasoner_server import Reply, serving

from void_server.masks.endpoint import CannotReason
from void_server.masks.gemini import Gemini
from void_server.masks.hints import read_hints
from void_server.masks.openai_compatible import OpenAICompatible
from void_server.masks.reasoner import Question, answer_path, ask_with_cache


class Counted:
    """A reasoner that answers from memory and counts."""

    def __init__(self, identity="counted"):
        self.identity, self.count = identity, 0

    def ask(self, question):
        self.count += 1
        return read_hints(GOOD.text.encode(), "answer", FRAMES, GRID)


def test_a_question_that_was_answered_is_not_asked_again(reasoner, question, tmp_path):
    with serving(GOOD) as endpoint:
        asked = reasoner(endpoint)
        hints = ask_with_cache(asked, question, tmp_path / "new")
    assert len(endpoint.requests) == 1
    # The endpoint is gone, and so could the key be.
    assert ask_with_cache(asked, question, tmp_path / "new") == hints
    (kept,) = (tmp_path / "new").iterdir()
    assert kept == answer_path(asked, question, tmp_path / "new")


def test_an_answer_is_kept_as_json_to_be_edited(question, tmp_path):
    reasoner = Counted()
    hints = ask_with_cache(reasoner, question, tmp_path)
    path = answer_path(reasoner, question, tmp_path)
    text = path.read_text()
    assert read_hints(path.read_bytes(), "given back", FRAMES, GRID) == hints
    assert text.count("\n") > 10, "a field a line"
    path.write_text(text.replace("A table.", "A table in the sun."))
    assert ask_with_cache(reasoner, question, tmp_path) == msgspec.structs.replace(hints, scene="A table in the sun.")
    assert reasoner.count == 1


DAMAGES = {
    "empty": lambda text: "",
    "cut": lambda text: text[: len(text) // 2],
    "of another shot": lambda text: text.replace("1004", "4"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_answer_is_asked_for_anew_and_set_aside(question, tmp_path, damage, caplog):
    reasoner = Counted()
    hints = ask_with_cache(reasoner, question, tmp_path)
    path = answer_path(reasoner, question, tmp_path)
    damaged = damage(path.read_text())
    path.write_text(damaged)
    assert ask_with_cache(reasoner, question, tmp_path) == hints
    assert reasoner.count == 2
    assert path.with_suffix(".damaged.json").read_text() == damaged
    assert "damaged" in caplog.text
    assert ask_with_cache(reasoner, question, tmp_path) == hints
    assert reasoner.count == 2


def test_another_question_or_another_reasoner_is_asked(question, tmp_path, monkeypatch):
    def change(**fields):
        values = {name: getattr(question, name) for name in ("evidence", "frames", "grid", "subject")}
        return Question(**values | fields)

    evidence = question.evidence
    stills = (*evidence.stills[:-1], type(evidence.appearance)(1014, evidence.stills[-1].jpeg + b"\0"))
    others = [
        change(subject="the lamp"),
        change(frames=range(1001, 1016)),
        change(grid=(8, 13)),
        change(evidence=type(evidence)(stills, evidence.appearance, evidence.video)),
        change(evidence=type(evidence)(evidence.stills, evidence.stills[2], evidence.video)),
    ]
    paths = {answer_path(Counted(), asked, tmp_path) for asked in (question, *others)}
    url = "http://127.0.0.1:1"
    askers = [Gemini("a", url), Gemini("b", url), Gemini("a", url + "0"), OpenAICompatible(url, "a")]
    paths |= {answer_path(asker, question, tmp_path) for asker in (*askers, OpenAICompatible(url, "a", video=True))}
    assert len(paths) == 11
    for target in ("schema", "instruction"):
        monkeypatch.setattr(f"void_server.masks.reasoner.{target}", lambda *_, **__: "another")
        paths.add(answer_path(Counted(), question, tmp_path))
    assert len(paths) == 13


def test_a_folder_that_cannot_be_written_to_costs_nothing_but_another_question(question, tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    reasoner = Counted()
    assert ask_with_cache(reasoner, question, blocked / "folder").scene == "A table."
    assert "can't be kept" in caplog.text


def test_an_error_is_not_kept(reasoner, question, tmp_path):
    with serving(Reply(end="blocked")) as endpoint, pytest.raises(CannotReason):
        ask_with_cache(reasoner(endpoint), question, tmp_path)
    assert not list(tmp_path.iterdir())
