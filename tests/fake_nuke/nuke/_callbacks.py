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


addOnUserCreate, removeOnUserCreate = (
    _adder("onUserCreate", "addOnUserCreate"),
    _remover("onUserCreate", "removeOnUserCreate"),
)
addOnCreate, removeOnCreate = _adder("onCreate", "addOnCreate"), _remover("onCreate", "removeOnCreate")
addOnDestroy, removeOnDestroy = _adder("onDestroy", "addOnDestroy"), _remover("onDestroy", "removeOnDestroy")
addOnScriptLoad, removeOnScriptLoad = (
    _adder("onScriptLoad", "addOnScriptLoad"),
    _remover("onScriptLoad", "removeOnScriptLoad"),
)
addOnScriptSave, removeOnScriptSave = (
    _adder("onScriptSave", "addOnScriptSave"),
    _remover("onScriptSave", "removeOnScriptSave"),
)
addOnScriptClose, removeOnScriptClose = (
    _adder("onScriptClose", "addOnScriptClose"),
    _remover("onScriptClose", "removeOnScriptClose"),
)
addUpdateUI, removeUpdateUI = _adder("updateUI", "addUpdateUI"), _remover("updateUI", "removeUpdateUI")
addAutolabel, removeAutolabel = _adder("autolabel", "addAutolabel"), _remover("autolabel", "removeAutolabel")
addBeforeRender, removeBeforeRender = (
    _adder("beforeRender", "addBeforeRender"),
    _remover("beforeRender", "removeBeforeRender"),
)
addBeforeFrameRender, removeBeforeFrameRender = (
    _adder("beforeFrameRender", "addBeforeFrameRender"),
    _remover("beforeFrameRender", "removeBeforeFrameRender"),
)
addAfterFrameRender, removeAfterFrameRender = (
    _adder("afterFrameRender", "addAfterFrameRender"),
    _remover("afterFrameRender", "removeAfterFrameRender"),
)
addAfterRender, removeAfterRender = (
    _adder("afterRender", "addAfterRender"),
    _remover("afterRender", "removeAfterRender"),
)
addFilenameFilter, removeFilenameFilter = (
    _adder("filenameFilter", "addFilenameFilter"),
    _remover("filenameFilter", "removeFilenameFilter"),
)

__all__ = [name for name in globals() if name.startswith(("add", "remove"))]
