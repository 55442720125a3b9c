"""Pulling pictures through the graph."""

from __future__ import annotations

from typing import Any

from . import _image, _ops, _session
from ._image import Image
from ._node import Node
from ._session import session


class Pull:
    """One pull at a time: pictures are kept by node, frame and view while it lasts."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, float, str], Image] = {}

    def image(self, node: Node | None, frame: float, view: str) -> Image:
        """The picture a node gives. RuntimeError, with the node's name, where it gives none."""
        if node is None:
            return _image.blank()
        key = (id(node), frame, view)
        if key not in self.kept:
            with _session.at(frame, view):
                self.kept[key] = self._made(node, frame, view)
        return self.kept[key]

    def _made(self, node: Node, frame: float, view: str) -> Image:
        off = "disable" in node._knobs and bool(node._knobs["disable"]._read())
        if node._class in GROUPS and not off:
            output = next((n for n in node._children if n._class == "Output"), None)
            return self.image(output, frame, view)
        if node._class == "Input":
            return self.image(_outside(node), frame, view)
        op = None if off else _ops.OPS.get(node._class)
        if op is None:
            return self.image(_first_input(node), frame, view)
        return op(node, lambda i, view=view: self.image(node.input(i), frame, view), frame, view)


GROUPS = ("Group", "LiveGroup")


def _first_input(node: Node) -> Node | None:
    return node._inputs[0] if node._inputs else None


def _outside(node: Node) -> Node | None:
    """What feeds an Input node: its group's input of that place, else what is connected to itself."""
    group: Any = node._parent
    place = group._input_nodes().index(node) if hasattr(group, "_input_nodes") else 0
    fed = group._inputs[place] if group is not session().root and place < len(group._inputs) else None
    return fed or _first_input(node)


def pull(node: Node, frame: float, view: str) -> Image:
    """The node's picture at a frame and view."""
    return Pull().image(node, frame, view)


def _here(frame: float | None, view: str | None) -> tuple[float, str]:
    from ._resolve import frame as current

    now = session()
    return current() if frame is None else float(frame), view or now.view or now.root._views()[0]


def look(node: Node, frame: float | None = None, view: str | None = None) -> Image:
    """The picture to ask for format, box, channels: an empty one where the node has an error; small in proxy mode."""
    try:
        return _ops.proxied(pull(node, *_here(frame, view)))
    except RuntimeError:
        return _image.blank()


def problem(node: Node) -> str | None:
    """What keeps the node from giving a picture here and now."""
    try:
        pull(node, *_here(None, None))
    except RuntimeError as error:
        return str(error)
    return None


def frame_range(node: Node) -> tuple[int, int]:
    """A Read's and a Constant's own range, else the union of the inputs', else the root's."""
    if node._class in ("Read", "Constant"):
        return int(node._number("first")), int(node._number("last"))
    above: list[Node | None] = list(node._inputs)
    if node._class == "Input":
        above = [_outside(node)]
    elif node._class in GROUPS and not node._text("disable"):
        above = [n for n in node._children if n._class == "Output"]
    ranges = [frame_range(n) for n in above if n is not None]
    if not ranges:
        root = session().root
        return int(root._number("first_frame")), int(root._number("last_frame"))
    return min(first for first, _ in ranges), max(last for _, last in ranges)
