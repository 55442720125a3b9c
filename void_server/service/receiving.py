"""Frames on their way in: asked for piece by piece, hashed, and written into the job's folder.

The folder is the record of what has come: a restarted server goes on with the frames that are not there.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from void_client import protocol

from .folder import input_file, part_file, sync_folder
from .messages import Chunk, JobSpec


class BadUpload(Exception):
    """What came is not what was announced; `code` as in docs/protocol.md."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Want:
    """A piece of one input frame, in bytes."""

    input: str
    frame: int
    offset: int
    length: int


class Upload:
    """The frames of one job, in the order of the range, all inputs of a frame together."""

    def __init__(self, spec: JobSpec, folder: Path) -> None:
        """Look at what the folder has already. Raises OSError."""
        self._spec = spec
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._last = -math.inf
        self.start_over()

    def start_over(self) -> None:
        """Forget what has been asked for, and the frame that is half here. Raises OSError."""
        self.close()
        self._missing = [
            (name, frame, given.sizes[index])
            for index, frame in enumerate(self._spec.frames)
            for name, given in self._spec.inputs.items()
            if given.sizes[index] and not self._is_here(name, frame, given.sizes[index])
        ]
        self._frames_left = len(self._missing)
        self._left = self._pieces()
        self._asked: deque[Want] = deque()
        self._hash = hashlib.sha256()

    def _is_here(self, name: str, frame: int, size: int) -> bool:
        try:
            return input_file(self._folder, name, frame).stat().st_size == size
        except FileNotFoundError:
            return False

    @property
    def done(self) -> bool:
        """Whether every frame is here."""
        return self._frames_left == 0

    def _pieces(self) -> Iterator[Want]:
        for name, frame, size in self._missing:
            for offset in range(0, size, protocol.CHUNK):
                yield Want(name, frame, offset, min(protocol.CHUNK, size - offset))

    def ask(self) -> Iterator[Want]:
        """What to ask for now, so that at most IN_FLIGHT pieces are on their way."""
        while len(self._asked) < protocol.IN_FLIGHT and (want := next(self._left, None)):
            self._asked.append(want)
            self._last = time.monotonic()
            yield want

    def ask_again(self) -> list[Want]:
        """What has been asked for and has not come."""
        if self._asked:
            self._last = time.monotonic()
        return list(self._asked)

    def idle(self) -> bool:
        """Whether what was asked for may have been lost: nothing has come for a while."""
        return time.monotonic() - self._last > protocol.LOST_AFTER

    def add(self, chunk: Chunk, payload: bytes) -> None:
        """Take one piece; one that is not next (sent twice, or never asked for) changes nothing.

        Raises BadUpload, and OSError (a full disk), after which `start_over` is due.
        """
        if not self._asked or (chunk.input, chunk.frame, chunk.offset) != (
            self._asked[0].input,
            self._asked[0].frame,
            self._asked[0].offset,
        ):
            return
        given = self._spec.inputs[chunk.input]
        size = given.sizes[chunk.frame - self._spec.first]
        if chunk.size != size or len(payload) != self._asked[0].length:
            raise BadUpload(
                "bad_input", f"frame {chunk.frame} of {given.name} changed while it was being sent: submit again"
            )
        self._write(payload)
        self._last = time.monotonic()
        self._asked.popleft()
        if chunk.offset + len(payload) == size:
            self._finish(chunk, given.name)

    def _write(self, payload: bytes) -> None:
        if self._file is None:
            self._file = part_file(self._folder).open("wb")
            self._hash = hashlib.sha256()
        self._file.write(payload)
        self._hash.update(payload)

    def _finish(self, chunk: Chunk, name: str) -> None:
        """Let the frame have its name once it is right and on the disk: from then on the client may be gone."""
        if self._hash.hexdigest() != chunk.sha256:
            raise BadUpload(
                "damaged", f"frame {chunk.frame} of {name} arrived damaged (its hash differs): submit again"
            )
        assert self._file
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()
        part_file(self._folder).replace(input_file(self._folder, chunk.input, chunk.frame))
        self._frames_left -= 1
        if self.done:
            sync_folder(self._folder)

    def close(self) -> None:
        """Close what is open; the job may be over."""
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()  # writes what is left, which a full disk refuses
            except OSError:
                return
