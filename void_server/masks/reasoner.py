"""Asking a model that sees pictures what goes with an object and what its removal changes."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from void_server.masks.endpoint import CannotReason
from void_server.masks.evidence import Evidence
from void_server.masks.hints import BadHints, Hints, read_hints, schema

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Question:
    """What is asked about one shot.

    frames: the numbers of all its frames, as the artist counts. grid: (rows, columns). subject: what the artist says
    the object is, or "".
    """

    evidence: Evidence
    frames: range
    grid: tuple[int, int]
    subject: str = ""


@dataclass(frozen=True)
class Media:
    """A picture or a video within a question."""

    mime: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Turn:
    """An answer that was of no use, and what we said to it."""

    answer: str
    complaint: str


class Reasoner(Protocol):
    """Someone who can be asked. A compliance test in tests/masks/test_reasoners.py holds for all of them."""

    @property
    def identity(self) -> str:
        """All that an answer depends on besides the question: protocol, endpoint, model. No key."""
        ...

    def ask(self, question: Question) -> Hints:
        """Hints for the question's shot. Raises CannotReason saying why there are none."""
        ...


def ask_with_cache(reasoner: Reasoner, question: Question, folder: Path) -> Hints:
    """The hints that were kept in `folder` for this very question, or else the reasoner's, which are then kept.

    They are kept as JSON that may be edited and counts as edited from then on. A file that can't be read is set aside
    and the question asked anew. Raises CannotReason.
    """
    path = answer_path(reasoner, question, folder)
    try:
        return read_hints(path.read_bytes(), str(path), question.frames, question.grid)
    except FileNotFoundError:
        pass
    except OSError as error:
        logger.warning("the hints kept in %s can't be read (%s); they are asked for again", path, error)
    except BadHints as error:
        aside = path.with_suffix(".damaged.json")
        logger.warning("the hints kept there are damaged: %s; moved to %s and asked for again", error, aside)
        with suppress(OSError):
            path.replace(aside)
    hints = reasoner.ask(question)
    try:
        _write_whole(path, msgspec.json.format(msgspec.json.encode(hints), indent=2) + b"\n")
    except OSError as error:
        logger.warning("the hints can't be kept in %s (%s); they will be asked for again", folder, error)
    return hints


def answer_path(reasoner: Reasoner, question: Question, folder: Path) -> Path:
    """Where the answer is or would be kept: the name is the sha256 of all that is asked, and whom."""
    digest = hashlib.sha256()
    asked = [reasoner.identity, json.dumps(schema(), sort_keys=True), repr((question.frames, question.grid))]
    for part in (*asked, *compose(question, video=True)):
        content = part.encode() if isinstance(part, str) else part.mime.encode() + b"\n" + part.data
        digest.update(b"%d\n" % len(content) + content)
    return folder / f"{digest.hexdigest()}.json"


def converse(say: Callable[[tuple[Turn, ...]], str], question: Question, name: str) -> Hints:
    """Hints from an answer; one that can't be read is sent back once with the reason.

    say(turns): the model's next answer, after those turns. name: whose, for messages. Raises CannotReason.
    """
    turns: tuple[Turn, ...] = ()
    while True:
        answer = say(turns)
        logger.debug("%s answers: %s", name, answer)
        try:
            return read_hints(_json_within(answer), f"{name}'s answer", question.frames, question.grid)
        except BadHints as error:
            problem = str(error)
        if turns:
            raise CannotReason(
                f"{problem}; told so, {name} did no better: ask again, write the hints by hand, or go on with the "
                "roto alone"
            )
        logger.warning("%s; asking once more", problem)
        turns = (Turn(answer, f"That answer can't be used: {problem}. Answer again, with the whole JSON corrected."),)


