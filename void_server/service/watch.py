"""A worker within its limits: memory that runs away, a frame that is never decoded and a process that gives no sign of
life end the worker, nothing else.

A sign of life (`alive`, from a thread of its own) says that the process runs; a step says that its work goes on. A step
of the model may take as long as it likes.
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

DECODING = ("masking", "finishing")  # the stages that read frames and report each one
ALIVE_EVERY = 1.0  # seconds between two signs of life
WEIGH_EVERY = 0.2  # seconds: the system counts a process's pages for each answer, and the front looks at every message
FIRST_WORDS = 300.0  # seconds that a worker is given to say its first word: until then it imports, maybe over a network


@dataclass(frozen=True)
class Limits:
    """What a worker may take.

    memory: bytes of its own (mapped weights and a GPU's memory do not count), 0 for any; needs Linux. decoding:
    seconds without a step while frames are read, 0 for any. silence: seconds without a sign of life, 0 for any. The
    address space is not limited: CUDA reserves far more of it than it uses.
    """

    memory: int
    decoding: float
    silence: float


class Watch:
    """Looks after one worker."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.begin()

    def begin(self) -> None:
        """A worker has been started."""
        self._spoke = False
        self._weighed = -math.inf
        self.forgive()

    def forgive(self) -> None:
        """Begin to count anew."""
        self._alive = self._heard = time.monotonic()

    def alive(self) -> None:
        """The worker has given a sign of life."""
        self._spoke = True
        self._alive = time.monotonic()

    def heard(self) -> None:
        """The worker has been given work, or has come further with it."""
        self._heard = time.monotonic()

    def trouble(self, pid: int, stage: str) -> str:
        """Why this worker must end, for an artist; empty where it is within its limits. stage: of its job, or empty."""
        limits, now = self._limits, time.monotonic()
        if limits.memory and now - self._weighed >= WEIGH_EVERY:
            self._weighed = now
            if own_memory(pid) > limits.memory:
                return f"it took more than {limits.memory / 2**30:.1f} GiB of memory"
        if limits.decoding and stage in DECODING and now - self._heard > limits.decoding:
            return f"it came no further for {limits.decoding:.0f} s"
        silence = limits.silence if self._spoke else max(limits.silence, FIRST_WORDS)
        if limits.silence and now - self._alive > silence:
            return f"it gave no sign of life for {silence:.0f} s"
        return ""


def own_memory(pid: int) -> int:
    """Bytes that a process holds for itself; 0 where that can't be told."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon:"))


def most_memory() -> float:
    """Nine tenths of the machine's memory in GiB, 0 where that can't be told: beyond, others would be killed."""
    try:
        return 0.9 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    except (AttributeError, ValueError, OSError):  # Windows
        return 0.0
