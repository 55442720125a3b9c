"""From a timeline's shots to jobs: what is missing is said here, before a server is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from void_client.client import Job, label_of
from void_client.colour import Colour
from void_client.errors import VoidError
from void_client.farm_shots import FileShot
from void_client.sequences import FileSequence

from .record import Renewal, change, made_from, whole_result
from .timeline import BrokenShot, Edit, Shot

RESULT = "plate.%04d.exr"
PICTURE = "picture.jpg"

State = Literal["to do", "done", "kept", "failed", "cancelled", "left"]
ColourOf = Callable[[FileShot], Colour]  # the working space of a shot's plate


@dataclass(frozen=True)
class Defaults:
    """For shots whose mark says nothing else. ocio: the config of working spaces; None: OCIO in the environment."""

    settings: dict[str, Any]
    colourspace: str | None
    ocio: str | None


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


def of_files(shot: Shot, out: Path, defaults: Defaults) -> FileShot:
    """A shot without its timeline: what it is made of, and where its result goes."""
    return FileShot(
        name=shot.name,
        frames=shot.frames,
        inputs=shot.inputs,
        out=output_of(shot, out),
        prompt=shot.prompt,
        settings=merged(defaults.settings, shot.settings),
        hints=shot.hints,
        roto_keys=shot.roto_keys,
        colourspace=shot.colourspace or defaults.colourspace,
        ocio=defaults.ocio or os.environ.get("OCIO") or None,
    )


def prepare(
    edit: Edit, out: Path, defaults: Defaults, colour_of: ColourOf, *, redo: bool = False
) -> list[Task | Outcome]:
    """What is to be done of each shot, in the timeline's order: a task, or why there is none (kept, failed).

    redo: results that are there count for nothing.
    """
    found: list[Task | Outcome] = []
    for shot in edit.shots:
        if isinstance(shot, BrokenShot):
            found.append(Outcome(shot, "failed", shot.reason))
            continue
        try:
            found.append(_task(shot, edit, out, defaults, colour_of, redo))
        except VoidError as error:
            found.append(Outcome(shot, "failed", str(error)))
    return found


def tasks_of(found: list[Task | Outcome]) -> list[Task]:
    """Those that are to be sent."""
    return [entry for entry in found if isinstance(entry, Task)]


def dry(found: list[Task | Outcome]) -> list[Outcome]:
    """What would be done."""
    return [Outcome(entry.shot, "to do", entry.why) if isinstance(entry, Task) else entry for entry in found]


def _task(shot: Shot, edit: Edit, out: Path, defaults: Defaults, colour_of: ColourOf, redo: bool) -> Task | Outcome:
    files = of_files(shot, out, defaults)
    job = replace(files.job(label_of(f"{edit.path.name} {shot.name}")), colour=colour_of(files))
    asked = made_from(job)
    manifest = None if redo else whole_result(files.out, asked)
    if manifest is not None:
        return Outcome(shot, "kept", manifest=manifest)
    delivery = Renewal(files.out, job.frames, overwrite=True)
    delivery.refuse_inputs(job.inputs, job.frames)
    return Task(shot, job, delivery, asked, "--redo" if redo else change(files.out, asked))


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Settings over others, table by table."""
    tables = {
        name: {**under[name], **value}
        for name, value in over.items()
        if isinstance(value, dict) and isinstance(under.get(name), dict)
    }
    return {**under, **over, **tables}
