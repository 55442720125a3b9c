"""Knobs of text, buttons, menus, links and formats."""

from __future__ import annotations

import re
from typing import Any

from . import _resolve, _session, _substitute
from ._guard import guarded
from ._knob import Knob


@guarded
class String_Knob(Knob):
    """A line of text."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """String_Knob(name, label=None, value="")."""
        super().__init__(*args, **kwargs)
        if len(args) > 2:
            self._value = str(args[2])

    def value(self, oc: Any = None) -> str:
        return str(self._read())

    def setValue(self, val: Any, view: Any = None) -> None:
        self._set(val)

    def getText(self, oc: Any = None) -> str:
        return str(self._read())

    def setText(self, *args: Any, **kwargs: Any) -> Any:
        self._set(args[0])


@guarded
class EvalString_Knob(String_Knob):
    """Text with [Tcl], %04d, %V in it; `value` gives it as written, `evaluate` worked out."""

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        frame = float(args[0]) if args else _resolve.frame()
        return expanded(_substitute.tcl(self._value, self._node), frame, _session.session().view)


@guarded
class File_Knob(EvalString_Knob):
    """A file's name."""

    def value(self, *args: Any, **kwargs: Any) -> Any:
        return self._value

    def getValue(self, *args: Any, **kwargs: Any) -> Any:
        return self._value

    def getEvaluatedValue(self, *args: Any, **kwargs: Any) -> Any:
        return EvalString_Knob.evaluate(self, *args)

    def setValue(self, *args: Any, **kwargs: Any) -> Any:
        self._set(args[0])

    def fromUserText(self, *args: Any, **kwargs: Any) -> Any:
        """Takes `name first-last` as the browser gives it, and sets the node's range with it."""
        match = re.fullmatch(r"(.*?)\s+(-?\d+)-(-?\d+)", args[0])
        self._set(match.group(1) if match else args[0])
        if match and self._node is not None and "first" in self._node._knobs:
            for name, text in (("first", match.group(2)), ("last", match.group(3))):
                for knob in (name, "orig" + name):
                    self._node._knobs[knob]._set(int(text))


class Multiline_Eval_String_Knob(EvalString_Knob):
    """Lines of text."""


class PythonKnob(String_Knob):
    """Python text: onCreate, knobChanged and the like."""


@guarded
class Script_Knob(String_Knob):
    """A button."""

    _starts_line = False

    def command(self) -> str:
        return str(self._value)

    def value(self) -> str:
        return str(self._value)

    def setCommand(self, cmd: str) -> None:
        self._set(cmd)

    def setValue(self, cmd: str) -> None:
        self._set(cmd)

    def execute(self) -> None:
        """Press the button: run its Python with thisNode and thisKnob set. What it raises reaches the caller."""
        with _session.this(self._node, self):
            _session.run_script(self._value, self._name)


class PyScript_Knob(Script_Knob):
    """A button with Python behind it."""


@guarded
class Text_Knob(Knob):
    """Text between the knobs, or a line where it is empty."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Text_Knob(name, label=None, text="")."""
        super().__init__(*args, **kwargs)
        if len(args) > 2:
            self._value = str(args[2])

    def value(self, *args: Any, **kwargs: Any) -> Any:
        return self._value

    def setValue(self, *args: Any, **kwargs: Any) -> Any:
        self._set(args[0])


@guarded
class Tab_Knob(Knob):
    """A tab, or the start or end of a group of knobs."""

    _starts_line = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Tab_Knob(name, label=None, type=TABKNOB)."""
        super().__init__(*args, **kwargs)
        self._kind = int(args[2]) if len(args) > 2 else 0

    def value(self, *args: Any, **kwargs: Any) -> Any:
        return self._kind

    def setValue(self, *args: Any, **kwargs: Any) -> Any:
        self._kind = int(args[0])


@guarded
class Link_Knob(Knob):
    """Shows another knob: `Node.knob` within the group, or `knob` of the same node."""

    def getLink(self) -> str:
        return str(self._value)

    def setLink(self, s: str) -> None:
        self._value = s

    def makeLink(self, s: str, t: str) -> None:
        self._value = f"{s}.{t}"

    def getLinkedKnob(self) -> Any:
        """The knob that is shown; None where the link leads nowhere."""
        *path, name = str(self._value).split(".")
        node: Any = self._node
        if path:
            inside = _resolve.node_at(".".join(path), node) if hasattr(node, "_children") else None
            node = inside or (node and _resolve.node_at(".".join(path), node._parent))
        return node._knobs.get(name) if node else None

    def _linked(self) -> Any:
        knob = Link_Knob.getLinkedKnob(self)
        if knob is None:
            raise RuntimeError(f"{self._name}: the link to {self._value!r} leads nowhere")
        return knob

    def _read(self) -> Any:
        return self._linked()._read()

    def setValue(self) -> None:
        """Sets nothing: getLinkedKnob() has the knob to set."""

    def value(self) -> str:
        return self._linked().value()


def expanded(name: str, frame: float, view: str | None) -> str:
    """A file name at a frame and view: %04d, ####, %V (name) and %v (first letter)."""
    name = name.replace("%V", view or "main").replace("%v", (view or "main")[0])
    name = re.sub(r"%0?(\d*)d", lambda m: f"{round(frame):0{m.group(1) or 1}d}", name)
    return re.sub(r"#+", lambda m: f"{round(frame):0{len(m.group())}d}", name)
