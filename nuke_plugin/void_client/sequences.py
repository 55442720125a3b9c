"""Frame ranges and file sequences as Nuke writes them: `plate.%04d.exr`, `plate.####.exr`, or one file."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import BadInput

_RANGE = re.compile(r"^(-?\d+)(?:-(-?\d+))?$")
_PADDING = re.compile(r"%0?(\d*)d|(#+)")


@dataclass(frozen=True)
class FrameRange:
    """The frames `first` to `last`, both included."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> FrameRange:
        """Read `1001-1046` or `1001`. Raises BadInput."""
        match = _RANGE.match(text.strip())
        if not match:
            raise BadInput(f"'{text}' is not a frame range: write it as 1001-1046")
        first = int(match.group(1))
        last = int(match.group(2)) if match.group(2) is not None else first
        if last < first:
            raise BadInput(f"the frame range {text} runs backwards: write {last}-{first}")
        return cls(first, last)

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.last + 1))

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __contains__(self, frame: object) -> bool:
        return isinstance(frame, int) and self.first <= frame <= self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


@dataclass(frozen=True)
class FileSequence:
    """Files numbered by frame. `pattern` has one `%04d` or `####`, or none: then one file stands for every frame."""

    folder: Path
    pattern: str

    @classmethod
    def parse(cls, text: str) -> FileSequence:
        """Split a path into folder and pattern. Raises BadInput where two paddings or a padded folder are given."""
        path = Path(text)
        if not path.name:
            raise BadInput(f"'{text}' names no file: write a sequence such as plate.%04d.exr")
        if len(_PADDING.findall(path.name)) > 1:
            raise BadInput(f"'{path.name}' has more than one frame number: leave one %04d or ####")
        if _PADDING.search(str(path.parent)):
            raise BadInput(f"the folder '{path.parent}' has a frame number in it: only the file name may")
        return cls(path.parent, path.name)

    @property
    def numbered(self) -> bool:
        """Whether each frame has a file of its own."""
        return _PADDING.search(self.pattern) is not None

    def path(self, frame: int) -> Path:
        """The file of one frame. Negative numbers keep their padding after the sign, as Nuke writes them."""

        def number(match: re.Match[str]) -> str:
            digits = len(match.group(2)) if match.group(2) else int(match.group(1) or 0)
            return f"{'-' if frame < 0 else ''}{abs(frame):0{digits}d}"

        return self.folder / _PADDING.sub(number, self.pattern)

    def require(self, frames: FrameRange, wanted: Container[int] | None = None) -> None:
        """Raise BadInput naming the frames of the range (of them, those `wanted`) that have no file."""
        missing = [frame for frame in frames if (wanted is None or frame in wanted) and not self.path(frame).is_file()]
        if not missing:
            return
        if not self.folder.is_dir():
            raise BadInput(f"there is no folder {self.folder} (for {self.pattern}): check the path")
        if not self.numbered:
            raise BadInput(f"there is no file {self.path(frames.first)}: check the path")
        if len(missing) == len(frames):
            raise BadInput(
                f"no frame of {self.folder / self.pattern} exists in the range {frames}: check the name and the range"
            )
        shown = ", ".join(map(str, missing[:5])) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        noun, verb = ("frame", "is") if len(missing) == 1 else ("frames", "are")
        raise BadInput(
            f"{noun} {shown} of {self.pattern} {verb} missing; the range is {frames}. "
            "Render what is missing, or give a range that exists"
        )
