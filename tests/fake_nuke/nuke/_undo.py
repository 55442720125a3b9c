"""Undo: entries of named changes that can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ._guard import guarded, main_thread
from ._session import session


@dataclass
class Entry:
    """One line of the Edit history: a name and its changes, each as how to take it back and how to make it again."""

    name: str
    steps: list[tuple[Callable[[], None], Callable[[], None]]] = field(default_factory=list)


def record(name: str, back: Callable[[], None], again: Callable[[], None]) -> None:
    """Add a change to the open entry, or as an entry of its own; nothing while undo is disabled or a script loads."""
    now = session()
    if now.undo_disabled or now.loading:
        return
    if now.undo_open:
        now.undo_open[-1].steps.append((back, again))
    else:
        _close(Entry(name, [(back, again)]))


def _close(entry: Entry) -> None:
    now = session()
    if not entry.steps:
        return
    if now.undo_open:
        now.undo_open[-1].steps += entry.steps
    else:
        now.undo_stack.append(entry)
        now.redo_stack.clear()


@guarded
class Undo:
    """Called on the class, `nuke.Undo.begin("name")`, or as `with nuke.Undo("name"):`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Undo(name="")."""
        self._given = str(args[0]) if args else ""

    def __enter__(self) -> Any:
        Undo.begin(self._given)
        return self

    def __exit__(self, type: Any, value: Any, traceback: Any) -> Any:  # noqa: A002
        if value is not None:
            Undo.cancel()
        else:
            Undo.end()

    @staticmethod
    def begin(*args: Any, **kwargs: Any) -> Any:
        session().undo_open.append(Entry(str(args[0]) if args else ""))

    new = begin

    @staticmethod
    def name(*args: Any, **kwargs: Any) -> Any:
        if session().undo_open:
            session().undo_open[-1].name = str(args[0])

    @staticmethod
    def end(*args: Any, **kwargs: Any) -> Any:
        if session().undo_open:
            _close(session().undo_open.pop())

    @staticmethod
    def cancel(*args: Any, **kwargs: Any) -> Any:
        """Take back what the open entry holds, and drop it."""
        if session().undo_open:
            _run([back for back, _ in reversed(session().undo_open.pop().steps)])

    @staticmethod
    def disable(*args: Any, **kwargs: Any) -> Any:
        session().undo_disabled += 1

    @staticmethod
    def enable(*args: Any, **kwargs: Any) -> Any:
        session().undo_disabled = max(0, session().undo_disabled - 1)

    @staticmethod
    def disabled(*args: Any, **kwargs: Any) -> Any:
        return bool(session().undo_disabled)

    @staticmethod
    def undo(*args: Any, **kwargs: Any) -> Any:
        undo()

    @staticmethod
    def redo(*args: Any, **kwargs: Any) -> Any:
        redo()

    @staticmethod
    def undoSize(*args: Any, **kwargs: Any) -> Any:
        return len(session().undo_stack)

    @staticmethod
    def redoSize(*args: Any, **kwargs: Any) -> Any:
        return len(session().redo_stack)

    @staticmethod
    def undoDescribe(*args: Any, **kwargs: Any) -> Any:
        return _describe(session().undo_stack, args)

    @staticmethod
    def redoDescribe(*args: Any, **kwargs: Any) -> Any:
        return _describe(session().redo_stack, args)

    @staticmethod
    def undoTruncate(*args: Any, **kwargs: Any) -> Any:
        session().undo_stack.clear()


def _describe(entries: list[Entry], args: tuple[Any, ...]) -> str:
    place = int(args[0]) if args else 0
    return entries[-1 - place].name if place < len(entries) else ""


def _run(steps: list[Callable[[], None]]) -> None:
    session().undo_disabled += 1
    try:
        for step in steps:
            step()
    finally:
        session().undo_disabled -= 1


@main_thread
def undo() -> None:
    """Take the last entry back."""
    if session().undo_stack:
        entry = session().undo_stack.pop()
        _run([back for back, _ in reversed(entry.steps)])
        session().redo_stack.append(entry)


@main_thread
def redo() -> None:
    """Make again what was taken back last."""
    if session().redo_stack:
        entry = session().redo_stack.pop()
        _run([again for _, again in entry.steps])
        session().undo_stack.append(entry)
