"""Functions of nodes: making, finding, deleting, copying."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from . import _events, _group, _knob_text, _make, _nk_read, _nk_write, _resolve, _tcl, _undo
from ._guard import main_thread
from ._node import Node
from ._session import session


def current_group() -> _group.Group:
    """The group in force."""
    return session().groups[-1] if session().groups else session().root


@main_thread
def root() -> _group.Root:
    """The script."""
    return session().root


@main_thread
def thisRoot() -> _group.Root:
    """The script."""
    return session().root


@main_thread
def thisNode() -> Any:
    """The node whose callback runs; the group in force where none does."""
    return session().this[-1][0] if session().this else current_group()


@main_thread
def thisKnob() -> Any:
    """The knob whose callback runs."""
    return session().this[-1][1] if session().this else None


@main_thread
def thisGroup() -> _group.Group:
    """The group in force."""
    return current_group()


@main_thread
def thisParent() -> Any:
    """The group that holds the node whose callback runs."""
    node = session().this[-1][0] if session().this else current_group()
    return node._parent if node is not None else None


@main_thread
def thisClass() -> str:
    """The class of the node whose callback runs."""
    return str(thisNode()._class)


@main_thread
def endGroup() -> None:
    """Leave the group in force."""
    if session().groups:
        session().groups.pop()


@main_thread
def toNode(s: str) -> Node | None:
    """The node of that name in the group in force, `Blur1` or `VOID1.Write1`; from the root with `root.` before it."""
    return _resolve.node_at(s, current_group())


@main_thread
def exists(s: str) -> bool:
    """Whether there is a node, or a knob `Node.knob`, of that name."""
    if toNode(s) is not None:
        return True
    path, _, knob = s.rpartition(".")
    node = toNode(path) if path else None
    return node is not None and knob in node._knobs


@main_thread
def allNodes(*args: Any, **kwargs: Any) -> list[Node]:
    """allNodes(filter=class, group=group in force, recurseGroups=False), the last made first."""
    wanted = args[0] if args else kwargs.get("filter")
    group = args[1] if len(args) > 1 else kwargs.get("group")
    deep = args[2] if len(args) > 2 else kwargs.get("recurseGroups", False)
    found = _walk(group or current_group(), deep)
    return [node for node in found if wanted in (None, node._class)]


def _walk(group: Any, deep: bool) -> list[Node]:
    found: list[Node] = []
    for node in reversed(group._children):
        found.append(node)
        if deep and hasattr(node, "_children"):
            found += _walk(node, deep)
    return found


@main_thread
def selectedNodes(filter: str | None = None) -> list[Node]:  # noqa: A002
    """The selected nodes of the group in force."""
    return [n for n in reversed(current_group()._children) if n.isSelected() and filter in (None, n._class)]


@main_thread
def selectedNode() -> Node:
    """The selected node. ValueError where there is none."""
    found = selectedNodes()
    if not found:
        raise ValueError("no node selected")
    return found[0]


@main_thread
def selectAll() -> None:
    """Select every node of the group in force."""
    for node in current_group()._children:
        node.setSelected(True)


@main_thread
def createNode(typ: str, knobs: str = "", inpanel: bool = True) -> Node:
    """Make a node as the user does: below the selected one, selected, its panel open; onCreate, then onUserCreate."""
    with _undo.Undo(f"Create {typ}"):
        node = _create(typ, knobs, current_group())
    if inpanel:
        node.showControlPanel()
    return node


def _create(typ: str, knobs: str, group: _group.Group) -> Node:
    above = next(iter(selectedNodes()), None)
    gizmo = _gizmo(typ) is not None
    node = _read_gizmo(typ, group) if gizmo else _plain(typ, group)
    _recorded(node, group)
    session().loading += 1
    try:
        words = _tcl.split(knobs)
        _nk_read.apply_knobs(node, [list(pair) for pair in zip(words[::2], words[1::2], strict=True)])
    finally:
        session().loading -= 1
    if above is not None and above is not node and node.canSetInput(0, above):
        node._connect(0, above)
        node._knobs["xpos"]._value, node._knobs["ypos"]._value = [above.xpos()], [above.ypos() + 40.0]
    node.selectOnly()
    if not gizmo:
        _events.fire("onCreate", node)
    _events.fire("onUserCreate", node)
    return node


def _plain(typ: str, group: _group.Group) -> Node:
    if not re.fullmatch(r"[A-Za-z_]\w*", typ) or typ == "Root":
        raise RuntimeError(f"{typ}: Unknown command")
    if typ not in _make._classes.SPECS:
        raise RuntimeError(f"{typ}: Unknown command; the fake nuke knows no such class and no such gizmo")
    node = _make.node(typ, group)
    _make.adopt(node, group)
    return node


def _gizmo(typ: str) -> Path | None:
    name = typ.removesuffix(".gizmo")
    found = [Path(folder) / f"{name}.gizmo" for folder in session().plugin_path]
    return next((path for path in found if path.is_file()), None)


def _read_gizmo(typ: str, group: _group.Group) -> Node:
    path = _gizmo(typ)
    text = path.read_text(encoding="utf-8") if path else ""
    reader = _nk_read.Reader(group, number=True)
    reader.read(text)
    if [node._class for node in reader.made] != ["Group"]:
        raise RuntimeError(f"{path}: the fake takes gizmos that are one Group {{...}}")
    return reader.made[0]


def _recorded(node: Node, group: _group.Group) -> None:
    """An undo entry for a new node."""
    node._touch()
    _undo.record(f"Create {node._name}", lambda: _take_out(node), lambda: _put_back(node, group))


@main_thread
def construct(typ: str, kwargs: dict[str, Any]) -> Node:
    """nuke.nodes.X(knob=value, inputs=[...]): neither selected, nor connected, nor shown; onCreate alone is fired."""
    group = current_group()
    gizmo = _gizmo(typ) is not None
    node = _read_gizmo(typ, group) if gizmo else _plain(typ, group)
    _recorded(node, group)
    for index, above in enumerate(kwargs.pop("inputs", [])):
        if above is not None:
            node._connect(index, above)
    name = kwargs.pop("name", None)
    if name:
        node._knobs["name"]._value = _make.numbered(name, group, node)
    for key, value in sorted(kwargs.items(), key=lambda item: item[0] != "file_type"):
        knob = node[key]
        if isinstance(value, str) and not isinstance(knob, _knob_text.String_Knob):
            knob._load(value)
        else:
            knob._value = knob._checked(value)
        node._settled(knob)
    if not gizmo:
        _events.fire("onCreate", node)
    return node


@main_thread
def delete(n: Node | None) -> None:
    """Delete a node; what it fed takes its input 0 instead. None does nothing."""
    if n is None:
        return
    _events.fire("onDestroy", n)
    group, place = n._parent, n._parent._children.index(n) if n._parent else 0
    above = n.input(0)
    fed = [(node, i) for node in group._children for i, each in enumerate(node._inputs) if each is n] if group else []
    _take_out(n)
    for node, i in fed:
        node._connect(i, above)

    def back() -> None:
        _put_back(n, group, place)
        for node, i in fed:
            node._connect(i, n)

    n._touch()
    _undo.record(f"Delete {n._name}", back, lambda: _take_out(n))


def _take_out(node: Node) -> None:
    if node._parent is not None:
        node._parent._children.remove(node)
    _mark(node, True)


def _put_back(node: Node, group: Any, place: int | None = None) -> None:
    """Undoing a delete; Nuke fires onCreate then too."""
    group._children.insert(len(group._children) if place is None else place, node)
    _mark(node, False)
    _events.fire("onCreate", node)


def _mark(node: Node, deleted: bool) -> None:
    node._deleted = deleted
    for child in getattr(node, "_children", []):
        _mark(child, deleted)


@main_thread
def nodeCopy(s: str) -> None:
    """Copy the selected nodes to a file, or to `%clipboard%`."""
    chosen = [node for node in current_group()._children if node.isSelected()]
    if not chosen:
        raise RuntimeError("nodeCopy: nothing is selected")
    text = _nk_write.clipboard(chosen)
    if s == "%clipboard%":
        session().clipboard = text
    else:
        Path(s).write_text(text, encoding="utf-8", newline="\n")


@main_thread
def nodePaste(s: str) -> Node | None:
    """Paste from a file or `%clipboard%` below the selected node, under free names; the new nodes are selected."""
    text = session().clipboard if s == "%clipboard%" else Path(s).read_text(encoding="utf-8")
    group = current_group()
    above = next(iter(selectedNodes()), None)
    reader = _nk_read.Reader(group, above)
    with _undo.Undo("Paste"):
        reader.read(text)
        for node in reader.made:
            _recorded(node, group)
    for node in group._children:
        node.setSelected(node in reader.made)
    return reader.made[-1] if reader.made else None
