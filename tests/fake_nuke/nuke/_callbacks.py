"""nuke.addOnCreate and its kin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._events import Callback
from ._guard import main_thread
from ._session import session


def _callback(call: Any, args: Any, kwargs: Any, node_class: str, node: Any = None) -> Callback:
    given = args if isinstance(args, tuple) else (args,)
    return Callback(call, given, tuple((kwargs or {}).items()), node_class, node)


def _add(event: str, callback: Callback) -> None:
    """Add once; the same callback again moves to the end, as in nuke/callbacks.py."""
    known = session().callbacks.setdefault(event, [])
    if callback in known:
        known.remove(callback)
    known.append(callback)


def _remove(event: str, callback: Callback) -> None:
    known = session().callbacks.get(event, [])
    if callback in known:
        known.remove(callback)


def _adder(event: str, name: str) -> Callable[..., None]:
    def add(call: Any, args: Any = (), kwargs: Any = None, nodeClass: str = "*") -> None:
        _add(event, _callback(call, args, kwargs, nodeClass))

    add.__name__ = add.__qualname__ = name
    add.__doc__ = f"Call `call` at {event}, for nodes of a class."
    return main_thread(add)


def _remover(event: str, name: str) -> Callable[..., None]:
    def remove(call: Any, args: Any = (), kwargs: Any = None, nodeClass: str = "*") -> None:
        _remove(event, _callback(call, args, kwargs, nodeClass))

    remove.__name__ = remove.__qualname__ = name
    remove.__doc__ = f"Call no more at {event}."
    return main_thread(remove)


@main_thread
def addKnobChanged(
    call: Any,
    args: Any = (),
    kwargs: Any = None,
    nodeClass: str = "*",
    node: Any = None,
) -> None:
    """Call `call` when a knob changes, of nodes of a class or of one node."""
    _add("knobChanged", _callback(call, args, kwargs, nodeClass, node))


@main_thread
def removeKnobChanged(
    call: Any,
    args: Any = (),
    kwargs: Any = None,
    nodeClass: str = "*",
    node: Any = None,
) -> None:
    """Call no more when a knob changes."""
    _remove("knobChanged", _callback(call, args, kwargs, nodeClass, node))


def _pair(event: str) -> tuple[Any, Any]:
    """add... and remove... of one event."""
    name = event[0].upper() + event[1:]
    return _adder(event, f"add{name}"), _remover(event, f"remove{name}")


addOnUserCreate, removeOnUserCreate = _pair("onUserCreate")
addOnCreate, removeOnCreate = _pair("onCreate")
addOnDestroy, removeOnDestroy = _pair("onDestroy")
addOnScriptLoad, removeOnScriptLoad = _pair("onScriptLoad")
addOnScriptSave, removeOnScriptSave = _pair("onScriptSave")
addOnScriptClose, removeOnScriptClose = _pair("onScriptClose")
addUpdateUI, removeUpdateUI = _pair("updateUI")
addAutolabel, removeAutolabel = _pair("autolabel")
addBeforeRender, removeBeforeRender = _pair("beforeRender")
addBeforeFrameRender, removeBeforeFrameRender = _pair("beforeFrameRender")
addAfterFrameRender, removeAfterFrameRender = _pair("afterFrameRender")
addAfterRender, removeAfterRender = _pair("afterRender")
addFilenameFilter, removeFilenameFilter = _pair("filenameFilter")

__all__ = [name for name in globals() if name.startswith(("add", "remove"))]
