"""Results onto disk: each frame whole or not at all, the manifest last."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import uuid
from pathlib import Path
from typing import Any

from .errors import BadInput
from .sequences import FileSequence, FrameRange

MANIFEST = "manifest.json"
HINTS = "hints.json"


def write_atomically(path: Path, data: bytes) -> None:
    """Write `path` by a temporary file beside it and a rename, so that no reader ever sees half of it."""
    # A name of its own: two that follow one job write the same frames.
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:  # what a full disk has of it would keep the disk full
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


class Delivery:
    """Where a shot's result goes. Nothing is created before the first frame comes."""

    def __init__(self, output: FileSequence, frames: FrameRange, *, overwrite: bool = False) -> None:
        """Raises BadInput where the folder can't be written, or frames of an earlier result are in the way."""
        self.output = output
        self._sha256: dict[int, str] = {}
        if not output.numbered and len(frames) > 1:
            raise BadInput(
                f"the output {output.pattern} is one file for {len(frames)} frames: write it as plate.%04d.exr"
            )
        self._probe(output.folder)
        existing = [frame for frame in frames if output.path(frame).exists()]
        if existing and not overwrite:
            raise BadInput(
                f"{output.path(existing[0])} exists already ({len(existing)} of {len(frames)} frames): "
                "choose another output, or allow it with --overwrite"
            )

    @staticmethod
    def _probe(folder: Path) -> None:
        """Write a file for a moment, and leave no trace of it."""
        made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise BadInput(
                f"the output folder {folder} can't be written ({error.strerror}): choose another, or ask for access"
            ) from error
        finally:
            for parent in made:
                if parent.is_dir():
                    parent.rmdir()

    def refuse_inputs(self, inputs: dict[str, FileSequence], frames: FrameRange) -> None:
        """Raise BadInput where the result would be written over one of its own inputs."""
        for name, sequence in inputs.items():
            for frame in frames:
                if sequence.path(frame).resolve() == self.output.path(frame).resolve():
                    raise BadInput(
                        f"the output would overwrite the {name} {sequence.path(frame)}: choose another output"
                    )

    def write(self, frame: int, data: bytes, sha256: str) -> None:
        """Write one finished frame, of this hash. Raises BadInput where the disk refuses (full, gone)."""
        path = self.output.path(frame)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data)
        except OSError as error:
            raise BadInput(
                f"{path} can't be written ({error.strerror}): make room, then attach to the job again"
            ) from error
        self._sha256[frame] = sha256

    def keep_hints(self, text: str) -> None:
        """Write the hints that were asked for (if any) beside the result; they may be edited and given back.

        An earlier, perhaps edited file stays: then they are hints_2.json. Raises BadInput where the disk refuses.
        """
        if not text:
            return
        path, number = self.output.folder / HINTS, 1
        try:
            while path.exists() and path.read_bytes() != text.encode():
                number += 1
                path = path.with_name(f"hints_{number}.json")
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text.encode())
        except OSError as error:
            raise BadInput(
                f"{path} can't be written ({error.strerror}): make room, then attach to the job again"
            ) from error

    def finish(self, facts: dict[str, Any]) -> Path:
        """Write the manifest, last of all: where it is, the result is whole. Returns its path."""
        manifest = {
            **facts,
            "output": self.output.pattern,
            "frames": {str(frame): {"sha256": digest} for frame, digest in sorted(self._sha256.items())},
        }
        path = self.output.folder / MANIFEST
        write_atomically(path, (json.dumps(manifest, indent=2, sort_keys=True) + "\n").encode())
        return path
