"""From a timeline's shots to jobs: what is missing is said here, before a server is asked for."""

from __future__ import annotations

import getpass
import platform
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from void_client.client import Job
from void_client.colour import Colour
from void_client.errors import BadInput, VoidError
from void_client.hints import read_hints_file
from void_client.sequences import FileSequence, FrameRange

from .record import Renewal, change, made_from, whole_result
from .timeline import BrokenShot, Edit, Shot

RESULT = "plate.%04d.exr"
PICTURE = "picture.jpg"

State = Literal["to do", "done", "kept", "failed", "cancelled", "left"]
# The working space of a plate: its files, its frames, and the name that the mark gives it.
ColourOf = Callable[[FileSequence, FrameRange, "str | None"], Colour]


@dataclass(frozen=True)
class Task:
    """A shot to be sent. asked: what its result will have been made from; why: what is wrong with the one there is."""

    shot: Shot
    job: Job
    delivery: Renewal
    asked: dict[str, Any]
    why: str = ""


@dataclass(frozen=True)
class Outcome:
    """What has become of a shot. kept: its result was there; left: not begun. manifest: of a result, else empty."""

    shot: Shot | BrokenShot
    state: State
    reason: str = ""
    manifest: dict[str, Any] = field(default_factory=dict)


def output_of(shot: Shot | BrokenShot, out: Path) -> FileSequence:
    """Where a shot's result goes."""
    return FileSequence(out / shot.name, RESULT)


def prepare(
    edit: Edit, out: Path, settings: dict[str, Any], colour_of: ColourOf, *, redo: bool = False
) -> list[Task | Outcome]:
    """What is to be done of each shot, in the timeline's order: a task, or why there is none (kept, failed).

    settings: those of shots that say nothing else. redo: results that are there count for nothing.
    """
    found: list[Task | Outcome] = []
    for shot in edit.shots:
        if isinstance(shot, BrokenShot):
            found.append(Outcome(shot, "failed", shot.reason))
            continue
        try:
            found.append(_task(shot, edit, out, settings, colour_of, redo))
        except VoidError as error:
            found.append(Outcome(shot, "failed", str(error)))
    return found


def tasks_of(found: list[Task | Outcome]) -> list[Task]:
    """Those that are to be sent."""
    return [entry for entry in found if isinstance(entry, Task)]


def dry(found: list[Task | Outcome]) -> list[Outcome]:
    """What would be done."""
    return [Outcome(entry.shot, "to do", entry.why) if isinstance(entry, Task) else entry for entry in found]


def _task(
    shot: Shot, edit: Edit, out: Path, settings: dict[str, Any], colour_of: ColourOf, redo: bool
) -> Task | Outcome:
    job = _job(shot, edit, settings, colour_of)
    asked, output = made_from(job), output_of(shot, out)
    manifest = None if redo else whole_result(output, asked)
    if manifest is not None:
        return Outcome(shot, "kept", manifest=manifest)
    delivery = Renewal(output, job.frames, overwrite=True)
    delivery.refuse_inputs(job.inputs, job.frames)
    return Task(shot, job, delivery, asked, "--redo" if redo else change(output, asked))


def _job(shot: Shot, edit: Edit, settings: dict[str, Any], colour_of: ColourOf) -> Job:
    plate = shot.inputs["plate"]
    if not plate.numbered and len(shot.frames) > 1:
        raise BadInput(f"the plate {plate.pattern} is one file for {len(shot.frames)} frames: reference plate.%04d.exr")
    job = Job(
        frames=shot.frames,
        inputs=shot.inputs,
        prompt=shot.prompt,
        settings=merged(settings, shot.settings),
        label=f"{getpass.getuser()}@{platform.node()} {edit.path.name} {shot.name}",
        hints=read_hints_file(shot.hints) if shot.hints else "",
        roto_keys=shot.roto_keys,
        priority="batch",
    )
    job.spec()  # names what is missing
    return replace(job, colour=colour_of(plate, shot.frames, shot.colourspace))


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Settings over others, table by table."""
    tables = {
        name: {**under[name], **value}
        for name, value in over.items()
        if isinstance(value, dict) and isinstance(under.get(name), dict)
    }
    return {**under, **over, **tables}
