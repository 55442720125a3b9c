"""One decoded EXR: its parts, their headers and channels, as stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from void_server.plates.window import Window

Pixels = npt.NDArray[Any]

STORED_TYPES = (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.uint32))


class BadPlate(ValueError):
    """An image that cannot be used; the message names it, says why, and what to do about it."""


class PlateOutOfMemory(BadPlate):
    """An image that may be whole, but does not fit into this machine's memory."""


@dataclass(frozen=True, eq=False)
class Part:
    """One part of an EXR: `header` by attribute name, `channels` by name as [h, w] half, float32 or uint32.

    A header without windows stands for an image whose first pixel is at 0, 0.
    """

    header: dict[str, Any]
    channels: dict[str, Pixels]

    @property
    def data_window(self) -> Window:
        """The pixels that are stored."""
        if "dataWindow" in self.header:
            return Window.from_box(self.header["dataWindow"])
        height, width = next(iter(self.channels.values())).shape
        return Window(0, 0, width, height)

    @property
    def display_window(self) -> Window:
        """The picture's format, which stored pixels may exceed (overscan) or fall short of (a crop)."""
        if "displayWindow" in self.header:
            return Window.from_box(self.header["displayWindow"])
        return self.data_window


def beauty_index(channels_by_part: list[set[str]]) -> int:
    """Which part holds the picture: the first with R, G and B, else (a roto) the first with A, else the first."""
    for wanted in ({"R", "G", "B"}, {"A"}):
        for index, names in enumerate(channels_by_part):
            if wanted <= names:
                return index
    return 0


@dataclass(frozen=True, eq=False)
class Frame:
    """One image in memory. `name` is what messages call it: usually the file's name."""

    parts: tuple[Part, ...]
    name: str = ""

    @property
    def beauty(self) -> int:
        """Index of the part that holds the beauty's R, G, B; of a roto, the part that holds A."""
        return beauty_index([set(part.channels) for part in self.parts])

    @property
    def data_window(self) -> Window:
        """The beauty part's stored pixels."""
        return self.parts[self.beauty].data_window

    @property
    def display_window(self) -> Window:
        """The beauty part's format."""
        return self.parts[self.beauty].display_window

    @property
    def pixel_aspect(self) -> float:
        """Width of a pixel over its height; 2.0 for most anamorphic plates."""
        return float(self.parts[self.beauty].header.get("pixelAspectRatio", 1.0))

    def picture(self) -> dict[str, Pixels]:
        """R, G and B of the beauty [h, w] as stored, over the data window.

        Raises BadPlate for an image without them, which may be a roto but not a plate.
        """
        channels = self.parts[self.beauty].channels
        missing = [name for name in "RGB" if name not in channels]
        if missing:
            raise BadPlate(
                f"{self.name or 'the image'} has no channel {', '.join(missing)} (it has {self._names()}): "
                "a plate needs R, G and B; render it with channels rgb or rgba"
            )
        return {name: channels[name] for name in "RGB"}

    def rgb(self, window: Window | None = None) -> npt.NDArray[np.float32]:
        """The beauty as float32 [h, w, 3], scene-linear as stored (NaN and Inf too), over a window inside the data.

        Over all of the data window if none is given. Raises BadPlate as `picture` does, and ValueError for a window
        that is not inside the data window.
        """
        here = window or self.data_window
        inside = here.slices_in(self.data_window)
        rgb = np.empty((here.height, here.width, 3), np.float32)
        for index, channel in enumerate(self.picture().values()):
            rgb[..., index] = channel[inside]
        return rgb

    def channel(self, name: str) -> Pixels:
        """One channel [h, w] as stored, over the data window.

        It is looked for in the beauty part and then in those other parts that cover the same pixels.
        Raises BadPlate, naming the channels there are, when none has it.
        """
        ordered = [self.parts[self.beauty], *self.parts]
        for part in ordered:
            if name in part.channels and part.data_window == self.data_window:
                return part.channels[name]
        raise BadPlate(
            f"{self.name or 'the image'} has no channel {name} over its data window "
            f"(it has {self._names()}): choose one of these, or render it again with {name}"
        )

    def with_channels(self, channels: Mapping[str, Pixels]) -> Frame:
        """The same frame with these [h, w] half, float32 or uint32 channels added to, or put into, the beauty part.

        Raises ValueError for another type, or another size than the data window's.
        """
        size = (self.data_window.height, self.data_window.width)
        for name, pixels in channels.items():
            if pixels.dtype not in STORED_TYPES or pixels.shape != size:
                raise ValueError(
                    f"channel {name} is {pixels.dtype} {pixels.shape}; "
                    f"EXR stores half, float32 or uint32, and the data window is {size}"
                )
        part = self.parts[self.beauty]
        return self._with_beauty(replace(part, channels={**part.channels, **channels}))

    def with_metadata(self, attributes: Mapping[str, str | int | float]) -> Frame:
        """The same frame with these attributes (such as "void/job") added to the beauty part's header."""
        part = self.parts[self.beauty]
        return self._with_beauty(replace(part, header={**part.header, **attributes}))

    def _with_beauty(self, part: Part) -> Frame:
        parts = list(self.parts)
        parts[self.beauty] = part
        return replace(self, parts=tuple(parts))

    def _names(self) -> str:
        names = [name for part in self.parts for name in part.channels]
        return ", ".join(names[:16]) + (f" and {len(names) - 16} more" if len(names) > 16 else "")
