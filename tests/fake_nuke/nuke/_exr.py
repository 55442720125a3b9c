"""OpenEXR files as Nuke reads and writes them. Float32 holds every half, so half in is half out, to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

from ._classes import COMPRESSIONS
from ._format import Format
from ._image import ORDER, Area, Image, Plane

SHORT = {"R": "rgba.red", "G": "rgba.green", "B": "rgba.blue", "A": "rgba.alpha", "Z": "depth.Z"}
LONG = {"R": "red", "G": "green", "B": "blue", "A": "alpha"}
KINDS = dict(
    zip(
        COMPRESSIONS,
        (
            OpenEXR.NO_COMPRESSION,
            OpenEXR.ZIPS_COMPRESSION,
            OpenEXR.ZIP_COMPRESSION,
            OpenEXR.PIZ_COMPRESSION,
            OpenEXR.RLE_COMPRESSION,
            OpenEXR.B44_COMPRESSION,
            OpenEXR.B44A_COMPRESSION,
            OpenEXR.DWAA_COMPRESSION,
            OpenEXR.DWAB_COMPRESSION,
        ),
        strict=True,
    )
)
# What the file's structure says; it is no metadata to hand on.
STRUCTURE = {
    *("channels", "compression", "dataWindow", "displayWindow", "lineOrder", "type", "name", "chunkCount", "version"),
    *(
        "pixelAspectRatio",
        "screenWindowCenter",
        "screenWindowWidth",
        "tiles",
        "multiView",
        "view",
        "maxSamplesPerPixel",
    ),
}


def channel_name(stored: str) -> str:
    """Nuke's name of a stored channel: R is rgba.red, layer.R is layer.red, part.layer.R is part_layer.red."""
    if stored in SHORT:
        return SHORT[stored]
    layer, dot, channel = stored.rpartition(".")
    return f"{layer.replace('.', '_')}.{LONG.get(channel, channel)}" if dot else f"other.{stored}"


def read(path: Path) -> Image:
    """The picture in a file of one view. RuntimeError where it cannot be read."""
    try:
        part = OpenEXR.File(str(path), separate_channels=True).parts[0]
        header, stored = dict(part.header), {name: channel.pixels for name, channel in part.channels.items()}
    except Exception as error:
        raise RuntimeError(f"{path}: {error}") from error
    (dx, dy), (dr, db) = (tuple(map(int, corner)) for corner in header["displayWindow"])
    (x, y), (r, b) = (tuple(map(int, corner)) for corner in header["dataWindow"])
    width, height = dr - dx + 1, db - dy + 1
    made = Format(width, height, 0, 0, width, height, float(header.get("pixelAspectRatio", 1.0)))
    box = (x - dx, db - b, r - dx + 1, db - y + 1)
    planes = {channel_name(name): np.ascontiguousarray(p[::-1].astype(np.float32)) for name, p in stored.items()}
    half = any(p.dtype == np.float16 for p in stored.values())
    return Image(made, box, metadata=_metadata(path, header, width, height, half)).having(planes)


def _metadata(path: Path, header: dict[str, Any], width: int, height: int, half: bool) -> dict[str, Any]:
    own = {f"exr/{key}": value for key, value in header.items() if key not in STRUCTURE and _plain(value)}
    return {
        "input/filename": str(path),
        "input/filereader": "exr",
        "input/width": width,
        "input/height": height,
        "input/bitsperchannel": "16-bit half float" if half else "32-bit float",
        **own,
    }


def _plain(value: Any) -> bool:
    return isinstance(value, (str, int, float))


def stored_name(channel: str) -> str:
    """The name a channel has in the file."""
    return dict(zip(ORDER, "RGBA", strict=True)).get(channel, channel)


def write(path: Path, image: Image, half: bool, compression: str, metadata: dict[str, Any]) -> None:
    """Write the picture with its format as display window and its box as data window, under a temporary name first."""
    height = image.format.height()
    x, y, r, t = image.box
    header = {
        **{key: value for key, value in metadata.items() if key not in STRUCTURE and _plain(value)},
        "type": OpenEXR.scanlineimage,
        "compression": KINDS[compression],
        "pixelAspectRatio": image.format.pixelAspect(),
        "displayWindow": _window((0, 0, image.format.width(), height), height),
        "dataWindow": _window((x, y, r, t), height),
    }
    kind = np.float16 if half else np.float32
    with np.errstate(over="ignore", invalid="ignore"):
        planes = {stored_name(n): np.ascontiguousarray(p[::-1].astype(kind)) for n, p in image.channels.items()}
    temporary = path.with_name(path.name + ".tmp")
    OpenEXR.File(header, planes).write(str(temporary))
    temporary.replace(path)


def _window(box: Area, height: int) -> tuple[Any, Any]:
    """A box, whose y goes up, as a window, whose y goes down and whose corners are both in it."""
    x, y, r, t = box
    return np.array([x, height - t], np.int32), np.array([r - 1, height - 1 - y], np.int32)


def cropped(image: Image) -> Image:
    """Autocrop: the box cut to where anything is not 0; one black pixel where nothing is."""
    some: Plane | Any = np.zeros((image.box[3] - image.box[1], image.box[2] - image.box[0]), bool)
    for plane in image.channels.values():
        some |= plane != 0
    rows, columns = np.flatnonzero(some.any(1)), np.flatnonzero(some.any(0))
    x, y = image.box[:2]
    if not rows.size:
        return image.fit((x, y, x + 1, y + 1))
    box = (x + int(columns[0]), y + int(rows[0]), x + int(columns[-1]) + 1, y + int(rows[-1]) + 1)
    return image.fit(box)
