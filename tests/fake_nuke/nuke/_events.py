"""Callbacks and the scripts in knobs: who is told what, and that a mistake in one stops nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import _constants as c
from ._session import record_error, run_script, session, this

if TYPE_CHECKING:
    from ._knob import Knob
    from ._node import Node


@dataclass(frozen=True)
class Callback:
    """One registered call, for nodes of a class (`*`: any) or for one node."""

    call: Callable[..., Any] | str
    args: tuple[Any, ...]
    kwargs: tuple[tuple[str, Any], ...]
    node_class: str
    node: Any = None

    def concerns(self, node: Node | None) -> bool:
        if self.node is not None:
            return self.node is node
        return self.node_class == "*" or (node is not None and node._class == self.node_class)

    def run(self, *first: Any) -> Any:
        if isinstance(self.call, str):
            run_script(self.call, "callback")
            return None
        return self.call(*first, *self.args, **dict(self.kwargs))


def registered(event: str, node: Node | None) -> list[Callback]:
    """The callbacks of an event that concern a node, in the order they were added."""
    return [callback for callback in session().callbacks.get(event, []) if callback.concerns(node)]


def fire(event: str, node: Node | None, knob: Knob | None = None) -> None:
    """Run the node's own script named as the event, then the registered callbacks; their mistakes are recorded."""
    with this(node, knob):
        for run in _calls(event, node):
            try:
                run()
            except Exception:  # noqa: BLE001 - Nuke prints it and goes on
                record_error(f"{node._name if node else 'nuke'}.{event}")


def fire_strictly(event: str, node: Node) -> None:
    """Like `fire`, but a mistake ends what is going on: renders stop when a render callback fails."""
    with this(node):
        for run in _calls(event, node):
            run()


def _calls(event: str, node: Node | None) -> list[Callable[[], Any]]:
    found: list[Callable[[], Any]] = []
    knob = node._knobs.get(event) if node is not None else None
    if knob is not None and knob._value:
        text = knob._value
        found.append(lambda: run_script(text, event))
    return found + [callback.run for callback in registered(event, node)]


def knob_changed(node: Node, knob: Knob) -> None:
    """Tell of a changed knob; not of a change that the node's knobChanged makes, unless the knob asks for it."""
    now = session()
    if now.loading or (node in now.in_knob_changed and not knob._flags & c.KNOB_CHANGED_RECURSIVE):
        return
    now.in_knob_changed.append(node)
    try:
        fire("knobChanged", node, knob)
    finally:
        now.in_knob_changed.pop()


def pseudo_changed(node: Node, name: str) -> None:
    """Tell of what is no knob but told as one: showPanel, hidePanel, inputChange."""
    from ._knob import Knob

    knob = Knob(name)
    knob._node = node
    knob_changed(node, knob)
