"""Progress bars."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

from ._guard import guarded
from ._session import session


@dataclass
class Bar:
    """What a progress bar shows: stage.progress_tasks() gives these."""

    title: str
    message: str = ""
    percent: int = 0
    cancelled: bool = False
    messages: list[str] = field(default_factory=list)
    alive: bool = True


@guarded
class ProgressTask:
    """A progress bar; it goes when the object does, as in Nuke."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """ProgressTask(name)."""
        self._bar = Bar(str(args[0]) if args else "")
        weakref.finalize(self, setattr, self._bar, "alive", False)
        session().tasks.append(self._bar)

    def setProgress(self, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(args[0], int):
            raise TypeError("setProgress: an integer is wanted")
        self._bar.percent = args[0]

    def setMessage(self, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(args[0], str):
            raise TypeError("setMessage: a string is wanted")
        self._bar.message = args[0]
        self._bar.messages.append(args[0])

    def isCancelled(self, *args: Any, **kwargs: Any) -> Any:
        return self._bar.cancelled
