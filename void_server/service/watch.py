"""A worker within its limits: memory that runs away and a frame that is never decoded end the worker, nothing else."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

DECODING = ("masking", "finishing")  # the stages that read frames and report each one


@dataclass(frozen=True)
class Limits:
    """What a worker may take.

    memory: bytes of its own (mapped weights and a GPU's memory do not count), 0 for any; needs Linux. decoding:
    seconds without a step while frames are read, 0 for any. The address space is not limited: CUDA reserves far more
    of it than it uses.
    """

    memory: int
    decoding: float


class Watch:
    """Looks after one worker."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._heard = time.monotonic()

    def heard(self) -> None:
        """The worker has been given work, or has said something."""
        self._heard = time.monotonic()

    def trouble(self, pid: int, stage: str) -> str:
        """Why this worker must end, for an artist; empty where it is within its limits. stage: of its job, or empty."""
        limits = self._limits
        if limits.memory and own_memory(pid) > limits.memory:
            return f"it took more than {limits.memory / 2**30:.1f} GiB of memory"
        if limits.decoding and stage in DECODING and time.monotonic() - self._heard > limits.decoding:
            return f"it came no further for {limits.decoding:.0f} s"
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
