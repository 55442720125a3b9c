"""EXR bytes to frames and back, with bounds on what a file may ask for before it is decoded.

The format has no checksums: a flipped bit in an uncompressed file only changes pixels.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import OpenEXR

from void_server.plates.frame import BadPlate, Frame, Part, PlateOutOfMemory, beauty_index
from void_server.plates.window import Window

MAX_FILE_BYTES = 4 << 30
MAX_DECODED_BYTES = 4 << 30
MAX_PARTS = 64
MAX_CHANNELS = 1024
MAX_SIDE = 1 << 16
# An honest black frame shrinks 900 times by ZIP and 20,000 times by HTJ2K or DWAB, so the ratio says something
# only of frames larger than any that is likely to be black.
MAX_RATIO = 4096
RATIO_COUNTS_FROM = 1 << 30

# A header-only read does not tell half from float: every channel counts as the widest.
_BYTES_PER_SAMPLE = 4

_LOSSLESS = {
    OpenEXR.NO_COMPRESSION,
    OpenEXR.RLE_COMPRESSION,
    OpenEXR.ZIPS_COMPRESSION,
    OpenEXR.ZIP_COMPRESSION,
    OpenEXR.PIZ_COMPRESSION,
} | {
    getattr(OpenEXR, name)
    for name in ("HTJ2K32_COMPRESSION", "HTJ2K256_COMPRESSION", "ZSTD_COMPRESSION")
    if hasattr(OpenEXR, name)
}

# The library's own limit stands behind ours, for windows that reach it by some other way.
OpenEXR.setMaxImageSize(MAX_SIDE, MAX_SIDE)


@dataclass(frozen=True)
class Layout:
    """What a header says of the part that holds the picture. `channels` are its names, in the file's order.

    chromaticities: CIE x and y of its R, G, B and white, if it says.
    """

    data_window: Window
    display_window: Window
    pixel_aspect: float
    channels: tuple[str, ...]
    chromaticities: tuple[float, ...] | None


def read_frame(source: bytes | Path, name: str = "") -> Frame:
    """Decode an EXR; `name` is what messages call it (a path's own name, if empty).

    Every part and channel comes as stored: half, float32 or uint32, [h, w] over its data window. Tiles and
    mip-map levels come as the full-size picture alone.

    Raises BadPlate for whatever cannot be read, is deep or subsampled, or exceeds the bounds above.
    """
    name = name or _name_of(source)
    with _blamed_on(name):
        _check_size(source.stat().st_size if isinstance(source, Path) else len(source), name)
        data = source.read_bytes() if isinstance(source, Path) else source
        headers = _checked_headers(io.BytesIO(data), len(data), name)
        decoded = OpenEXR.File(io.BytesIO(data), separate_channels=True).parts
        # The library leaves out a part that it cannot decode, or has no memory for, without an error.
        if len(decoded) != len(headers):
            np.empty(sum(_check_part(header, name) for header in headers), np.uint8)  # or a MemoryError, which says why
            lost = len(headers) - len(decoded)
            raise _damaged(name, f"{lost} of {len(headers)} parts cannot be decoded, or do not fit into memory")
        parts = tuple(_part(header, part) for header, part in zip(headers, decoded, strict=True))
    return Frame(parts, name)


def read_layout(source: bytes | Path, name: str = "") -> Layout:
    """Look at the header alone, under the same bounds as `read_frame`; raises BadPlate likewise."""
    name = name or _name_of(source)
    with _blamed_on(name):
        if isinstance(source, Path):
            with source.open("rb") as file:
                headers = _checked_headers(file, source.stat().st_size, name)
        else:
            headers = _checked_headers(io.BytesIO(source), len(source), name)
        names = [tuple(channel.name for channel in header["channels"]) for header in headers]
        index = beauty_index([set(of_part) for of_part in names])
        return Layout(
            Window.from_box(headers[index]["dataWindow"]),
            Window.from_box(headers[index]["displayWindow"]),
            float(headers[index].get("pixelAspectRatio", 1.0)),
            names[index],
            headers[index].get("chromaticities"),
        )


def write_frame(frame: Frame) -> bytes:
    """Encode a frame as scanlines, so that reading it gives every bit of every channel back.

    Headers, windows, parts and lossless compressions are kept; a lossy compression, which would change pixels
    that nobody touched, becomes ZIP, which a header without one gets too. Raises BadPlate when the library refuses
    the frame.
    """
    name = frame.name or "the frame"
    buffer = io.BytesIO()
    try:
        # Strided arrays are written wrong without a word; the dictionaries are changed by the constructor.
        parts = [
            OpenEXR.Part(_header_to_write(part), {n: np.ascontiguousarray(c) for n, c in part.channels.items()})
            for part in frame.parts
        ]
        OpenEXR.File(parts).write(buffer)
    except Exception as error:
        raise BadPlate(f"{name} cannot be written as EXR ({error}): check its channels and metadata") from error
    return buffer.getvalue()


@contextmanager
def _blamed_on(name: str) -> Iterator[None]:
    """Any exception type can come out of a hostile file; let none but BadPlate through."""
    try:
        yield
    except BadPlate:
        raise
    except OSError as error:
        raise BadPlate(f"{name} cannot be read ({error.strerror or error}): check the path and its rights") from error
    except UnicodeDecodeError as error:
        raise BadPlate(
            f"{name} has metadata that is not UTF-8 text ({error.object!r:.60}): "
            "render it again without that metadata, or with plain letters in paths and notes"
        ) from error
    except MemoryError as error:
        raise PlateOutOfMemory(
            f"{name} does not fit into this machine's memory: render fewer layers, or close others"
        ) from error
    except Exception as error:
        raise _damaged(name, str(error) or type(error).__name__) from error


def _damaged(name: str, cause: str) -> BadPlate:
    return BadPlate(f"{name} is truncated or damaged ({cause}): render it again")


def _name_of(source: bytes | Path) -> str:
    return source.name if isinstance(source, Path) else "the image"


def _check_size(size: int, name: str) -> None:
    if size == 0:
        raise BadPlate(f"{name} is empty: render it again")
    if size > MAX_FILE_BYTES:
        raise BadPlate(f"{name} has {size:,} bytes, more than {MAX_FILE_BYTES:,}: render fewer channels")


def _checked_headers(stream: BinaryIO, size: int, name: str) -> list[dict[str, Any]]:
    """Each part's header, after the bounds; the stream is read no further than the headers need."""
    _check_size(size, name)
    if stream.read(4) != b"\x76\x2f\x31\x01":
        raise BadPlate(f"{name} is not an EXR: render it as EXR")
    stream.seek(0)
    headers = [dict(part.header) for part in OpenEXR.File(stream, header_only=True).parts]
    if not 0 < len(headers) <= MAX_PARTS:
        raise BadPlate(f"{name} has {len(headers)} parts, not 1 to {MAX_PARTS}: render fewer layers")
    channels = sum(len(header["channels"]) for header in headers)
    if channels > MAX_CHANNELS:
        raise BadPlate(f"{name} has {channels} channels, more than {MAX_CHANNELS}: render fewer layers")
    decoded = sum(_check_part(header, name) for header in headers)
    if decoded > MAX_DECODED_BYTES or (decoded > RATIO_COUNTS_FROM and decoded > MAX_RATIO * size):
        raise BadPlate(
            f"{name} would take {decoded:,} bytes in memory from a file of {size:,}: "
            "render it smaller or with fewer channels"
        )
    return headers


def _check_part(header: dict[str, Any], name: str) -> int:
    """The bytes that a part decodes to, at most. Raises BadPlate for what we do not take."""
    if header["type"] not in (OpenEXR.scanlineimage, OpenEXR.tiledimage):
        raise BadPlate(f"{name} is a deep image: flatten it (DeepToImage) and render it again")
    for channel in header["channels"]:
        if (channel.xSampling, channel.ySampling) != (1, 1):
            raise BadPlate(
                f"{name} has channel {channel.name} at a lower resolution than the picture (subsampled): "
                "render it with every channel at full size"
            )
    window = Window.from_box(header["dataWindow"])
    sides = [window.width, window.height]
    if "tiles" in header:
        sides += [int(header["tiles"].xSize), int(header["tiles"].ySize)]
    if not all(0 < side <= MAX_SIDE for side in sides):
        raise BadPlate(f"{name} is {window.width}x{window.height}, not 1 to {MAX_SIDE} a side: render it smaller")
    return window.width * window.height * len(header["channels"]) * _BYTES_PER_SAMPLE


def _part(header: dict[str, Any], decoded: Any) -> Part:
    channels = {name: channel.pixels for name, channel in decoded.channels.items()}
    window = Window.from_box(header["dataWindow"])
    if {channel.name for channel in header["channels"]} != set(channels):
        raise ValueError("channels are missing")
    if any(pixels.shape != (window.height, window.width) for pixels in channels.values()):
        raise ValueError("the pixels do not fill the data window")
    # Both are told again by the channels themselves, and would contradict them after a change.
    kept = {key: value for key, value in header.items() if key not in ("channels", "chunkCount")}
    return Part(kept, channels)


def _header_to_write(part: Part) -> dict[str, Any]:
    # The library cannot tell the type of an empty list; tiles would contradict the scanlines.
    empty = [key for key, value in part.header.items() if isinstance(value, list) and not value]
    header = {key: value for key, value in part.header.items() if key not in (*empty, "tiles")}
    header["type"] = OpenEXR.scanlineimage
    if header.get("lineOrder") == OpenEXR.RANDOM_Y:
        header["lineOrder"] = OpenEXR.INCREASING_Y
    compression = header.get("compression", OpenEXR.ZIP_COMPRESSION)
    # PXR24 cuts floats to 24 bits and keeps half and integers whole.
    has_float = any(pixels.dtype == np.float32 for pixels in part.channels.values())
    kept = compression in _LOSSLESS or (compression == OpenEXR.PXR24_COMPRESSION and not has_float)
    header["compression"] = compression if kept else OpenEXR.ZIP_COMPRESSION
    header["dataWindow"] = _box_arrays(part.data_window)
    header["displayWindow"] = _box_arrays(part.display_window)
    return header


def _box_arrays(window: Window) -> tuple[Any, Any]:
    first, last = window.box
    return np.array(first, np.int32), np.array(last, np.int32)
