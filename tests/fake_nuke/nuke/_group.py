"""Groups, the root and the other nodes with a class of their own."""

from __future__ import annotations

from typing import Any

from ._guard import guarded
from ._node import Node
from ._session import session


@guarded
class Group(Node):
    """A node with nodes inside."""

    _children: list[Node]

    def _start(self) -> None:
        self._children = []

    def begin(self) -> Group:
        session().groups.append(self)
        return self

    def end(self) -> None:
        if session().groups and session().groups[-1] is self:
            session().groups.pop()

    def __enter__(self) -> Group:
        session().groups.append(self)
        return self

    def __exit__(self, type: Any, value: Any, traceback: Any) -> Any:  # noqa: A002
        while session().groups and session().groups.pop() is not self:
            pass

    def node(self, s: str) -> Node | None:
        from ._resolve import node_at

        return node_at(s, self)

    def nodes(self) -> list[Node]:
        return list(reversed(self._children))

    def numNodes(self) -> int:
        return len(self._children)

    def selectedNodes(self) -> list[Node]:
        return [node for node in self._children if node.isSelected()]

    def selectedNode(self) -> Node | None:
        return next(iter(self.selectedNodes()), None)

    def output(self, *args: Any, **kwargs: Any) -> Any:
        """Its Output node."""
        return next((node for node in self._children if node._class == "Output"), None)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Call something with this group in force."""
        with self:
            return args[0](*args[1:], **kwargs)

    def subgraphLocked(self) -> bool:
        return False

    def maxInputs(self) -> int:
        return len(self._input_nodes())

    def minInputs(self) -> int:
        return len(self._input_nodes())

    def _input_nodes(self) -> list[Node]:
        """The Input nodes by their number; in the order they were made where that is the same."""
        found = [node for node in self._children if node._class == "Input"]
        return sorted(found, key=lambda node: node._number("number"))


class Gizmo(Group):
    """A gizmo; the fake makes plain groups of .gizmo files that start with Group."""


@guarded
class Precomp(Group):
    """A script read into this one."""

    def reload(self) -> None:
        """Nothing is cached."""


@guarded
class LiveGroup(Precomp):
    """A group that lives in a file of its own; as long as it is published, its inside is locked."""

    def published(self) -> bool:
        return bool(self._text("published"))

    def isLocal(self) -> bool:
        return not self._text("file")

    def modified(self) -> bool:
        return False

    def makeEditable(self) -> None:
        self._knobs["published"]._set(False)

    def makeLocal(self) -> None:
        self._knobs["published"]._set(False)
        self._knobs["file"]._set("")

    def publish(self, *args: Any, **kwargs: Any) -> Any:
        self._knobs["published"]._set(True)

    def subgraphLocked(self) -> bool:
        return bool(self._text("published"))


class Viewer(Node):
    """A viewer; nothing is shown."""


@guarded
class BackdropNode(Node):
    """A backdrop."""

    def getNodes(self) -> list[Node]:
        """The nodes that lie within it."""
        x, y = self.xpos(), self.ypos()
        r, t = x + self._number("bdwidth"), y + self._number("bdheight")
        others = [node for node in self._parent._children if node is not self] if self._parent else []
        return [node for node in others if x <= node.xpos() < r and y <= node.ypos() < t]


@guarded
class Root(Group):
    """The script."""

    _modified = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Refuses: there is one."""
        raise RuntimeError("the root cannot be made")

    @property
    def _name(self) -> str:
        return "Root"

    def name(self) -> str:
        return str(self._knobs["name"]._value) or "Root"

    def fullName(self) -> str:
        return "root"

    def parent(self) -> Group | None:
        return None

    def firstFrame(self) -> int:
        return int(self._number("first_frame"))

    def lastFrame(self) -> int:
        return int(self._number("last_frame"))

    def format(self) -> Any:
        return self._text("format")

    def width(self) -> int:
        return self._text("format").width()

    def height(self) -> int:
        return self._text("format").height()

    def pixelAspect(self) -> float:
        return self._text("format").pixelAspect()

    def fps(self) -> int:
        return int(self._number("fps"))

    def realFps(self) -> float:
        return self._number("fps")

    def setFrame(self, *args: Any, **kwargs: Any) -> Any:
        self._knobs["frame"]._set(int(args[0]))

    def proxy(self, *args: Any, **kwargs: Any) -> Any:
        return bool(self._text("proxy"))

    def setProxy(self, *args: Any, **kwargs: Any) -> Any:
        self._knobs["proxy"]._set(bool(args[0]))

    def modified(self) -> bool:
        return self._modified

    def setModified(self, modified: bool) -> None:
        self._modified = bool(modified)

    def addView(self, *args: Any, **kwargs: Any) -> Any:
        if args[0] not in self._views():
            self._set_views([*self._views(), args[0]])

    def deleteView(self, *args: Any, **kwargs: Any) -> Any:
        self._set_views([view for view in self._views() if view != args[0]])

    def setView(self, *args: Any, **kwargs: Any) -> Any:
        session().view = str(args[0])

    def _views(self) -> list[str]:
        lines = str(self._knobs["views"]._value).split("\n")
        return [line.split()[0] for line in lines if line.split()]

    def _set_views(self, names: list[str]) -> None:
        if not names:
            raise RuntimeError("a script has one view at least")
        self._knobs["views"]._set("".join(f"{name} #ffffff\n" for name in names))

    def canSetInput(self, *args: Any, **kwargs: Any) -> Any:
        return False

    def layers(self, *args: Any, **kwargs: Any) -> Any:
        from ._api_script import layers

        return layers()
