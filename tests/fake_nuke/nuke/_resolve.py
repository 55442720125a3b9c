"""What names mean: nodes by dotted path, and knobs in expressions."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from . import _expr
from ._session import session

if TYPE_CHECKING:
    from ._group import Group
    from ._node import Node


def node_at(path: str, group: Group) -> Node | None:
    """The node with that dotted name, looked for in the group; `root` and `root.X.Y` start at the top."""
    first, *rest = path.split(".")
    found: Node | None
    if first == "root":
        found = session().root
    elif first == "this" and session().this:
        found = session().this[-1][0]
    else:
        found = next((node for node in group._children if node._name == first), None)
    for name in rest:
        children = getattr(found, "_children", [])
        found = next((node for node in children if node._name == name), None)
    return found


def expression(text: str, node: Node | None) -> float:
    """The number an expression on one of the node's knobs gives at the frame in force. RuntimeError where it cannot."""
    text = text.strip()
    if text.startswith("curve"):
        return _curve(text, frame())
    return float(_expr.evaluate(text, lambda name: _named(name, node)))


def frame() -> float:
    """The frame in force: that of the render under way, else the root's."""
    now = session()
    return now.frame if now.frame is not None else float(now.root._knobs["frame"]._read())


def _named(name: str, node: Node | None) -> Any:
    if name.startswith("["):
        from ._substitute import tcl

        return _number(tcl(name, node), name)
    if name == "$gui":
        return 1.0 if session().gui else 0.0
    if name in ("frame", "t", "x"):
        return frame()
    return _number(reference(name, node), name)


def _number(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise RuntimeError(f"{name!r} is no number: {value!r}") from None


def reference(path: str, node: Node | None) -> Any:
    """The value of knob `path`: knob, parent.knob, root.knob, Node.knob, this.knob, input.knob."""
    *steps, last = path.split(".")
    at: Any = node if node is not None else session().root
    for index, step in enumerate(steps):
        at = _step(at, step, index == 0)
        if at is None:
            raise RuntimeError(f'Nothing is named "{path}"')
    knob = at._knobs.get(last)
    if knob is None:
        raise RuntimeError(f'Nothing is named "{path}"')
    return knob._number() if hasattr(knob, "_number") else knob._read()


def _step(at: Any, step: str, first: bool) -> Any:
    if step == "root":
        return session().root
    if step == "parent":
        return at._parent
    if step == "this":
        return at
    if step in ("input", "input0"):
        return at._inputs[0] if at._inputs else None
    group = at._parent if first and at._parent is not None else at
    children = getattr(group, "_children", [])
    return next((node for node in children if node._name == step), None)


def _curve(text: str, at: float) -> float:
    """A keyed curve, `curve x1 0 x5 1 2`, with straight lines between the keys and level ends."""
    keys: list[tuple[float, float]] = []
    x = 0.0
    for token in text.split()[1:]:
        if token.startswith("x") and token[1:2].isdigit():
            x = float(token[1:]) - 1
        elif re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", token):
            x += 1
            keys.append((x, float(token)))
    if not keys:
        raise RuntimeError(f"{text!r} has no keys")
    for (x0, y0), (x1, y1) in itertools.pairwise(keys):
        if at < x1:
            return y0 if at <= x0 else y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    return keys[-1][1]
