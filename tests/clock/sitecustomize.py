"""A wall clock that a test may set: where this folder is on PYTHONPATH, Python's own is off by the hours in a file."""

from __future__ import annotations

import os
import time
from pathlib import Path

_FILE = Path(os.environ["VOID_TEST_CLOCK"])
_seconds, _nanoseconds = time.time, time.time_ns


def _off() -> float:
    return 3600.0 * float(_FILE.read_text())


time.time = lambda: _seconds() + _off()
time.time_ns = lambda: _nanoseconds() + int(_off() * 1e9)
