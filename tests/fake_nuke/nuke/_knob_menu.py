"""Knobs to choose with: menus, channels, views, formats."""

from __future__ import annotations

from typing import Any

from . import _format, _tcl
from ._guard import guarded
from ._knob import Knob
from ._knob_numbers import Unsigned_Knob


@guarded
class Enumeration_Knob(Unsigned_Knob):
    """A menu. The built-in ones whose lists the fake does not know in full take any name; `_open` says so."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Enumeration_Knob(name, label, [items])."""
        super().__init__(*args, **kwargs)
        self._items = [str(item) for item in args[2]] if len(args) > 2 else []
        self._open = False

    def _one(self, value: Any) -> float:
        if isinstance(value, str):
            return float(self._index(value))
        index = super()._one(value)
        if not 0 <= index < len(self._items) or index != int(index):
            raise ValueError(f"{self._name}: {value!r} is none of the {len(self._items)} items")
        return index

    def _index(self, name: str) -> int:
        if name not in self._items:
            if not self._open:
                raise ValueError(f"{self._name}: {name!r} is none of {self._items}")
            self._items.append(name)
        return self._items.index(name)

    def _read(self) -> Any:
        index = int(self._channel(0))
        return self._items[index] if 0 <= index < len(self._items) else ""

    def _content(self) -> str:
        return self._channel_text(0) if self._expressions else str(self._read())

    def _word(self) -> str:
        return "{" + self._content() + "}" if self._expressions else _tcl.quote(self._content())

    def _load(self, content: str, braced: bool = False) -> None:
        if braced and content.startswith("{"):
            super()._load(content, braced)
        else:
            self._expressions = {}
            self._value = [float(int(content))] if self._is_index(content) else [float(self._index(content))]

    def _is_index(self, content: str) -> bool:
        return content not in self._items and content.isdecimal() and int(content) < len(self._items)

    def value(self) -> Any:
        return self._read()

    def getValue(self, *args: Any, **kwargs: Any) -> Any:
        return self._channel(0)

    def setValue(self, *args: Any, **kwargs: Any) -> Any:
        return self._set(args[0])

    def toScript(self, quote: bool = False, context: Any = None) -> str:
        return self._word() if quote else self._content()

    def values(self) -> Any:
        return list(self._items)

    def setValues(self, *args: Any, **kwargs: Any) -> Any:
        self._items = [str(item) for item in args[0]]

    def enumName(self, n: int) -> str:
        return self._items[n]

    def numValues(self) -> int:
        return len(self._items)


@guarded
class Channel_Knob(Knob):
    """A layer or channels: `rgba`, `all`, `rgba.alpha`, or several in a list."""

    def value(self) -> str:
        return str(self._value)

    def setValue(self, name: str) -> None:
        self._set(name)


class ChannelMask_Knob(Channel_Knob):
    """The channels a node works on."""


@guarded
class MultiView_Knob(Knob):
    """The views a Write renders, with blanks between them."""

    def value(self, *args: Any, **kwargs: Any) -> Any:
        return self._value

    def setValue(self, *args: Any, **kwargs: Any) -> Any:
        self._set(args[0])


@guarded
class Format_Knob(Knob):
    """A format."""

    _initial: Any = None

    def _read(self) -> Any:
        return self._value

    def _checked(self, value: Any) -> Any:
        if isinstance(value, _format.Format):
            return value
        if isinstance(value, str):
            return _format.named(value)
        raise TypeError(f"{self._name}: a format or its name is wanted, not {type(value).__name__}")

    def _content(self) -> str:
        return "" if self._value is None else self._value._text()

    def _load(self, content: str, braced: bool = False) -> None:
        self._value = _format.parsed(content) if content else None

    def value(self, *args: Any, **kwargs: Any) -> Any:
        return self._value

    def setValue(self, *args: Any, **kwargs: Any) -> Any:
        self._set(args[0])

    def name(self, *args: Any, **kwargs: Any) -> Any:
        return self._name
