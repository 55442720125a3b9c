"""What is affected, told by a hints file or by somebody who is asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from masking_shots import (
    FRAMES,
    PICTURE,
    SCENE,
    SHADOW,
    Carrier,
    Seer,
    asking,
    disc,
    expected,
    hints,
    levels,
    paint,
    parsed,
    quadmasks,
    refused,
    write_plate,
)
from masks.asking import KEY
from masks.reasoner_server import MODEL, Reply, serving
from shots_on_disk import SETTINGS, Engine, Progress, flat_image, footage

from void_server.footage import Footage
from void_server.masking import MaskTools
from void_server.masks.endpoint import CannotReason
from void_server.masks.gemini import Gemini
from void_server.masks.hints import BadHints, Hints, read_hints
from void_server.masks.reasoner import Question
from void_server.mattes import Mattes
from void_server.plates.exr import write_frame
from void_server.shot import build_quadmasks, remove_object


@pytest.fixture
def plate(tmp_path: Path) -> Footage:
    return write_plate(tmp_path)


# Hints that are given


def test_hints_are_in_the_quadmask_at_the_cells_told(plate: Footage, tmp_path: Path) -> None:
    engine = Engine(lambda request: request.clip)
    mattes, text = Mattes(paint(tmp_path, FRAMES)), json.dumps(hints())
    shown = levels(remove_object(plate, mattes, SETTINGS, engine, Progress(), hints=text))
    for frame in FRAMES:
        assert np.array_equal(shown[frame], expected(frame)), frame
    alone = quadmasks(plate, mattes, hints=text)
    assert all(np.array_equal(alone[frame], shown[frame]) for frame in FRAMES)
    assert (engine.requests[0].quadmask[0, 36:42, 42:55] == 255).all(), "nothing is affected on the first frame"
    assert (engine.requests[0].quadmask[1, 37:41, 44:54] == 127).all(), "rows 36 to 42, columns 42.5 to 55 of 48x80"


def test_hints_are_grown_by_the_settings_and_belongings_are_not(plate: Footage, tmp_path: Path) -> None:
    shown = quadmasks(plate, Mattes(paint(tmp_path, FRAMES)), replace(SETTINGS, grow=1), hints=json.dumps(hints()))
    affected = np.zeros((80, 128), bool)
    affected[50:80, 59:98] = True  # rows 5 to 7, columns 6 to 9
    removed = disc(1004)
    removed[0:10, 0:9] = True
    assert np.array_equal(np.isin(shown[1004], (63, 127)), affected)
    assert np.array_equal(np.isin(shown[1004], (0, 63)), removed)


def test_what_is_painted_as_affected_is_grown_by_the_settings(plate: Footage, tmp_path: Path) -> None:
    roto = paint(tmp_path, FRAMES)
    for frame in FRAMES:
        image = flat_image(0.0, PICTURE, PICTURE, "A")
        image.channel("A")[65:66, 70:71] = 1.0  # row 6, column 7
        (tmp_path / f"affected.{frame:04d}.exr").write_bytes(write_frame(image))
    mattes = Mattes(roto, footage(tmp_path, "affected", FRAMES))
    for grow, place in [(0, np.s_[60:70, 68:78]), (1, np.s_[50:80, 59:88])]:
        affected = np.zeros((80, 128), bool)
        affected[place] = True
        shown = quadmasks(plate, mattes, replace(SETTINGS, grow=grow))
        assert np.array_equal(np.isin(shown[1003], (63, 127)), affected)


def test_hints_go_with_a_roto_that_is_carried(plate: Footage, tmp_path: Path) -> None:
    mattes = Mattes(paint(tmp_path, [1002]))
    shown = quadmasks(plate, mattes, hints=json.dumps(hints()), tools=MaskTools(Carrier()))
    assert np.array_equal(shown[1002], expected(1002))
    assert np.isin(shown[1005][SHADOW], (63, 127)).all()
    assert np.isin(shown[1005][:, 52:64], (0, 63)).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", ["not valid JSON"]),
        ('{"grid": {"rows": 8,\n"cols": 13},\n"affected": [}', ["not valid JSON, line 3"]),
        (json.dumps(hints(grid={"rows": 8, "cols": 14})), ["8 rows and 14 columns", "8 and 13"]),
        (json.dumps(hints()).replace("1002", "99"), ["affected[0].grid_localizations[0].frame is 99", "1001 to 1006"]),
        (json.dumps(hints()).replace('"col": 8', '"col": 13'), ["affected[0].grid_localizations[0].grid_regions[1]"]),
        (json.dumps(hints(colour="red")), ["colour"]),
    ],
    ids=["cut", "line", "grid", "frame", "cell", "field"],
)
def test_hints_that_do_not_fit_are_refused_with_their_place(
    plate: Footage, tmp_path: Path, text: str, words: list[str]
) -> None:
    said = refused(plate, Mattes(paint(tmp_path, FRAMES)), BadHints, SETTINGS, hints=text)
    for word in ("the hints file", *words):
        assert word in said


def test_the_scene_becomes_the_prompt_where_there_is_none(plate: Footage, tmp_path: Path) -> None:
    mattes = Mattes(paint(tmp_path, FRAMES))
    for prompt, text, seen in [
        ("", json.dumps(hints()), SCENE),
        ("a desert", json.dumps(hints()), "a desert"),
        ("", json.dumps(hints(scene="")), ""),
    ]:
        engine, progress = Engine(lambda request: request.clip), Progress()
        list(remove_object(plate, mattes, SETTINGS, engine, progress, prompt=prompt, hints=text))
        assert engine.requests[0].prompt == seen
        assert [SCENE in notice for notice in progress.notices] == ([True] if seen == SCENE else [])


# Hints that somebody is asked for


def test_who_may_not_be_asked_is_not_asked(plate: Footage, tmp_path: Path) -> None:
    seer, progress = Seer(parsed()), Progress()
    mattes = Mattes(paint(tmp_path, FRAMES))
    shown = quadmasks(plate, mattes, tools=MaskTools(reasoner=seer, answers=tmp_path / "a"), progress=progress)
    assert not seer.questions
    assert not progress.notices
    assert not hasattr(progress, "kept")
    assert not (tmp_path / "a").exists()
    assert not any(np.isin(shown[frame], (63, 127)).any() for frame in FRAMES)


@pytest.mark.parametrize("how", ["try", "require"])
def test_who_may_be_asked_is_asked_once_and_the_answer_can_be_given_back(
    plate: Footage, tmp_path: Path, how: str
) -> None:
    seer, progress = Seer(parsed()), Progress()
    tools = MaskTools(reasoner=seer, answers=tmp_path / "answers")
    mattes = Mattes(paint(tmp_path, FRAMES))
    engine = Engine(lambda request: request.clip)
    shown = levels(remove_object(plate, mattes, asking(how), engine, progress, tools=tools))
    assert all(np.array_equal(shown[frame], expected(frame)) for frame in FRAMES)
    assert engine.requests[0].prompt == SCENE
    (question,) = seer.questions
    assert (question.frames, question.grid, question.subject) == (FRAMES, (8, 13), "the ball")
    assert question.evidence.appearance.frame == 1001
    assert read_hints(progress.kept.encode(), "kept", FRAMES, (8, 13)) == seer.answer
    assert progress.kept.endswith("}\n")
    assert progress.kept.count("\n") > 20, "laid out to be edited"
    again = Progress()
    second = quadmasks(plate, mattes, asking(how), tools=tools, progress=again)
    assert len(seer.questions) == 1, "the answer was kept"
    assert again.kept == progress.kept
    back = quadmasks(plate, mattes, hints=progress.kept)
    assert all(np.array_equal(back[frame], expected(frame)) for frame in FRAMES)
    assert all(np.array_equal(second[frame], expected(frame)) for frame in FRAMES)


def test_what_is_said_of_the_object_asks_anew(plate: Footage, tmp_path: Path) -> None:
    seer = Seer(parsed())
    tools = MaskTools(reasoner=seer, answers=tmp_path / "answers")
    mattes = Mattes(paint(tmp_path, FRAMES))
    for subject in ("the ball", "the glass"):
        quadmasks(plate, mattes, replace(SETTINGS, ask="require", subject=subject), tools=tools)
    assert [question.subject for question in seer.questions] == ["the ball", "the glass"]


def test_hints_that_are_given_are_not_asked_for(plate: Footage, tmp_path: Path) -> None:
    seer, progress = Seer(CannotReason("never")), Progress()
    tools = MaskTools(reasoner=seer, answers=tmp_path / "answers")
    mattes = Mattes(paint(tmp_path, FRAMES))
    shown = quadmasks(plate, mattes, asking("require"), hints=json.dumps(hints()), tools=tools, progress=progress)
    assert not seer.questions
    assert not hasattr(progress, "kept")
    assert np.array_equal(shown[1003], expected(1003))


def test_nobody_is_asked_where_a_quadmask_is_given(plate: Footage, tmp_path: Path) -> None:
    (tmp_path / "back").mkdir()
    first = build_quadmasks(plate, Mattes(paint(tmp_path, FRAMES)), SETTINGS, Progress())
    for number, frame in zip(FRAMES, first, strict=True):
        (tmp_path / "back" / f"q.{number:04d}.exr").write_bytes(write_frame(frame))
    seer = Seer(parsed())
    tools = MaskTools(reasoner=seer, answers=tmp_path / "answers")
    back = Mattes(quadmask=footage(tmp_path / "back", "q", FRAMES))
    shown = quadmasks(plate, back, asking("require"), tools=tools)
    assert not seer.questions
    assert all(np.array_equal(shown[frame] == 0, disc(frame)) for frame in FRAMES)


def test_where_nobody_answers_a_shot_that_only_tries_goes_on_with_its_paint(plate: Footage, tmp_path: Path) -> None:
    mattes = Mattes(paint(tmp_path, FRAMES), paint(tmp_path, FRAMES))
    painted = quadmasks(plate, mattes)
    for tools, why in [
        (MaskTools(), "nobody to ask"),
        (MaskTools(reasoner=Seer(CannotReason("it is asleep")), answers=tmp_path), "it is asleep"),
    ]:
        progress = Progress()
        shown = quadmasks(plate, mattes, asking("try"), tools=tools, progress=progress)
        (notice,) = progress.notices
        assert why in notice
        assert "The painted mattes alone were used" in notice
        assert not hasattr(progress, "kept")
        assert all(np.array_equal(shown[frame], painted[frame]) for frame in FRAMES)


def test_where_nobody_answers_a_shot_that_requires_hints_ends_before_the_engine(plate: Footage, tmp_path: Path) -> None:
    mattes = Mattes(paint(tmp_path, FRAMES))
    said = refused(plate, mattes, CannotReason, asking("require"))
    for words in ("nobody to ask", "--reasoner", "hints file", "roto alone"):
        assert words in said
    asleep = MaskTools(reasoner=Seer(CannotReason("it is asleep")), answers=tmp_path)
    assert refused(plate, mattes, CannotReason, asking("require"), tools=asleep) == "it is asleep"


def test_a_stop_does_not_wait_for_who_is_asked(plate: Footage, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    class Slow(Seer):
        answered = Event()

        def ask(self, question: Question) -> Hints:
            self.questions.append(question)
            self.answered.wait(60)
            return super().ask(question)

    slow = Slow(parsed())

    class Impatient(Progress):
        def step(self, stage: str, step: int, steps: int) -> None:
            if slow.questions:
                raise Stopped

    with pytest.raises(Stopped):
        quadmasks(
            plate,
            Mattes(paint(tmp_path, FRAMES)),
            asking("require"),
            tools=MaskTools(reasoner=slow, answers=tmp_path / "answers"),
            progress=Impatient(),
        )
    assert not slow.answered.is_set(), "there is no answer yet"
    slow.answered.set()


def test_gemini_sees_the_shot_with_the_object_that_sam2_carried(
    plate: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    progress = Progress()
    with serving(Reply(json.dumps(hints())), key=KEY) as endpoint:
        tools = MaskTools(Carrier(), Gemini(MODEL, endpoint.url), tmp_path / "answers")
        mattes = Mattes(paint(tmp_path, [1004]))
        shown = quadmasks(plate, mattes, asking("require"), tools=tools, progress=progress)
    (request,) = endpoint.requests
    said = json.dumps(request.body)
    assert "the ball" in said
    assert "Frame 1001, the first on which the object is seen" in said, "where it was carried to, not painted"
    assert np.array_equal(shown[1004], expected(1004))
    assert np.isin(shown[1006][SHADOW], (63, 127)).all()
    assert read_hints(progress.kept.encode(), "kept", FRAMES, (8, 13)).scene == SCENE
    for text in (progress.kept, *progress.notices, *(path.read_text() for path in (tmp_path / "answers").iterdir())):
        assert KEY not in text


@pytest.mark.parametrize("answered", [True, False])
def test_another_attempt_at_a_shot_rests_on_what_the_first_was_answered(
    plate: Footage, tmp_path: Path, answered: bool
) -> None:
    """Whoever would be asked now, or nobody; and though the answer itself was kept nowhere else."""
    mattes, kept = Mattes(paint(tmp_path, FRAMES)), tmp_path / "checkpoint"
    never, good = Seer(CannotReason("it is asleep")), Seer(parsed())
    first, later = (good, never) if answered else (never, good)
    told = Progress()
    tools = MaskTools(reasoner=first, answers=tmp_path / "answers")
    before = quadmasks(plate, mattes, asking("try"), tools=tools, progress=told, checkpoint=kept)
    assert len(first.questions) == 1
    for tools in (MaskTools(reasoner=later, answers=tmp_path / "others"), MaskTools()):
        again = Progress()
        engine = Engine(lambda request: request.clip)
        after = levels(remove_object(plate, mattes, asking("try"), engine, again, tools=tools, checkpoint=kept))
        assert all(np.array_equal(before[frame], after[frame]) for frame in FRAMES)
        assert np.array_equal(after[1003], expected(1003)) == answered
        assert engine.requests[0].prompt == (SCENE if answered else "")
        assert engine.requests[0].settings == asking("try"), "or its checkpoints would not be found again"
        assert getattr(again, "kept", "") == getattr(told, "kept", "")
        assert [text for text in again.notices if "no hints" in text] == told.notices
    assert not later.questions


def test_where_an_answer_was_required_a_second_attempt_needs_nobody(plate: Footage, tmp_path: Path) -> None:
    mattes, kept = Mattes(paint(tmp_path, FRAMES)), tmp_path / "checkpoint"
    tools = MaskTools(reasoner=Seer(parsed()), answers=tmp_path / "answers")
    quadmasks(plate, mattes, asking("require"), tools=tools, checkpoint=kept)
    again = quadmasks(plate, mattes, asking("require"), checkpoint=kept)
    assert all(np.array_equal(again[frame], expected(frame)) for frame in FRAMES)
    (kept / "asked.json").write_bytes(b"half a fi")
    with pytest.raises(CannotReason, match="nobody to ask"):
        quadmasks(plate, mattes, asking("require"), checkpoint=kept)
