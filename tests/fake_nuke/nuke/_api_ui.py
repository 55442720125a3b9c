"""Functions that speak to the user: kept for the test to look at, on stderr in a terminal."""

from __future__ import annotations

import sys
from typing import Any

from ._guard import check_thread, main_thread
from ._session import session


@main_thread
def message(prompt: str) -> None:
    """A window with a text; on stderr in a terminal."""
    if not isinstance(prompt, str):
        raise TypeError(f"message: a string is wanted, not {type(prompt).__name__}")
    session().messages.append(prompt)
    if not session().gui:
        print(prompt, file=sys.stderr)


@main_thread
def alert(prompt: str) -> None:
    """Like message."""
    message(prompt)


@main_thread
def ask(prompt: str) -> bool:
    """A question; answered by stage.answer. AssertionError where no answer waits. In a terminal a RuntimeError."""
    if not session().gui:
        raise RuntimeError(f"ask: nobody is there to answer {prompt!r}")
    session().messages.append(prompt)
    if not session().answers:
        raise AssertionError(f"nuke.ask({prompt!r}): no answer was prepared with stage.answer()")
    return session().answers.pop(0)


def _logger(level: str) -> Any:
    def log(message: str) -> None:
        check_thread(level)
        session().logged.append((level, message))
        print(f"{level}: {message}", file=sys.stderr)

    log.__name__ = log.__qualname__ = level
    log.__doc__ = f"A line in Nuke's {level} log."
    log._guarded = True
    return log


error, warning, debug, critical = (_logger(level) for level in ("error", "warning", "debug", "critical"))


@main_thread
def tprint(*args: Any, sep: str = " ", end: str = "\n", file: Any = None) -> None:
    """Print to the terminal."""
    print(*args, sep=sep, end=end, file=file or sys.stdout)


@main_thread
def show(n: Any, forceFloat: bool = False) -> None:
    """Open a node's panel."""
    n.showControlPanel(forceFloat)


@main_thread
def clearRAMCache() -> None:
    """Nothing is cached."""


@main_thread
def clearDiskCache() -> None:
    """Nothing is cached."""


@main_thread
def suspendPathProcessing() -> None:
    """Makes nothing faster here."""


@main_thread
def resumePathProcessing() -> None:
    """Makes nothing faster here."""


@main_thread
def autoplace(*args: Any, **kwargs: Any) -> Any:
    """Place a node below its input."""
    args[0].autoplace()


@main_thread
def autoplaceSnap(n: Any) -> None:
    """Nodes stay where they are."""


@main_thread
def waitForThreadsToFinish() -> str:
    """There are none."""
    return ""
