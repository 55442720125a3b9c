"""Frames on their way to the disk, in threads of their own: the front never waits for hashing, nor for a disk.

Pieces are hashed and written in the order they came. A frame that is whole is brought to the disk by one of two other
threads while the next ones are written, and only then gets its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO

SYNCING = 2  # threads: two bring 20 small files to a disk in half the time of one, four no faster


class Differs(Exception):
    """A frame's hash is not the one that was announced."""


class FrameFile:
    """One frame's file. Its methods run in the spooler's threads, one after the other."""

    def __init__(self, part: Path, whole: Path) -> None:
        self._part = part
        self._whole = whole
        self._file: IO[bytes] | None = None
        self._hash = hashlib.sha256()

    def write(self, piece: bytes | memoryview, sha256: str = "") -> None:
        """Write the next piece; with the last one comes the frame's hash. Raises Differs, OSError."""
        if self._file is None:
            self._file = self._part.open("wb")
        self._file.write(piece)
        self._hash.update(piece)
        if sha256 and self._hash.hexdigest() != sha256:
            raise Differs

    def keep(self) -> None:
        """Let the frame have its name once it is on the disk: from then on the client may be gone. Raises OSError."""
        assert self._file
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()
        self._part.replace(self._whole)

    def close(self) -> None:
        """Close it, whole or not."""
        if self._file is not None:
            file, self._file = self._file, None
            with contextlib.suppress(OSError):  # it writes what is left, which a full disk refuses
                file.close()


class Spooler:
    """The threads. `bell` is readable whenever something that was given to them has ended."""

    def __init__(self) -> None:
        self._writing = ThreadPoolExecutor(1, "spool-write")
        self._syncing = ThreadPoolExecutor(SYNCING, "spool-sync")
        self.bell, self._rope = socket.socketpair()
        self.bell.setblocking(False)
        self._rope.setblocking(False)

    def write(self, file: FrameFile, piece: bytes | memoryview, sha256: str = "") -> Future[None]:
        """Have a piece written; see FrameFile.write."""
        return self._do(self._writing, lambda: file.write(piece, sha256))

    def keep(self, file: FrameFile, last: Future[None]) -> Future[None]:
        """Have a frame kept once its last piece is written; see FrameFile.keep."""

        def keep() -> None:
            last.result()
            file.keep()

        return self._do(self._syncing, keep)

    def _do(self, pool: ThreadPoolExecutor, task: Callable[[], None]) -> Future[None]:
        future = pool.submit(task)
        future.add_done_callback(lambda _: self._ring())
        return future

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # full: it rings already; closed: nobody listens
            self._rope.send(b"!")

    def hush(self) -> None:
        """Take note of the bell."""
        with contextlib.suppress(BlockingIOError):
            self.bell.recv(4096)

    def close(self) -> None:
        """End the threads; what has not been begun is left."""
        for pool in (self._writing, self._syncing):
            pool.shutdown(cancel_futures=True)
        self.bell.close()
        self._rope.close()
