"""Tcl in file names and labels: [value knob], [expression e], [file dirname x], [getenv X], and backslashes."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from . import _resolve, _tcl

if TYPE_CHECKING:
    from ._node import Node


def tcl(text: str, node: Node | None) -> str:
    """The text with its [commands] worked out and its backslashes taken away, as Tcl's `subst` does it.

    RuntimeError for commands and $variables that the fake does not know: a folder named `a[1]` is such a command in
    Nuke too, unless it is written `a\\[1\\]`.
    """
    out: list[str] = []
    pos = 0
    while pos < len(text):
        char = text[pos]
        if char == "[":
            end = _tcl._match(text, pos, "[", "]")
            out.append(_command(text[pos + 1 : end], node))
            pos = end + 1
        elif char == "$" and re.match(r"[A-Za-z_{]", text[pos + 1 : pos + 2]):
            raise RuntimeError(f"{text!r}: can't read {text[pos:]!r}: no such variable")
        else:
            piece, pos = _tcl._char(text, pos)
            out.append(piece)
    return "".join(out)


def _command(text: str, node: Node | None) -> str:
    words = [word.text if word.braced else tcl(word.text, node) for word in _tcl.split(text)]
    name, *arguments = words or [""]
    if name in ("value", "knob") and arguments:
        return _as_text(_resolve.reference(arguments[0], node))
    if name == "expression":
        return _as_text(_resolve.expression(" ".join(arguments), node))
    if name == "getenv" and arguments:
        return os.environ.get(arguments[0], "")
    if name == "file" and len(arguments) == 2 and arguments[0] in FILE:
        return FILE[arguments[0]](arguments[1])
    raise RuntimeError(f"[{text}]: invalid command name {name!r}, or one that is not in the fake")


FILE = {
    "dirname": os.path.dirname,
    "tail": os.path.basename,
    "rootname": lambda path: os.path.splitext(path)[0],  # noqa: PTH122 - names with %04d, not files
    "extension": lambda path: os.path.splitext(path)[1],  # noqa: PTH122
}


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
