"""What a task of Open Job Description says of itself: lines on stdout.

https://github.com/OpenJobDescription/openjd-specifications/wiki/How-Jobs-Are-Run#stdoutstderr-messages
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import VoidError


def say(kind: str, text: object) -> None:
    """One message, on one line: progress (0-100), status, fail or env (NAME=VALUE)."""
    print(f"openjd_{kind}: {' '.join(str(text).split())}", flush=True)


@contextmanager
def failures(of: str) -> Iterator[None]:
    """Tell the farm, with a shot's name, what we raise on purpose, and go on raising it."""
    try:
        yield
    except VoidError as error:
        say("fail", f"{of}: {error}")
        raise
