"""executeInMainThread: the only way from another thread into Nuke."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ._session import record_error, session


def executeInMainThread(call: Callable[..., Any], args: Any = (), kwargs: Any = None) -> None:
    """Have `call` run by the main thread some time later; what it raises is printed, and no one is told."""
    if threading.current_thread() in session().older:
        return
    given = args if isinstance(args, tuple) else (args,)
    session().calls.put(lambda: _guarded(call, given, kwargs or {}))


def _guarded(call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        return call(*args, **kwargs)
    except Exception:  # noqa: BLE001 - so does Nuke
        record_error("executeInMainThread")
        return None


def executeInMainThreadWithResult(call: Callable[..., Any], args: Any = (), kwargs: Any = None) -> Any:
    """Have `call` run by the main thread and wait for what it returns: None where it raises."""
    if threading.current_thread() is threading.main_thread():
        raise RuntimeError("executeInMainThreadWithResult was called from the main thread")
    if threading.current_thread() in session().older:
        return None
    given = args if isinstance(args, tuple) else (args,)
    done = threading.Event()
    results: list[Any] = []

    def run() -> None:
        results.append(_guarded(call, given, kwargs or {}))
        done.set()

    session().calls.put(run)
    done.wait()
    return results[0]
