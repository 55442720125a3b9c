"""Menus and toolbars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._guard import guarded, main_thread
from ._session import run_script, session


@guarded
class MenuItem:
    """A command in a menu."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """MenuItem(name, command)."""
        self._name, self._command = args
        self._enabled = True
        self._shortcut = str(kwargs.get("shortcut", ""))
        self._icon = str(kwargs.get("icon", ""))

    def name(self) -> str:
        return str(self._name)

    def script(self) -> str:
        return self._command if isinstance(self._command, str) else ""

    def icon(self) -> str:
        return self._icon

    def shortcut(self) -> str:
        return self._shortcut

    def setEnabled(self, enabled: bool, recursive: bool = False) -> None:
        self._enabled = bool(enabled)

    def invoke(self) -> None:
        """Choose the item; a mistake in its command reaches the caller."""
        if isinstance(self._command, str):
            run_script(self._command, self._name)
        elif self._command is not None:
            self._command()


@guarded
class _Holder:
    """What menus, toolbars and menu bars share; `A/B/c` makes the menus on the way."""

    _items: dict[str, Any]

    def addMenu(self, *args: Any, **kwargs: Any) -> Any:
        first, _, rest = args[0].partition("/")
        found = self._items.setdefault(first, Menu(first, None))
        return found.addMenu(rest) if rest else found

    def addCommand(self, *args: Any, **kwargs: Any) -> Any:
        """addCommand(name, command, shortcut, icon=...): the command is Python text or a callable."""
        path, _, name = args[0].rpartition("/")
        holder = self.addMenu(path) if path else self
        command: str | Callable[[], Any] | None = args[1] if len(args) > 1 else kwargs.get("command")
        options = {key: kwargs[key] for key in ("icon", "shortcut") if key in kwargs}
        if len(args) > 2:
            options["shortcut"] = args[2]
        holder._items[name] = MenuItem(name, command, **options)
        return holder._items[name]

    def addSeparator(self, *args: Any, **kwargs: Any) -> Any:
        """A line; nothing to find."""

    def findItem(self, name: str) -> Any:
        first, _, rest = name.partition("/")
        found = self._items.get(first)
        return found.findItem(rest) if rest and isinstance(found, _Holder) else (None if rest else found)

    def menu(self, name: str) -> Any:
        found = self.findItem(name)
        return found if isinstance(found, Menu) else None

    def items(self) -> Any:
        return list(self._items.values())

    def removeItem(self, name: str) -> None:
        self._items.pop(name, None)

    def clearMenu(self) -> Any:
        self._items.clear()


@guarded
class Menu(_Holder, MenuItem):
    """A menu."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Menu(name, None)."""
        MenuItem.__init__(self, *args, **kwargs)
        self._items = {}


@guarded
class ToolBar(_Holder):
    """A toolbar."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """ToolBar(name)."""
        self._name = str(args[0])
        self._items = {}

    def name(self) -> str:
        return self._name


MENUS = ("Nuke", "Pane", "Nodes", "Properties", "Animation", "Viewer", "Node Graph", "Axis")


@main_thread
def menu(name: str) -> Any:
    """A main menu: Nuke, Nodes, Viewer ... In a terminal there is none to be had."""
    if not session().gui:
        raise RuntimeError("menu: no menus without a GUI")
    if name not in MENUS:
        return None
    kind = ToolBar if name == "Nodes" else Menu
    return session().menus.setdefault(name, kind(name) if kind is ToolBar else Menu(name, None))


@main_thread
def toolbar(name: str, create: bool = True) -> Any:
    """A toolbar by name."""
    if not session().gui:
        raise RuntimeError("toolbar: no toolbars without a GUI")
    key = "Nodes" if name in ("Nodes", "Toolbar") else f"toolbar {name}"
    if key not in session().menus and not create and key != "Nodes":
        return None
    return session().menus.setdefault(key, ToolBar(name))
