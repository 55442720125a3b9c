"""Nodes and knobs from their specs."""

from __future__ import annotations

from typing import Any

from . import _classes, _format, _group, _knob, _knob_menu, _knob_numbers, _knob_text
from . import _constants as c
from ._knob import Knob
from ._node import Node
from ._session import session

NODES: dict[str, type[Node]] = {
    "Group": _group.Group,
    "LiveGroup": _group.LiveGroup,
    "Precomp": _group.Precomp,
    "Root": _group.Root,
    "Viewer": _group.Viewer,
    "BackdropNode": _group.BackdropNode,
}


def knob_class(name: str) -> type[Knob]:
    """The class of that name."""
    for module in (_knob_numbers, _knob_text, _knob_menu, _knob):
        if hasattr(module, name):
            return getattr(module, name)
    raise RuntimeError(f"no knob class {name}")


def knob(spec: _classes.KnobSpec) -> Knob:
    """A built-in knob with its default."""
    args: list[Any] = [spec.name, None]
    if spec.items:
        args.append(spec.items)
    made = knob_class(spec.kind)(*args)
    if isinstance(made, _knob_menu.Enumeration_Knob):
        made._open = spec.open
    if isinstance(made, _knob_menu.Format_Knob):
        made._value = made._default = None if spec.default is None else _format.named(spec.default)
    elif spec.default is not None:
        for name in ("_value", "_default"):
            value = (
                [float(spec.default)] * made._width() if isinstance(made, _knob_numbers.Array_Knob) else spec.default
            )
            setattr(made, name, value)
    return made


def node(class_name: str, parent: _group.Group | None) -> Node:
    """A new node, not yet in its group's list; of an unknown class where the fake knows none of that name."""
    made = NODES.get(class_name, Node)._blank(class_name, parent)
    specs = _classes.ROOT if class_name == "Root" else _classes.COMMON
    known = _classes.SPECS.get(class_name)
    for spec in [*specs, *(known.knobs if known else ())]:
        put(made, knob(spec))
    if "selected" in made._knobs:
        made._knobs["selected"].setFlag(c.NO_UNDO)
    for key, value in session().knob_defaults.items():
        wanted, _, knob_name = key.partition(".")
        if wanted == class_name and knob_name in made._knobs:
            made._knobs[knob_name]._load(value)
    return made


def put(on: Node, which: Knob) -> None:
    """Give the node a knob."""
    which._node = on
    on._knobs[which._name] = which


def put_user(on: Node, which: Knob) -> None:
    """Give the node a user knob from a script; dividing lines have no name, and there may be several."""
    put(on, which)
    if not which._name:
        on._knobs[f"divider {len(on._knobs)}"] = on._knobs.pop("")


def follow_file_type(write: Node) -> None:
    """Give a Write the knobs it has for EXR, or take them away."""
    exr = write._text("file_type") == "exr"
    for spec in _classes.WRITE_EXR:
        if exr and spec.name not in write._knobs:
            put(write, knob(spec))
        elif not exr:
            write._knobs.pop(spec.name, None)


def numbered(name: str, group: _group.Group, but: Node | None = None) -> str:
    """The name, or with the next free number where another node of the group has it."""
    taken = {other._name for other in group._children if other is not but}
    if name not in taken:
        return name
    stem = name.rstrip("0123456789")
    number = int(name[len(stem) :] or 0)
    while f"{stem}{number}" in taken or not number:
        number += 1
    return f"{stem}{number}"


def adopt(made: Node, group: _group.Group, name: str = "") -> None:
    """Put the node into the group under a free name."""
    stem = {"Merge2": "Merge", "Shuffle2": "Shuffle"}.get(made._class, made._class)
    made._parent = group
    made._knobs["name"]._value = numbered(name or f"{stem}1", group)
    if made._class == "Input" and not name and not made._knobs["number"]._changed_from_default():
        made._knobs["number"]._value = [float(sum(other._class == "Input" for other in group._children))]
    group._children.append(made)
