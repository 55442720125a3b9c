"""Functions of the script: opening, saving, plug-in paths, views, formats, frames."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from . import _events, _format, _image, _make, _nk_read, _nk_write, _resolve, _substitute
from ._api_nodes import current_group, toNode
from ._guard import main_thread
from ._node import Node
from ._session import run_script, session, this


def new_root() -> None:
    """An empty script."""
    now = session()
    root: Any = _make.node("Root", None)
    now.root = root
    now.groups, now.this = [root], []
    now.undo_stack, now.redo_stack, now.undo_open = [], [], []
    now.layout = ""


@main_thread
def scriptClear(*args: Any, **kwargs: Any) -> Any:
    """Close the script, telling onScriptClose, and start an empty one."""
    _events.fire("onScriptClose", session().root)
    for node in list(session().root._children):
        _events.fire("onDestroy", node)
        node._deleted = True
    new_root()


scriptClose = scriptClear


@main_thread
def scriptNew(*args: Any, **kwargs: Any) -> Any:
    """An empty script."""
    scriptClear()


@main_thread
def scriptOpen(filename: str | None = None) -> None:
    """Open a script instead of the present one. RuntimeError where it cannot be read."""
    if filename is None:
        raise RuntimeError("scriptOpen: there is no file browser in the fake")
    text = _text(filename)
    scriptClear()
    root = session().root
    # Scripts in knobs may ask for the script's name, so it is known while they run.
    root._knobs["name"]._value = str(filename)
    session().undo_disabled += 1
    try:
        _nk_read.Reader(root).read(text)
    finally:
        session().undo_disabled -= 1
    root._knobs["name"]._value = str(filename)
    # What onScriptLoad changes makes the script a modified one, as artists know too well.
    root._modified = False
    _events.fire("onScriptLoad", root)


def _text(filename: str) -> str:
    path = Path(filename)
    if not path.is_file():
        raise RuntimeError(f"{filename}: no such file")
    with path.open(encoding="utf-8", newline="") as file:
        return file.read().replace("\r\n", "\n")


@main_thread
def scriptReadFile(s: str) -> None:
    """Read a script's nodes into the group in force."""
    _nk_read.Reader(current_group()).read(_text(s))


scriptSource = scriptReadFile


@main_thread
def scriptReadText(s: str) -> None:
    """Read nodes from text into the group in force."""
    _nk_read.Reader(current_group()).read(s)


@main_thread
def scriptSaveAs(filename: str | None = None, overwrite: int | bool = -1) -> None:
    """Save under a name. RuntimeError where the file is there and `overwrite` is not true; Nuke would ask."""
    if filename is None:
        raise RuntimeError("scriptSaveAs: there is no file browser in the fake")
    if Path(filename).exists() and overwrite not in (1, True):
        raise RuntimeError(f"{filename} exists; overwrite it?")
    session().root._knobs["name"]._value = str(filename)
    _save(str(filename))


@main_thread
def scriptSave(filename: str | None = None) -> bool:
    """Save under its name, or into `filename` without taking that name."""
    name = filename or str(session().root._knobs["name"]._value)
    if not name:
        raise RuntimeError("scriptSave: the script has no name")
    _save(name)
    return True


def _save(filename: str) -> None:
    _events.fire("onScriptSave", session().root)
    with Path(filename).open("w", encoding="utf-8", newline="") as file:
        file.write(_nk_write.script())
    session().root._modified = False


@main_thread
def scriptName() -> str:
    """The script's file. RuntimeError where it has none yet, as in Nuke."""
    name = str(session().root._knobs["name"]._value)
    if not name:
        raise RuntimeError("no script name has been given")
    return name


@main_thread
def modified(state: bool | None = None) -> bool:
    """Whether the script was changed since it was saved; with `state`, says so."""
    if state is not None:
        session().root._modified = bool(state)
    return session().root._modified


@main_thread
def script_directory() -> str:
    """The folder of the script."""
    name = str(session().root._knobs["name"]._value)
    return str(Path(name).parent) if name else ""


# Plug-in paths


@main_thread
def pluginPath() -> list[str]:
    """The folders where gizmos and the like are looked for, the first first."""
    return list(session().plugin_path)


