"""Whether a shot's result is already there: what it was made from, kept in its manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from void_client.client import Job
from void_client.delivery import MANIFEST, Delivery
from void_client.sequences import FileSequence

MADE_FROM = "made_from"


def made_from(job: Job) -> dict[str, Any]:
    """All that a job's result depends on besides the server: what is asked, and a digest of each input.

    A digest is over the size and the time of change of every file, as `make` has it: no frame is read. The folders are
    left out, so that a project may be moved (or be mounted elsewhere) with its times.
    """
    return {
        "frames": [job.frames.first, job.frames.last],
        "files": {name: _digest(_marks(sequence, job)) for name, sequence in job.inputs.items()},
        "prompt": job.prompt,
        "settings": job.settings,
        "hints": _digest([job.hints]),
        "roto_keys": None if job.roto_keys is None else list(job.roto_keys),
        "colourspace": job.colour,
    }


def job_id(asked: dict[str, Any], folder: Path) -> str:
    """The same for the same result in the same place: a batch that was killed takes its job up where it is by now."""
    return _digest([json.dumps(asked, sort_keys=True), str(folder.resolve())])[:32]


def whole_result(output: FileSequence, asked: dict[str, Any]) -> dict[str, Any] | None:
    """The manifest of a result that was made from just this, if every frame of it is there."""
    manifest = _manifest(output.folder)
    if manifest is None or manifest.get(MADE_FROM) != asked:
        return None
    return manifest if all(output.path(frame).is_file() for frame in _frames(manifest)) else None


def change(output: FileSequence, asked: dict[str, Any]) -> str:
    """Why a result that is there was not made from this, in a few words; empty where there is none."""
    manifest = _manifest(output.folder)
    if manifest is None:
        return ""
    before = manifest.get(MADE_FROM, {})
    old, new = ({**facts, **facts.get("files", {})} for facts in (before, asked))
    names = [name for name in {**old, **new} if name != "files" and old.get(name) != new.get(name)]
    if not names:
        return "frames of its result are gone"
    return f"changed: {', '.join(names)}"


class Renewal(Delivery):
    """A delivery that takes an earlier result away when the first frame of the new one comes, and not before."""

    _begun = False

    def write(self, frame: int, data: bytes, sha256: str) -> None:
        """Write one finished frame, of this hash. Raises BadInput."""
        if not self._begun:
            self._begun = True
            old = _manifest(self.output.folder)
            (self.output.folder / MANIFEST).unlink(missing_ok=True)
            for number in _frames(old or {}):
                self.output.path(number).unlink(missing_ok=True)
        super().write(frame, data, sha256)


def _manifest(folder: Path) -> dict[str, Any] | None:
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None


def _frames(manifest: dict[str, Any]) -> list[int]:
    return [int(number) for number in manifest.get("frames", {})]


def _marks(sequence: FileSequence, job: Job) -> Iterator[str]:
    yield sequence.pattern
    for frame in job.frames:
        path = sequence.path(frame)
        if path.is_file():  # a roto may be painted on some frames only
            status = path.stat()
            yield f"{frame} {status.st_size} {status.st_mtime_ns}"


def _digest(parts: Iterator[str] | list[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
