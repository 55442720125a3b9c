"""Hashes of what a node's picture is made of: knobs and inputs, not names, places or labels."""

from __future__ import annotations

import hashlib
from typing import Any

from . import _classes, _render, _resolve

LOOKS = {"name", "xpos", "ypos", "selected", "hide_input", "disable", "which", "toolbox"}


def of(node: Any) -> str:
    """A group's is its output's, a switch's that of the input in use, a disabled node's its input's; a Read's goes with
    the frame, as the file does. What the user adds to a node counts only where an expression uses it."""
    if node is None:
        return "nothing"
    through = _through(node)
    if through is not node:
        return of(through)
    parts = [node._class, *(f"{name}={node._knobs[name]._read()}" for name in _own(node))]
    if node._class == "Read":
        parts.append(str(_resolve.frame()))
    return hashlib.sha256("|".join([*parts, *(of(above) for above in node._inputs)]).encode()).hexdigest()


def _own(node: Any) -> list[str]:
    looks = LOOKS | {spec.name for spec in _classes.COMMON}
    return [name for name, knob in node._knobs.items() if not knob._user and name not in looks]


def _through(node: Any) -> Any:
    """The node whose picture this one hands on unchanged."""
    first = node._inputs[0] if node._inputs else None
    if "disable" in node._knobs and node._knobs["disable"]._read():
        return first
    if node._class in _render.GROUPS:
        return next((each for each in node._children if each._class == "Output"), None)
    if node._class == "Input":
        return _render._outside(node)
    if node._class == "Switch":
        place = min(max(int(node._number("which")), 0), max(len(node._inputs) - 1, 0))
        return node._inputs[place] if node._inputs else None
    return first if node._class in ("Dot", "NoOp", "Output", "Write", "Viewer") else node