@main_thread
def pluginAddPath(args: Any, addToSysPath: bool = True) -> None:
    """Put folders at the front; one that is not absolute is meant from the folder whose init.py or menu.py runs."""
    for folder in [args] if isinstance(args, str) else args:
        _add_path(folder, 0, addToSysPath)


@main_thread
def pluginAppendPath(args: Any, addToSysPath: bool = True) -> None:
    """Put folders at the end."""
    for folder in [args] if isinstance(args, str) else args:
        _add_path(folder, len(session().plugin_path), addToSysPath)


def _add_path(folder: str, place: int, to_sys_path: bool) -> None:
    path = Path(folder)
    if not path.is_absolute():
        path = Path(sys._getframe(3).f_globals.get("__file__", "x")).parent / path
    text = str(path.resolve())
    if text not in session().plugin_path:
        session().plugin_path.insert(place, text)
    if to_sys_path and text not in sys.path:
        sys.path.insert(0 if place == 0 else len(sys.path), text)


# Views, formats, frames


@main_thread
def views() -> list[str]:
    """The script's views."""
    return session().root._views()


@main_thread
def addView(s: str) -> None:
    """Add a view."""
    session().root.addView(s)


@main_thread
def deleteView(s: str) -> None:
    """Remove a view."""
    session().root.deleteView(s)


@main_thread
def thisView() -> str:
    """The view in force."""
    return session().view or session().root._views()[0]


@main_thread
def addFormat(s: str) -> _format.Format:
    """Make a format known: `w h [x y r t] aspect name`."""
    made = _format.parsed(s)
    session().formats.append(made)
    return made


@main_thread
def formats() -> list[_format.Format]:
    """The known formats."""
    return [*map(_format.parsed, _format.STANDARD), *session().formats]


@main_thread
def frame(f: int | None = None) -> int:
    """The root's frame; with `f`, goes there."""
    if f is not None:
        session().root.setFrame(f)
    return int(_resolve.frame())


@main_thread
def expression(s: str) -> float:
    """What an expression gives."""
    return _resolve.expression(s, session().this[-1][0] if session().this else session().root)


@main_thread
def value(knob: str, default: str | None = None) -> str:
    """A knob's value as text: `Node.knob`. RuntimeError where there is none and no default."""
    try:
        return _substitute.tcl(f"[value {knob}]", session().this[-1][0] if session().this else session().root)
    except RuntimeError:
        if default is None:
            raise
        return default


@main_thread
def knobDefault(classknob: str, value: str | None = None) -> str | None:
    """The default of `Class.knob` for nodes made from now on; with `value`, sets it."""
    if value is not None:
        session().knob_defaults[classknob] = str(value)
    return session().knob_defaults.get(classknob)


@main_thread
def filename(node: Node, i: int | None = None) -> str | None:
    """The file of a node; with nuke.REPLACE, at the frame and view in force."""
    knob = node._knobs.get("file")
    if knob is None:
        return None
    return str(knob.evaluate() if i else knob._value)


REPLACE = 1


@main_thread
def channels(node: Node | None = None) -> list[str]:
    """The channels a node gives, or all that are known."""
    if node is not None:
        return node.channels()
    known = [*_image.ORDER, "depth.Z"]
    for each in session().root._children:
        known += each.channels()
    return list(dict.fromkeys(known))


@main_thread
def layers(node: Node | None = None) -> list[str]:
    """The layers of those channels."""
    return list(dict.fromkeys(name.partition(".")[0] for name in channels(node)))


@main_thread
def sample(node: Node, channel: str, x: float, y: float, dx: float = 1, dy: float = 1) -> float:
    """The value of the pixel at x, y."""
    image = node._image()
    left, low = int(x), int(y)
    return float(image.on(channel, (left, low, left + 1, low + 1))[0, 0])


@main_thread
def dependencies(nodes: Any, what: int = 7) -> list[Node]:
    """The nodes that these need directly."""
    each = [nodes] if isinstance(nodes, Node) else nodes
    return list(dict.fromkeys(found for node in each for found in node.dependencies(what)))


@main_thread
def runIn(object: str, cmd: str) -> bool:  # noqa: A002
    """Run Python with that node as thisNode."""
    with this(toNode(object)):
        run_script(cmd, "runIn")
    return True
