"""The shots of a farm job, as shots.json has them: of a VOID node, or of files that are there already."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

from .bake import RECORD
from .client import Job
from .errors import BadInput
from .hints import read_hints_file
from .path_mapping import Rule, mapped
from .sequences import FileSequence, FrameRange


@dataclass(frozen=True)
class NodeShot:
    """A VOID node, by its full name, and the folder of the version that it is baked into: its record is there."""

    name: str
    frames: FrameRange
    bake: Path

    @property
    def folder(self) -> Path:
        """Where the result goes."""
        return self.bake

    def reads(self) -> Iterator[Path]:
        """Files that must be there."""
        yield self.bake / RECORD


@dataclass(frozen=True)
class FileShot:
    """A shot whose inputs are files: what `void run` takes. `inputs`: plate, and roto or quadmask, affected.

    hints: a hints file; roto_keys: the frames the roto is painted on, None for all that exist. colourspace, ocio: as
    `void run` takes them; the plate's space is worked out where the shot is done.
    """

    name: str
    frames: FrameRange
    inputs: dict[str, FileSequence]
    out: FileSequence
    prompt: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    hints: Path | None = None
    roto_keys: tuple[int, ...] | None = None
    colourspace: str | None = None
    ocio: str | None = None

    @property
    def folder(self) -> Path:
        """Where the result goes."""
        return self.out.folder

    def reads(self) -> Iterator[Path]:
        """Files that are read, if they are there."""
        for sequence in self.inputs.values():
            yield from (sequence.path(frame) for frame in self.frames)
        if self.hints:
            yield self.hints

    def job(self, label: str) -> Job:
        """It as a job that nobody waits for; its working space is yet to be found. Raises BadInput: what is missing."""
        job = Job(
            frames=self.frames,
            inputs=self.inputs,
            prompt=self.prompt,
            settings=self.settings,
            label=label,
            hints=read_hints_file(self.hints) if self.hints else "",
            roto_keys=self.roto_keys,
            priority="batch",
        )
        job.spec()
        return job


FarmShot = Union[NodeShot, FileShot]


def as_json(shot: FarmShot) -> dict[str, Any]:
    """A shot's entry in shots.json: what differs from the defaults."""
    if isinstance(shot, NodeShot):
        return {"frames": str(shot.frames), "bake": shot.bake.as_posix()}
    given = {
        "frames": str(shot.frames),
        "inputs": {name: _text(sequence) for name, sequence in shot.inputs.items()},
        "out": _text(shot.out),
        "prompt": shot.prompt,
        "settings": shot.settings,
        "hints": shot.hints and shot.hints.as_posix(),
        "roto_keys": shot.roto_keys and list(shot.roto_keys),
        "colourspace": shot.colourspace,
        "ocio": shot.ocio,
    }
    return {name: value for name, value in given.items() if value not in (None, "", {})}


def read_shot(file: Path, name: str, rules: tuple[Rule, ...] = ()) -> FarmShot:
    """One shot of shots.json, its paths as they are here. Raises BadInput."""
    shots = read_shots(file, rules)
    if name not in shots:
        raise BadInput(f"{file} has no shot {name}; there is: {', '.join(shots)}")
    return shots[name]


def read_shots(file: Path, rules: tuple[Rule, ...] = ()) -> dict[str, FarmShot]:
    """All shots of shots.json by name, their paths as they are here. Raises BadInput."""
    try:
        entries = json.loads(file.read_text("utf-8"))["shots"]
        return {name: _shot(name, entry, rules) for name, entry in entries.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInput(f"{file} can't be read as a bundle's shots ({error}): write the bundle anew") from error


def _shot(name: str, entry: dict[str, Any], rules: tuple[Rule, ...]) -> FarmShot:
    frames = FrameRange.parse(entry["frames"])
    if "bake" in entry:
        return NodeShot(name, frames, Path(mapped(entry["bake"], rules)))
    keys = entry.get("roto_keys")
    return FileShot(
        name=name,
        frames=frames,
        inputs={key: FileSequence.parse(mapped(text, rules)) for key, text in entry["inputs"].items()},
        out=FileSequence.parse(mapped(entry["out"], rules)),
        prompt=entry.get("prompt", ""),
        settings=entry.get("settings", {}),
        hints=Path(mapped(entry["hints"], rules)) if "hints" in entry else None,
        roto_keys=None if keys is None else tuple(keys),
        colourspace=entry.get("colourspace"),
        ocio=mapped(entry["ocio"], rules) if "ocio" in entry else None,
    )


def _text(sequence: FileSequence) -> str:
    return (sequence.folder / sequence.pattern).as_posix()
