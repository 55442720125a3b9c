"""What all knobs have: name, label, flags, script text, expressions, and the telling of a change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _constants as c
from . import _events, _resolve, _tcl, _undo
from ._guard import guarded

if TYPE_CHECKING:
    from ._node import Node


@guarded
class Knob:
    """A knob; of this class itself are those of nodes the fake does not know, whose text is kept as it came."""

    _initial: Any = ""
    _starts_line = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Knob(name, label=None): the label is the name where none is given."""
        self._name = str(args[0] if args else kwargs.get("name", ""))
        label = args[1] if len(args) > 1 else kwargs.get("label")
        self._label = None if label is None else str(label)
        self._tooltip = ""
        self._flags = c.STARTLINE if self._starts_line else 0
        self._node: Node | None = None
        self._user = False
        self._braced = False
        self._expressions: dict[int, str] = {}
        self._range: tuple[float, float] | None = None
        self._definition = ""  # the text of addUserKnob, for kinds that the fake does not know
        self._value = self._fresh()
        self._default = self._fresh()

    def _fresh(self) -> Any:
        return list(self._initial) if isinstance(self._initial, tuple) else self._initial

    def Class(self) -> str:
        return type(self).__name__

    def name(self) -> str:
        return self._name

    def setName(self, name: str) -> None:
        if self._node is not None:
            self._node._knobs = {name if k is self else key: k for key, k in self._node._knobs.items()}
        self._name = name

    def label(self) -> str:
        return self._name if self._label is None else self._label

    def setLabel(self, label: str) -> None:
        self._label = label

    def tooltip(self) -> str:
        return self._tooltip

    def setTooltip(self, tooltip: str) -> None:
        self._tooltip = tooltip

    def node(self) -> Node:
        if self._node is None:
            raise ValueError(f"knob {self._name} is on no node")
        return self._node

    def fullyQualifiedName(self, channel: int = -1) -> str:
        return f"{self.node().fullName()}.{self._name}"

    def setFlag(self, flag: int) -> None:
        self._flags |= flag

    def clearFlag(self, flag: int) -> None:
        self._flags &= ~flag

    def getFlag(self, flag: int) -> bool:
        return bool(self._flags & flag)

    def setVisible(self, visible: bool) -> None:
        self._flags = self._flags & ~(c._HIDDEN | c.INVISIBLE) if visible else self._flags | c._HIDDEN

    def visible(self) -> bool:
        return not self._flags & (c._HIDDEN | c.INVISIBLE)

    def setEnabled(self, enabled: bool) -> None:
        self._flags = self._flags & ~c.DISABLED if enabled else self._flags | c.DISABLED

    def enabled(self) -> bool:
        return not self._flags & c.DISABLED

    # Values. Subclasses say how one is read, checked and written in scripts.

    def _read(self) -> Any:
        return self._value

    def _checked(self, value: Any) -> Any:
        """The value as it is stored; TypeError for a wrong type."""
        if not isinstance(value, str):
            raise TypeError(f"{self._name}: a string is wanted, not {type(value).__name__}")
        return value

    def _content(self) -> str:
        """The value as script text, before quoting."""
        return str(self._value)

    def _word(self) -> str:
        """The value as one word of a script."""
        return _tcl.braced(self._content()) if self._braced else _tcl.quote(self._content())

    def _load(self, content: str, braced: bool = False) -> None:
        """Take the value from script text, without telling anyone."""
        self._value = content
        self._braced = braced

    def _changed_from_default(self) -> bool:
        return bool(self._value != self._default or self._expressions)

    def _state(self) -> tuple[Any, dict[int, str], bool]:
        value = list(self._value) if isinstance(self._value, list) else self._value
        return value, dict(self._expressions), self._braced

    def _restore(self, state: tuple[Any, dict[int, str], bool]) -> None:
        self._value, self._expressions, self._braced = state[0], dict(state[1]), state[2]

    def _told(self, before: tuple[Any, dict[int, str], bool]) -> None:
        """After a change: an undo entry, the script marked as modified, callbacks."""
        after = self._state()
        if self._node is None:
            return
        self._node._settled(self)
        if not self._flags & c.NO_UNDO:
            _undo.record(f"Change {self._name}", lambda: self._restore(before), lambda: self._restore(after))
        if not self._flags & c.DO_NOT_WRITE:
            self._node._touch()
        _events.knob_changed(self._node, self)

    def _set(self, value: Any) -> bool:
        """Set the value and tell; a knob that an expression drives keeps to it and returns False."""
        checked = self._checked(value)
        before = self._state()
        self._value = checked
        self._told(before)
        return not self._expressions

    def value(self, index: int = 0) -> Any:
        return self._read()

    def getValue(self, channel: int = 0) -> Any:
        return self._read()

    def setValue(self, val: Any, chan: int = 0) -> bool:
        return self._set(val)

    def toScript(self, quote: bool = False, context: Any = None) -> str:
        return self._word() if quote else self._content()

    def fromScript(self, script: str) -> None:
        before = self._state()
        self._load(script)
        self._told(before)

    def setExpression(self, expression: str, index: int = -1, view: str | None = None) -> bool:
        return self._set_expression(expression, index)

    def _set_expression(self, expression: str, index: int) -> bool:
        before = self._state()
        for channel in range(self._width()) if index < 0 else [index]:
            self._expressions[channel] = expression
        self._told(before)
        return True

    def hasExpression(self, index: int = -1) -> bool:
        return any(not text.startswith("curve") for text in self._chosen(index))

    def isAnimated(self, channel: int = -1) -> bool:
        return bool(self._chosen(channel))

    def clearAnimated(self, channel: int = -1) -> bool:
        before, found = self._state(), bool(self._chosen(channel))
        for index in list(self._expressions) if channel < 0 else [channel]:
            self._expressions.pop(index, None)
        self._told(before)
        return found

    def _chosen(self, index: int) -> list[str]:
        return [text for channel, text in self._expressions.items() if index in (-1, channel)]

    def _width(self) -> int:
        return 1

    def _evaluated(self, channel: int = 0) -> float:
        """What the expression of a channel gives; RuntimeError for a circle of expressions."""
        if getattr(self, "_busy", False):
            raise RuntimeError(f"{self._name}: the expression depends on itself")
        self._busy = True
        try:
            return _resolve.expression(self._expressions[channel], self._node)
        finally:
            self._busy = False
