"""Rectangles of pixels, as EXR has them: y points down, the origin may be anywhere."""

from __future__ import annotations

from typing import Any, NamedTuple


class Window(NamedTuple):
    """A rectangle in pixels: `x`, `y` is its first column and row (they may be negative), then its size."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def from_box(cls, box: Any) -> Window:
        """From an EXR box2i, ((x of first, y of first), (x of last, y of last)), both corners inclusive."""
        (left, top), (right, bottom) = box
        return cls(int(left), int(top), int(right) - int(left) + 1, int(bottom) - int(top) + 1)

    @classmethod
    def from_slices(cls, slices: tuple[slice, slice], outer: Window) -> Window:
        """Rows and columns of an array [h, w] that covers `outer`, as far as they reach: the inverse of `slices_in`."""
        rows, columns = (range(*s.indices(n)) for s, n in zip(slices, (outer.height, outer.width), strict=True))
        return cls(outer.x + columns.start, outer.y + rows.start, len(columns), len(rows))

    @property
    def box(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """As an EXR box2i: both corners inclusive."""
        return (self.x, self.y), (self.x + self.width - 1, self.y + self.height - 1)

    @property
    def right(self) -> int:
        """The first column that is no longer inside."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row that is no longer inside."""
        return self.y + self.height

    def grown(self, by: int) -> Window:
        """`by` pixels more on every side."""
        return Window(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)

    def union(self, other: Window) -> Window:
        """The smallest window that holds both."""
        left, top = min(self.x, other.x), min(self.y, other.y)
        return Window(left, top, max(self.right, other.right) - left, max(self.bottom, other.bottom) - top)

    def intersection(self, other: Window) -> Window:
        """What both have in common; width or height is 0 where they do not meet."""
        left, top = max(self.x, other.x), max(self.y, other.y)
        width = max(0, min(self.right, other.right) - left)
        height = max(0, min(self.bottom, other.bottom) - top)
        return Window(left, top, width, height)

    def slices_in(self, outer: Window) -> tuple[slice, slice]:
        """Rows and columns of this window in an array [h, w] that covers `outer`.

        Raises ValueError when part of this window lies outside `outer`: a negative start would silently
        count from the array's other end.
        """
        top, left = self.y - outer.y, self.x - outer.x
        if top < 0 or left < 0 or self.right > outer.right or self.bottom > outer.bottom:
            raise ValueError(f"{self} is not inside {outer}; take their intersection first")
        return slice(top, top + self.height), slice(left, left + self.width)
