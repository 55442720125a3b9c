"""Frames on their way in: asked for piece by piece, hashed, and written into the job's folder."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from void_client import protocol

from .folder import input_file
from .messages import Chunk, JobSpec

LOST_AFTER = 2.0  # seconds without a piece, after which the sender is asked again


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
        self._spec = spec
        self._folder = folder
        self._left = self._pieces()
        self._asked: deque[Want] = deque()
        self._file: IO[bytes] | None = None
        self._hash = hashlib.sha256()
        self._last_came = time.monotonic()
        self._bytes_left = sum(sum(given.sizes) for given in spec.inputs.values())

    @property
    def done(self) -> bool:
        """Whether every frame is here."""
        return self._bytes_left == 0

    def _pieces(self) -> Iterator[Want]:
        for index, frame in enumerate(self._spec.frames):
            for name, given in self._spec.inputs.items():
                for offset in range(0, given.sizes[index], protocol.CHUNK):
                    yield Want(name, frame, offset, min(protocol.CHUNK, given.sizes[index] - offset))

    def ask(self) -> Iterator[Want]:
        """What to ask for now, so that at most IN_FLIGHT pieces are on their way."""
        while len(self._asked) < protocol.IN_FLIGHT and (want := next(self._left, None)):
            self._asked.append(want)
            yield want

    def ask_again(self) -> list[Want]:
        """What has been asked for and has not come."""
        return list(self._asked)

    def idle(self) -> bool:
        """Whether what was asked for may have been lost: nothing has come for a while."""
        return time.monotonic() - self._last_came > LOST_AFTER

    def add(self, chunk: Chunk, payload: bytes) -> None:
        """Take one piece; one that is not next (sent twice, or never asked for) changes nothing.

        Raises BadUpload, OSError (a full disk).
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
        self._write(chunk, payload)
        self._last_came = time.monotonic()
        self._asked.popleft()
        self._bytes_left -= len(payload)
        if chunk.offset + len(payload) == size:
            self._finish(chunk, given.name)

    def _write(self, chunk: Chunk, payload: bytes) -> None:
        if self._file is None:
            self._file = input_file(self._folder, chunk.input, chunk.frame).open("wb")
            self._hash = hashlib.sha256()
        self._file.write(payload)
        self._hash.update(payload)

    def _finish(self, chunk: Chunk, name: str) -> None:
        self.close()
        if self._hash.hexdigest() != chunk.sha256:
            raise BadUpload(
                "damaged", f"frame {chunk.frame} of {name} arrived damaged (its hash differs): submit again"
            )

    def close(self) -> None:
        """Close what is open; the job may be over."""
        if self._file is not None:
            self._file.close()
            self._file = None
