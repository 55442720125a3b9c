"""Nodes: names, knobs, connections, panels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from . import _classes, _events, _nk_write, _tcl, _undo
from . import _constants as c
from ._guard import guarded
from ._knob import Knob
from ._node_looks import Shown
from ._node_picture import Pictured
from ._session import session

if TYPE_CHECKING:
    from ._group import Group


@guarded
class Node(Pictured, Shown):
    """A node. Not made with Node(), but with nuke.createNode or nuke.nodes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Refuses, as in Nuke."""
        raise RuntimeError("nodes are made with nuke.createNode or nuke.nodes")

    @classmethod
    def _blank(cls, class_name: str, parent: Group | None) -> Any:
        made = cls.__new__(cls)
        made._class, made._parent = class_name, parent
        made._knobs = {}
        made._inputs = []
        made._mask = None
        made._deleted = False
        made._shown = False
        made._start()
        return made

    _class: str
    _parent: Group | None
    _knobs: dict[str, Knob]
    _inputs: list[Node | None]
    _mask: int | None  # where `inputs 2+1` of an unknown class put its mask

    def _start(self) -> None:
        """For subclasses."""

    @property
    def _name(self) -> str:
        return str(self._knobs["name"]._value)

    def _number(self, knob: str) -> float:
        return self._knobs[knob]._number()

    def _text(self, knob: str) -> Any:
        return self._knobs[knob]._read()

    def _settled(self, knob: Knob) -> None:
        """A knob has a new value: a Write gets and loses its knobs for EXR with its file_type."""
        if self._class == "Write" and knob._name == "file_type":
            from ._make import follow_file_type

            follow_file_type(self)

    def _touch(self) -> None:
        """The script is modified."""
        if not session().loading:
            session().root._modified = True

    def __repr__(self) -> str:
        return f"<{self._class} {self._name}>"

    def Class(self) -> str:
        return self._class

    def name(self) -> str:
        return self._name

    def fullName(self) -> str:
        path, above = [self._name], self._parent
        while above is not None and above is not session().root:
            path.append(above._name)
            above = above._parent
        return ".".join(reversed(path))

    def setName(self, name: str, uncollide: bool = True, updateExpressions: bool = False) -> None:
        from ._make import numbered

        if updateExpressions:
            raise RuntimeError("setName: updateExpressions is not in the fake")
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise ValueError(f"{name!r} is no name for a node")
        free = numbered(name, self._parent, self) if self._parent is not None else name
        if free != name and not uncollide:
            raise ValueError(f"the name {name!r} is taken")
        self._knobs["name"]._set(free)

    def parent(self) -> Group | None:
        return self._parent

    def rootNode(self) -> Group:
        return session().root

    def help(self) -> str:
        return str(self._text("help"))

    # Knobs

    def knob(self, p: str | int, follow_link: bool = False) -> Knob | None:
        found = list(self._knobs.values())[p] if isinstance(p, int) else self._knobs.get(p)
        linked = getattr(found, "_linked", None)
        return linked() if follow_link and linked else found

    def knobs(self) -> dict[str, Knob]:
        return dict(self._knobs)

    def allKnobs(self) -> list[Knob]:
        return list(self._knobs.values())

    def numKnobs(self) -> int:
        return len(self._knobs)

    def __getitem__(self, name: str) -> Knob:
        found = self._knobs.get(name)
        if found is None:
            raise NameError(f"knob {name} does not exist")
        return found

    def addKnob(self, knob: Knob) -> None:
        if knob._name in self._knobs and not self._knobs[knob._name]._user:
            raise ValueError(f"{self._name}: knob {knob._name} is built in")
        knob._user = True
        knob._node = self
        self._knobs[knob._name] = knob
        _undo.record(f"Add {knob._name}", lambda: self._drop(knob), lambda: self._knobs.update({knob._name: knob}))
        self._touch()

    def removeKnob(self, knob: Knob) -> None:
        if self._knobs.get(knob._name) is not knob or not knob._user:
            raise ValueError(f"{self._name}: {knob._name} is no user knob of it")
        self._drop(knob)
        _undo.record(f"Remove {knob._name}", lambda: self._knobs.update({knob._name: knob}), lambda: self._drop(knob))
        self._touch()

    def _drop(self, knob: Knob) -> None:
        self._knobs.pop(knob._name, None)

    def writeKnobs(self, flags: int = c.WRITE_USER_KNOB_DEFS | c.WRITE_NON_DEFAULT_ONLY | c.TO_SCRIPT) -> str:
        return "\n".join(_nk_write.knob_lines(self, flags))

    def readKnobs(self, s: str) -> None:
        from . import _nk_read

        _nk_read.apply_knobs(self, _tcl.commands(s))
        self._touch()

    # Connections

    def input(self, index: int) -> Node | None:
        return self._inputs[index] if 0 <= index < len(self._inputs) else None

    def inputs(self) -> int:
        return len(self._inputs)

    def maxInputs(self) -> int:
        spec = _classes.SPECS.get(self._class)
        return spec.most if spec else 64

    def minInputs(self) -> int:
        spec = _classes.SPECS.get(self._class)
        return spec.least if spec else 1

    maximumInputs = maxInputs
    minimumInputs = minInputs

    def maxOutputs(self) -> int:
        return 0 if self._class in ("Viewer", "Output", "BackdropNode", "StickyNote") else 1

    def canSetInput(self, i: int, node: Node | None) -> bool:
        if i < 0 or i >= self.maxInputs():
            return False
        return node is None or (node._parent is self._parent and node.maxOutputs() > 0 and not node._reaches(self))

    def _reaches(self, other: Node) -> bool:
        return self is other or any(node is not None and node._reaches(other) for node in self._inputs)

    def setInput(self, i: int, node: Node | None) -> bool:
        if not self.canSetInput(i, node):
            return False
        before = list(self._inputs)
        self._connect(i, node)
        after = list(self._inputs)
        _undo.record("Connect", lambda: self._inputs.__setitem__(slice(None), before), lambda: self._take(after))
        self._touch()
        _events.pseudo_changed(self, "inputChange")
        return True

    def _take(self, inputs: list[Node | None]) -> None:
        self._inputs[:] = inputs

    def _connect(self, i: int, node: Node | None) -> None:
        self._inputs += [None] * (i + 1 - len(self._inputs))
        self._inputs[i] = node
        while self._inputs and self._inputs[-1] is None:
            self._inputs.pop()

    def connectInput(self, i: int, node: Node | None) -> bool:
        """Connect to the first free input from `i` on."""
        while i < len(self._inputs) and self._inputs[i] is not None:
            i += 1
        return self.setInput(i, node)

    def dependencies(self, mask: int = c.INPUTS | c.HIDDEN_INPUTS | c.EXPRESSIONS) -> list[Node]:
        found: list[Node] = []
        hidden = bool(self._knobs["hide_input"]._read()) if "hide_input" in self._knobs else False
        if mask & (c.HIDDEN_INPUTS if hidden else c.INPUTS):
            found += [node for node in self._inputs if node is not None]
        if mask & c.EXPRESSIONS and self._parent is not None:
            texts = " ".join(text for knob in self._knobs.values() for text in knob._expressions.values())
            names = set(re.findall(r"(\w+)\.\w", texts))
            found += [node for node in self._parent._children if node._name in names and node is not self]
        return list(dict.fromkeys(found))

    def dependent(self, mask: int = c.INPUTS | c.HIDDEN_INPUTS, forceEvaluate: bool = True) -> list[Node]:
        siblings = self._parent._children if self._parent is not None else []
        return [node for node in siblings if self in node.dependencies(mask)]
