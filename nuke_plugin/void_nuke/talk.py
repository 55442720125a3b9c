"""Speaking with whoever waits for a bake: an artist before a panel, or a terminal."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import nuke

from .node import by_identity, set_status

T = TypeVar("T")


class Talk(Protocol):
    """What a bake needs of its surroundings. All but `on_main` may be called from any thread."""

    def on_main(self, call: Callable[[], T]) -> T:
        """Run on Nuke's main thread and return what it returns, or raise what it raises."""

    def ask(self, question: str) -> bool:
        """A question with yes or no."""

    def progress(self, text: str, percent: int) -> None:
        """How far the bake is."""

    def note(self, identity: str, text: str) -> None:
        """Something to know of the result of the node of this identity, before it is there."""

    def cancelled(self) -> bool:
        """Whether it is to stop."""


class Panel:
    """An artist's Nuke: progress in its own window, everything by way of the main thread."""

    def __init__(self, title: str, *, quiet: bool = False) -> None:
        """`quiet`: nothing pops up but the progress, as when a script is opened."""
        self.quiet = quiet
        self._title = title
        self._task: nuke.ProgressTask | None = None
        self._shown = ("", -1)
        self._cancel = threading.Event()

    def on_main(self, call: Callable[[], T]) -> T:
        """Post to the main thread and wait. The result comes by a queue: Nuke's own way of waiting swallows errors."""
        done: queue.Queue[tuple[bool, Any]] = queue.Queue(1)

        def perform() -> None:
            try:
                done.put((True, call()))
            except BaseException as error:  # noqa: BLE001  raised again where it was asked for
                done.put((False, error))

        nuke.executeInMainThread(perform)
        succeeded, outcome = done.get()
        if not succeeded:
            raise outcome
        result: T = outcome
        return result

    def ask(self, question: str) -> bool:
        return not self.quiet and self.on_main(lambda: bool(nuke.ask(question)))

    def progress(self, text: str, percent: int) -> None:
        """Show it soon; nobody waits for it."""
        nuke.executeInMainThread(self._show, args=(text, percent))

    def _show(self, text: str, percent: int) -> None:
        if self._task is None:
            self._task = nuke.ProgressTask(self._title)
        if (text, percent) != self._shown:
            self._task.setMessage(text)
            self._task.setProgress(percent)
            self._shown = (text, percent)
        if self._task.isCancelled():
            self._cancel.set()

    def note(self, identity: str, text: str) -> None:
        """Put it on the node soon; nobody waits for it."""
        nuke.executeInMainThread(_put, args=(identity, text))

    def close(self) -> None:
        """Take the progress window away, on the main thread: it goes with the task."""
        self._task = None

    def cancel(self) -> None:
        """Stop the bake, from the node's Cancel button."""
        self._cancel.set()

    def cancelled(self) -> bool:
        return self._cancel.is_set()


def _put(identity: str, text: str) -> None:
    node = by_identity(identity)
    if node is not None:
        set_status(node, text)
