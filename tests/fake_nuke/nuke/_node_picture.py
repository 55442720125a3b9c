"""What nodes answer about their pictures."""

from __future__ import annotations

from typing import Any

from ._format import Format, FrameRange, Info
from ._guard import guarded
from ._session import session


def _render() -> Any:
    from . import _render as module  # it needs nodes, so it cannot be imported before them

    return module


@guarded
class Pictured:
    """Format, box, channels, metadata, frames, errors, hashes: all of the picture at the frame and view in force."""

    def format(self) -> Format:
        return self._image().format

    def width(self) -> int:
        return self._image().format.width()

    def height(self) -> int:
        return self._image().format.height()

    def pixelAspect(self) -> float:
        return self._image().format.pixelAspect()

    def bbox(self) -> Info:
        return Info(*self._image().box)

    def channels(self) -> list[str]:
        return list(self._image().channels)

    def metadata(self, *args: Any, **kwargs: Any) -> Any:
        """All metadata, or that of a key; at (…, time, view)."""
        key = args[0] if args and isinstance(args[0], str) else kwargs.get("key")
        rest = list(args[1:] if args and isinstance(args[0], str) else args)
        time = rest[0] if rest else kwargs.get("time")
        data = self._image(time, rest[1] if len(rest) > 1 else kwargs.get("view")).metadata
        return dict(data) if key is None else data.get(key)

    def _image(self, frame: float | None = None, view: str | None = None) -> Any:
        return _render().look(self, frame, view)

    def frameRange(self) -> FrameRange:
        return FrameRange(*_render().frame_range(self))

    def firstFrame(self) -> int:
        return self.frameRange().first()

    def lastFrame(self) -> int:
        return self.frameRange().last()

    def upstreamFrameRange(self, i: int) -> FrameRange | None:
        node = self.input(i)
        return None if node is None else node.frameRange()

    def proxy(self) -> bool:
        return session().root.proxy()

    def error(self) -> bool:
        """Whether it gives no picture at the frame in force."""
        return _render().problem(self) is not None

    hasError = error
    treeHasError = error

    def opHashes(self) -> list[int]:
        """One number for the picture at the frame in force: the same while nothing that it is made of changes."""
        from ._hash import of

        return [int.from_bytes(bytes.fromhex(of(self)[:16]), "big")]
