"""Everything here belongs to the main thread; a call from another one raises, where real Nuke crashes now and then."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Guarded = TypeVar("Guarded")
SPECIAL = {"__init__", "__getitem__", "__enter__", "__exit__", "__len__"}


def check_thread(what: str) -> None:
    """Raise RuntimeError off the main thread."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(f"{what}: Nuke's API was called off the main thread; use nuke.executeInMainThread")


def main_thread(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, callable on the main thread alone; a method of a deleted node raises as Nuke's does."""

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        check_thread(function.__qualname__)
        if args and getattr(args[0], "_deleted", False):
            raise ValueError("A PythonObject is not attached to a node")
        return function(*args, **kwargs)

    checked._guarded = True
    return checked


def guarded(cls: type[Guarded]) -> type[Guarded]:
    """The class with every public method held to the main thread."""
    for name, member in list(vars(cls).items()):
        if name.startswith("_") and name not in SPECIAL:
            continue
        if isinstance(member, staticmethod):
            setattr(cls, name, staticmethod(main_thread(member.__func__)))
        elif callable(member) and not isinstance(member, type):
            setattr(cls, name, main_thread(member))
    return cls