def compose(question: Question, *, video: bool) -> list[str | Media]:
    """The question as a sequence of texts and pictures, as every protocol sends it."""
    evidence = question.evidence
    parts: list[str | Media] = [instruction(question, video=video)]
    for still in evidence.stills:
        parts += [f"Frame {still.frame}:", Media("image/jpeg", still.jpeg)]
    parts += [
        f"Frame {evidence.appearance.frame}, the first on which the object is seen, with the object tinted red:",
        Media("image/jpeg", evidence.appearance.jpeg),
    ]
    if video:
        shown = evidence.video.frames
        parts += [
            f"The shot as a video of {len(shown)} pictures, without the grid. They are evenly spaced: the first is "
            f"frame {shown[0]}, the last frame {shown[-1]}:",
            Media("video/mp4", evidence.video.mp4),
        ]
    return [*parts, "Now answer with the JSON."]


def instruction(question: Question, *, video: bool) -> str:
    """What the model is told before the pictures."""
    rows, columns = question.grid
    frames = question.frames
    subject = f" The artist calls it: {json.dumps(question.subject, ensure_ascii=False)}." if question.subject else ""
    return _INSTRUCTION.format(
        pictures="stills, one still with the object tinted red, and a video" if video else "stills",
        subject=subject,
        first=frames[0],
        last=frames[-1],
        step=f", in steps of {frames.step}" if frames.step != 1 else "",
        rows=rows,
        columns=columns,
        last_row=rows - 1,
        last_column=columns - 1,
    )


_INSTRUCTION = """\
An object is to be removed from a film shot, together with everything that it causes in the picture.
You see {pictures}. The object is what is tinted red on one of the stills.{subject}
Say what goes with it, what its removal affects, and what the scene looks like without it.

Frames are named by number: {first} to {last}{step}. The number stands above each still. Use only these numbers.

Places are named by cell. A grid of {rows} rows and {columns} columns lies over each still. Its numbers stand along
the sides: rows 0 to {last_row} from the top, columns 0 to {last_column} from the left. Use only these cells.
Look at the numbers before you name a cell. Name every cell that a thing touches, even a little.

Answer in JSON:

grid: {{"rows": {rows}, "cols": {columns}}}.

scene: one or two sentences that describe the shot as it would look had the object, its belongings and its effects
never been there. Name neither the object nor its absence.

confidence: from 0 to 1, how sure you are of the whole answer.

belongings (0 to 3): what the object carries, wears or rides and takes with it: a hat, a bag, a bike. Parts of the
object itself don't count. For each a noun, and grid_localizations as below.

affected (0 to 5): what else in the picture changes once the object is gone. For each:
- noun: a word or two, another one for each.
- category: "visual_artifact" for what light or a fluid makes of the object: a shadow, a reflection, ripples, dust.
  "physical" for a thing that the object holds, supports, pushes, hides or stops.
- why: one sentence.
- will_move: whether it will fall or move once the object is gone.
- first_appears_frame: the first frame on which it is seen; name no place at an earlier one.
- grid_localizations: for a visual artifact, and for a thing that moves in the shot: where it is, on at least three of
  the stills on which it is seen, the first and the last among them: the frame, and all its cells as grid_regions.
  Rather a cell too many than too few; none where it has left the picture.
- object_size_grids: for a physical thing, its size in rows and columns, rather too large.
- trajectory_path: for a thing that will fall or move, the path that it would take without the object, as 3 to 5
  keyframes of its centre: frame, grid_row, grid_col. Begin where and when its way parts from what is seen; end where
  it comes to rest or leaves the picture.
- currently_moving: whether it moves in the shot as it is.
- should_have_stayed and original_position_grid: for a thing that moves and would have stayed where it was without the
  object, the cell of its centre before it moves.

Where a field does not apply, answer null, false or an empty list. Each thing needs at least one place. If nothing is
affected, affected is an empty list.
"""


def _json_within(answer: str) -> bytes:
    """The answer from its first brace to its last: local models wrap JSON in fences or in talk."""
    return answer[answer.find("{") : answer.rfind("}") + 1].encode() or answer.encode()


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file that others see whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        part = Path(file.name)
        try:
            file.write(content)
            file.close()
            part.chmod(0o644)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
