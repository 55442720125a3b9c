"""Pictures as nodes hand them on: float32 channels on a box, a format, metadata. Row 0 is the lowest, as y in Nuke."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ._format import Format
from ._session import session

Plane = npt.NDArray[np.float32]
Area = tuple[int, int, int, int]
ORDER = ("rgba.red", "rgba.green", "rgba.blue", "rgba.alpha")


@dataclass(frozen=True)
class Image:
    """`box` is x, y, r, t; every channel is [t - y, r - x]; outside the box all is 0."""

    format: Format
    box: Area
    channels: dict[str, Plane] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)

    def on(self, name: str, box: Area) -> Plane:
        """A channel on another box; 0 where there is nothing, or no such channel."""
        out = np.zeros((box[3] - box[1], box[2] - box[0]), np.float32)
        plane = self.channels.get(name)
        x, y, r, t = shared(self.box, box)
        if plane is not None and r > x and t > y:
            out[y - box[1] : t - box[1], x - box[0] : r - box[0]] = plane[
                y - self.box[1] : t - self.box[1], x - self.box[0] : r - self.box[0]
            ]
        return out

    def fit(self, box: Area) -> Image:
        """The same picture on another box."""
        return replace(self, box=box, channels={name: self.on(name, box) for name in self.channels})

    def having(self, channels: dict[str, Plane]) -> Image:
        """The picture with channels replaced or added; red, green, blue, alpha come first."""
        merged = {**self.channels, **channels}
        first = {name: merged[name] for name in ORDER if name in merged}
        return replace(self, channels={**first, **merged})


def shared(a: Area, b: Area) -> Area:
    """Where both boxes are."""
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def union(a: Area, b: Area) -> Area:
    """The box around both."""
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def area(which: Format) -> Area:
    """The box of a format."""
    return 0, 0, which.width(), which.height()


def blank(which: Format | None = None) -> Image:
    """What an open input gives: the root's format, no channels."""
    chosen = which or session().root._knobs["format"]._read()
    return Image(chosen, (0, 0, 1, 1))


def matching(which: str, names: list[str]) -> list[str]:
    """The channels a channels knob means: all, rgb, rgba, alpha, layers, channels, several of these; `-x` is off."""
    wanted: list[str] = []
    for word in which.split():
        if word == "all":
            wanted += names
        elif word == "rgb":
            wanted += ORDER[:3]
        elif word in ("rgba", "alpha"):
            wanted += ORDER if word == "rgba" else ORDER[3:]
        elif "." in word:
            wanted.append(word)
        elif not word.startswith("-") and word != "none":
            wanted += [name for name in names if name.startswith(word + ".")]
    off = [word[1:] for word in which.split() if word.startswith("-")]
    return [name for name in dict.fromkeys(wanted) if name not in off]
