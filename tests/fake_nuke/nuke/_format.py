"""Formats, boxes and frame ranges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._guard import guarded
from ._session import session

STANDARD = (
    "640 480 0 0 640 480 1 PC_Video",
    "1280 720 0 0 1280 720 1 HD_720",
    "1920 1080 0 0 1920 1080 1 HD_1080",
    "3840 2160 0 0 3840 2160 1 UHD_4K",
    "2048 1556 0 0 2048 1556 1 2K_Super_35(full-ap)",
    "2048 1080 0 0 2048 1080 1 2K_DCP",
    "256 256 0 0 256 256 1 square_256",
)


@guarded
class Format:
    """A picture's size, the used area of it, and its pixel aspect."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Format(width, height, x, y, r, t, pixelAspect)."""
        width, height, *rest = args
        self._box = (int(width), int(height), *([int(value) for value in rest[:4]] or [0, 0, int(width), int(height)]))
        self._aspect = float(rest[4]) if len(rest) > 4 else 1.0
        self._name: str | None = None

    def width(self) -> int:
        return self._box[0]

    def height(self) -> int:
        return self._box[1]

    def x(self) -> int:
        return self._box[2]

    def y(self) -> int:
        return self._box[3]

    def r(self) -> int:
        return self._box[4]

    def t(self) -> int:
        return self._box[5]

    def pixelAspect(self) -> float:
        return self._aspect

    def name(self) -> str | None:
        return self._name

    def setName(self, name: str) -> None:
        self._name = name

    def add(self, name: str) -> None:
        self._name = name
        session().formats.append(self)

    def _text(self) -> str:
        numbers = [*self._box, f"{self._aspect:.10g}"]
        return " ".join(map(str, [*numbers, self._name or ""])).rstrip()

    def _key(self) -> tuple[Any, ...]:
        return (*self._box, self._aspect, self._name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Format) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"<Format {self._text()}>"


def parsed(text: str) -> Format:
    """The format of `w h x y r t aspect name`; the box, the aspect and the name may be missing. Or a name alone."""
    parts = text.split()
    if not parts or not parts[0].lstrip("-").isdigit():
        return named(text)
    count = 0
    while count < min(len(parts), 7) and _is_number(parts[count]):
        count += 1
    numbers = [float(part) for part in parts[:count]]
    if count == 3:  # width, height, aspect
        numbers = [*numbers[:2], 0, 0, *numbers[:2], numbers[2]]
    found = Format(*numbers)
    found._name = " ".join(parts[count:]) or None
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def named(name: str) -> Format:
    """The known format of that name. RuntimeError for an unknown one."""
    for known in [*session().formats, *map(parsed, STANDARD)]:
        if known._name == name:
            return known
    raise RuntimeError(f"no format is named {name!r}")


@guarded
class Info:
    """A node's bounding box: x, y, w, h."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Info(x, y, r, t)."""
        self._box = args

    def x(self) -> float:
        return self._box[0]

    def y(self) -> float:
        return self._box[1]

    def w(self) -> float:
        return self._box[2] - self._box[0]

    def h(self) -> float:
        return self._box[3] - self._box[1]


@guarded
class Box:
    """x, y, r, t."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Box(x, y, r, t)."""
        self._box = [int(value) for value in args] or [0, 0, 1, 1]

    def x(self) -> int:
        return self._box[0]

    def y(self) -> int:
        return self._box[1]

    def r(self) -> int:
        return self._box[2]

    def t(self) -> int:
        return self._box[3]

    def w(self) -> int:
        return self._box[2] - self._box[0]

    def h(self) -> int:
        return self._box[3] - self._box[1]


@guarded
class FrameRange:
    """first, last and increment."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """FrameRange(first, last, increment=1), or FrameRange("1-10x2")."""
        if args and isinstance(args[0], str):
            span, _, step = args[0].partition("x")
            first, dash, last = span[1:].partition("-")
            first = span[:1] + first
            args = (int(first), int(last if dash else first), int(step or 1))
        first, last, *rest = args or (1, 1)
        self._range = (int(first), int(last), int(rest[0]) if rest else 1)

    def first(self) -> int:
        return self._range[0]

    def last(self) -> int:
        return self._range[1]

    def increment(self) -> int:
        return self._range[2]

    def frames(self) -> int:
        return len(self._list())

    def minFrame(self) -> int:
        return min(self._list())

    def maxFrame(self) -> int:
        return max(self._list())

    def isInRange(self, n: int) -> int:
        return int(n in self._list())

    def _list(self) -> list[int]:
        first, last, step = self._range
        return list(range(first, last + (1 if step > 0 else -1), step))

    def __iter__(self) -> Iterator[int]:
        return iter(self._list())

    def __str__(self) -> str:
        first, last, step = self._range
        return f"{first}-{last}" + ("" if step == 1 else f"x{step}")


@guarded
class FrameRanges:
    """Several frame ranges."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """FrameRanges("1-5 8"), or of a list of FrameRange."""
        parts = args[0].split() if args and isinstance(args[0], str) else (args[0] if args else [])
        self._ranges = [FrameRange(part) if isinstance(part, str) else part for part in parts]

    def add(self, r: FrameRange) -> None:
        self._ranges.append(r)

    def size(self) -> int:
        return len(self._ranges)

    def toFrameList(self, *args: Any, **kwargs: Any) -> Any:
        return [frame for each in self._ranges for frame in each._list()]

    def __iter__(self) -> Iterator[FrameRange]:
        return iter(self._ranges)
