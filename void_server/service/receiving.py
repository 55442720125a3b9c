"""Frames on their way in: asked for piece by piece, and given to the spooler, which writes them into the job's folder.

The folder is the record of what has come: a restarted server goes on with the frames that are not there.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path

from void_client import protocol

from .folder import input_file, part_file, sync_folder
from .messages import Chunk, JobSpec
from .spooler import Differs, FrameFile, Spooler

UNSYNCED = 16  # frames that are written and not yet on the disk, for each of which a file is open


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

    def __init__(self, spec: JobSpec, folder: Path, spooler: Spooler) -> None:
        """Look at what the folder has already. Raises OSError."""
        self._spec = spec
        self._folder = folder
        self._spooler = spooler
        self._last = -math.inf
        self._file: FrameFile | None = None
        self._writing: deque[tuple[Future[None], Chunk]] = deque()
        self._keeping: deque[tuple[Future[None], FrameFile]] = deque()
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

    def _is_here(self, name: str, frame: int, size: int) -> bool:
        try:
            return input_file(self._folder, name, frame).stat().st_size == size
        except FileNotFoundError:
            return False

    @property
    def done(self) -> bool:
        """Whether every frame is here, on the disk."""
        return self._frames_left == 0

    def _pieces(self) -> Iterator[Want]:
        for name, frame, size in self._missing:
            for offset in range(0, size, protocol.CHUNK):
                yield Want(name, frame, offset, min(protocol.CHUNK, size - offset))

    def ask(self) -> Iterator[Want]:
        """What to ask for now, so that at most IN_FLIGHT pieces are on their way or wait to be written."""
        while (
            len(self._asked) + len(self._writing) < protocol.IN_FLIGHT
            and len(self._keeping) < UNSYNCED
            and (want := next(self._left, None))
        ):
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

    def add(self, chunk: Chunk, payload: bytes | memoryview) -> None:
        """Take one piece; one that is not next (sent twice, or never asked for) changes nothing.

        Raises BadUpload. What becomes of it, `collect` tells.
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
        self._last = time.monotonic()
        self._asked.popleft()
        self._write(chunk, payload, last=chunk.offset + len(payload) == size)

    def _write(self, chunk: Chunk, payload: bytes | memoryview, *, last: bool) -> None:
        if self._file is None:
            whole = input_file(self._folder, chunk.input, chunk.frame)
            self._file = FrameFile(part_file(whole), whole)
        written = self._spooler.write(self._file, payload, chunk.sha256 if last else "")
        self._writing.append((written, chunk))
        if last:
            self._keeping.append((self._spooler.keep(self._file, written), self._file))
            self._file = None

    def collect(self) -> bool:
        """Take note of what has been written and kept since; whether that was anything.

        Raises BadUpload, and OSError (a full disk), after which `start_over` is due.
        """
        before = len(self._writing) + len(self._keeping)
        while self._writing and self._writing[0][0].done():
            written, chunk = self._writing.popleft()
            try:
                written.result()
            except Differs as error:
                name = self._spec.inputs[chunk.input].name
                raise BadUpload(
                    "damaged", f"frame {chunk.frame} of {name} arrived damaged (its hash differs): submit again"
                ) from error
        while self._keeping and self._keeping[0][0].done():
            self._keeping.popleft()[0].result()
            self._frames_left -= 1
            if self.done:
                sync_folder(self._folder)
        return len(self._writing) + len(self._keeping) < before

    def close(self) -> None:
        """Leave what has not been written, and wait for what is being written; the job may be over."""
        futures = [future for future, _ in (*self._writing, *self._keeping)]
        wait([future for future in futures if not future.cancel()])
        for file in [*(kept for _, kept in self._keeping), *([self._file] if self._file else [])]:
            file.close()
        self._writing.clear()
        self._keeping.clear()
        self._file = None
