"""Knobs of numbers: one or several, each channel with an expression or a curve of its own."""

from __future__ import annotations

import numbers
from typing import Any

from . import _tcl
from ._guard import guarded
from ._knob import Knob
from ._session import at


def text_of(value: float) -> str:
    """A number as Nuke writes it: no point where none is needed, and every digit that counts."""
    return repr(float(value)).removesuffix(".0")


@guarded
class Array_Knob(Knob):
    """Numbers; `value()` is a single one where there is one channel."""

    _initial: Any = (0.0,)

    def _width(self) -> int:
        return len(self._value)

    def _channel(self, index: int) -> float:
        return self._evaluated(index) if index in self._expressions else float(self._value[index])

    def _number(self) -> float:
        return self._channel(0)

    def _read(self) -> Any:
        if self._width() == 1:
            return self._channel(0)
        return [self._channel(index) for index in range(self._width())]

    def _one(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError(f"{self._name}: a number is wanted, not {type(value).__name__}")
        return float(value)

    def _checked(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            if len(value) != self._width():
                raise TypeError(f"{self._name}: {self._width()} numbers are wanted, not {len(value)}")
            return [self._one(each) for each in value]
        return [self._one(value)] * self._width()

    def _content(self) -> str:
        parts = [self._channel_text(index) for index in range(self._width())]
        if len(set(parts)) == 1:
            return parts[0]
        return " ".join(parts)

    def _channel_text(self, index: int) -> str:
        if index not in self._expressions:
            return text_of(self._value[index])
        text = self._expressions[index]
        whole = text if text.startswith("curve") else _tcl.quote(text)
        return "{" + whole + "}"

    def _word(self) -> str:
        content = self._content()
        return "{" + content + "}" if " " in content or "{" in content else content

    def _load(self, content: str, braced: bool = False) -> None:
        self._expressions = {}
        inner = _tcl.split(content)
        if len(inner) == 1 and inner[0].braced and inner[0].text.startswith("{") and inner[0].text.endswith("}"):
            content = inner[0].text  # fromScript(toScript()): with the outer braces of the file
        words = [word for word in _tcl.split(content) if word.braced or word.text != "i"]
        parsed = [self._parse(word) for word in words]
        if len(parsed) == 1:
            parsed *= self._width()
        if len(parsed) != self._width():
            raise RuntimeError(f"{self._name}: {self._width()} numbers are wanted, not {content!r}")
        for index, part in enumerate(parsed):
            if isinstance(part, str):
                self._expressions[index] = part
            else:
                self._value[index] = part

    def _parse(self, word: _tcl.Word) -> float | str:
        if word.braced:
            inner = _tcl.split(word.text)
            if inner and inner[0].text == "curve" and not inner[0].braced:
                return " ".join(part.text for part in inner)
            return inner[0].text if inner else "0"
        try:
            return float({"true": "1", "false": "0"}.get(word.text, word.text))
        except ValueError:
            return word.text

    def _get(self, index: int | None = None) -> Any:
        return self._read() if index is None else self._channel(index)

    def value(self, *args: Any, **kwargs: Any) -> Any:
        return self._get(*args, **kwargs)

    def getValue(self, *args: Any, **kwargs: Any) -> Any:
        return self._get(*args, **kwargs)

    def toScript(self, quote: bool = False, context: Any = None) -> str:
        return self._word()

    def setExpression(self, expression: str, channel: int = -1, view: str | None = None) -> bool:
        return self._set_expression(expression, channel)

    def getValueAt(self, *args: Any, **kwargs: Any) -> Any:
        with at(frame=float(args[0])):
            return self._read() if len(args) < 2 else self._channel(args[1])

    def setValue(self, *args: Any, **kwargs: Any) -> Any:
        value, channel = args[0], args[1] if len(args) > 1 else kwargs.get("chan", -1)
        if channel is not None and channel >= 0:
            values = list(self._value)
            values[channel] = self._one(value)
            return self._set(values)
        return self._set(value)

    def setRange(self, *args: Any, **kwargs: Any) -> Any:
        self._range = (float(args[0]), float(args[1]))

    def min(self, *args: Any, **kwargs: Any) -> Any:
        return self._range[0] if self._range else 0.0

    def max(self, *args: Any, **kwargs: Any) -> Any:
        return self._range[1] if self._range else 1.0

    def arraySize(self, *args: Any, **kwargs: Any) -> Any:
        return self._width()

    def defaultValue(self, *args: Any, **kwargs: Any) -> Any:
        return self._default[0]

    def setDefaultValue(self, *args: Any, **kwargs: Any) -> Any:
        self._default = [float(value) for value in args[0]]

    def notDefault(self, *args: Any, **kwargs: Any) -> Any:
        return self._changed_from_default()


class Double_Knob(Array_Knob):
    """One number."""


@guarded
class Int_Knob(Array_Knob):
    """One whole number; a fraction is a TypeError here, where Nuke would cut it off."""

    def _one(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or float(value) != int(value):
            raise TypeError(f"{self._name}: an integer is wanted, not {value!r}")
        return float(value)

    def _read(self) -> Any:
        return int(self._channel(0))

    def setValue(self, val: Any) -> bool:
        return self._set(val)

    def value(self) -> int:
        return int(self._channel(0))


@guarded
class Boolean_Knob(Array_Knob):
    """True or False."""

    _starts_line = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Boolean_Knob(name, label=None, value=False)."""
        super().__init__(*args, **kwargs)
        if len(args) > 2:
            self._value = [float(bool(args[2]))]

    def _one(self, value: Any) -> float:
        if not isinstance(value, (bool, numbers.Real)):
            raise TypeError(f"{self._name}: a boolean is wanted, not {type(value).__name__}")
        return float(bool(value))

    def _read(self) -> Any:
        return self._channel(0) != 0

    def _channel_text(self, index: int) -> str:
        if index in self._expressions:
            return super()._channel_text(index)
        return "true" if self._value[index] else "false"

    def setValue(self, b: Any) -> bool:
        return self._set(b)

    def value(self) -> bool:
        return self._channel(0) != 0


class Disable_Knob(Boolean_Knob):
    """The `disable` of a node."""


class Unsigned_Knob(Array_Knob):
    """A number such as a colour's code."""

    def _read(self) -> Any:
        return int(self._channel(0))


class ColorChip_Knob(Unsigned_Knob):
    """tile_color: red, green, blue and alpha in one number, which scripts have in hexadecimal."""

    def _channel_text(self, index: int) -> str:
        return hex(int(self._value[index])) if self._value[index] else "0"

    def _parse(self, word: _tcl.Word) -> float | str:
        return float(int(word.text, 16)) if word.text.startswith("0x") else super()._parse(word)


class WH_Knob(Array_Knob):
    """Width and height."""

    _initial: Any = (
        0.0,
        0.0,
    )


class XY_Knob(Array_Knob):
    """A point."""

    _initial: Any = (
        0.0,
        0.0,
    )


class BBox_Knob(Array_Knob):
    """x, y, r, t."""

    _initial: Any = (
        0.0,
        0.0,
        0.0,
        0.0,
    )


class Color_Knob(Array_Knob):
    """Three numbers; one where they are the same."""

    _initial: Any = (
        0.0,
        0.0,
        0.0,
    )

    def _read(self) -> Any:
        values = [self._channel(index) for index in range(self._width())]
        return values[0] if len(set(values)) == 1 else values


class AColor_Knob(Color_Knob):
    """Four numbers; one where they are the same."""

    _initial: Any = (
        0.0,
        0.0,
        0.0,
        0.0,
    )
