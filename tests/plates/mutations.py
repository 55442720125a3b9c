"""Decode damaged EXRs in a process of its own: `python mutations.py SEED COUNT`. Prints how many gave pixels.

Anything but pixels or BadPlate ends it with a traceback; a crash of the library ends it with a signal.
"""

from __future__ import annotations

import io
import resource
import struct
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import OpenEXR

from void_server.plates.exr import read_frame
from void_server.plates.frame import BadPlate

MEMORY = 4 << 30  # address space; a decoder that believes a hostile header would ask for more
COMPRESSIONS = [
    "NO",
    "RLE",
    "ZIPS",
    "ZIP",
    "PIZ",
    "PXR24",
    "B44",
    "B44A",
    "DWAA",
    "DWAB",
    "HTJ2K32",
    "HTJ2K256",
    "ZSTD",
]
ODD = [0, 1, -1, 255, 65535, 65536, 1 << 20, 2**31 - 1, -(2**31)]


def originals() -> list[bytes]:
    """Small files for every compression: scanlines, tiles, and two parts; smooth, so that there is something to
    decompress. R, G, B and A are half, Z is float32; A is a matte, so each will do as a plate and as a roto."""
    tiles = OpenEXR.TileDescription()
    tiles.xSize = tiles.ySize = 16
    files = []
    for name in COMPRESSIONS:
        if hasattr(OpenEXR, f"{name}_COMPRESSION"):
            header = {"compression": getattr(OpenEXR, f"{name}_COMPRESSION"), "comments": "abc"}
            scanlines = {**header, "type": OpenEXR.scanlineimage}
            files.append(_written([OpenEXR.Part(scanlines, _channels())]))
            files.append(_written([OpenEXR.Part({**header, "type": OpenEXR.tiledimage, "tiles": tiles}, _channels())]))
            parts = [OpenEXR.Part({**scanlines, "name": part}, _channels()) for part in ("beauty", "other")]
            files.append(_written(parts))
    return files


def _channels() -> dict[str, np.ndarray[Any, Any]]:
    y, x = np.mgrid[:24, :40]
    channels = {name: (np.sin(x / 7 + index) * y / 24).astype(np.float16) for index, name in enumerate("RGB")}
    channels["A"] = ((abs(x - 20) < 6) & (abs(y - 12) < 5)).astype(np.float16)
    channels["Z"] = (x * y / 100).astype(np.float32)
    return channels


def _written(parts: list[OpenEXR.Part]) -> bytes:
    buffer = io.BytesIO()
    OpenEXR.File(parts).write(buffer)
    return buffer.getvalue()


def mutations(seed: int, count: int) -> Iterator[tuple[bytes, bytes]]:
    """Whole files, and what damage made of them.

    Bytes are flipped, cut off, noise; numbers, windows, codes, offsets, attributes, chunks and kinds of parts are odd
    ones; chunks lie in each other's place.
    """
    rng = np.random.default_rng(seed)
    files = originals()
    kinds = (
        *(_flipped, _flipped_header, _cut, _number, _window, _code, _offset),
        *(_attribute, _chunk, _swapped, _kind, _noise),
    )
    for index in range(count):
        whole = files[rng.integers(len(files))]
        yield whole, bytes(kinds[index % len(kinds)](bytearray(whole), rng))


def _flipped(data: bytearray, rng: np.random.Generator, end: int | None = None) -> bytearray:
    for _ in range(rng.integers(1, 5)):
        data[rng.integers(4, end or len(data))] ^= int(rng.integers(1, 256))
    return data


def _flipped_header(data: bytearray, rng: np.random.Generator) -> bytearray:
    return _flipped(data, rng, _header_end(data))


def _cut(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data[: rng.integers(1, len(data))]


def _number(data: bytearray, rng: np.random.Generator) -> bytearray:
    struct.pack_into("<i", data, int(rng.integers(8, _header_end(data))), int(rng.choice(ODD)))
    return data


def _window(data: bytearray, rng: np.random.Generator) -> bytearray:
    at = data.index(b"dataWindow\0box2i\0") + 21
    x, y = rng.choice([0, -7, 2**31 - 1, -(2**31)], 2).tolist()
    width, height = rng.choice([0, 1, 41, 1000, 16000, 60000, 2**31], 2).tolist()
    corners = (x, y, x + width - 1, y + height - 1)
    struct.pack_into("<4I", data, at, *(corner % 2**32 for corner in corners))
    return data


def _code(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Another compression than the pixels have, a line order there is none of, or a version's flags."""
    names = (b"compression\0compression\0", b"lineOrder\0lineOrder\0", b"channels\0chlist\0")
    name = names[rng.integers(len(names))]
    data[data.index(name) + len(name) + 4 + int(name[0] == ord("c") and name[1] == ord("h")) * 2] = rng.integers(16)
    if rng.random() < 0.3:
        struct.pack_into("<I", data, 4, int(rng.integers(2**13)))
    return data


def _offset(data: bytearray, rng: np.random.Generator) -> bytearray:
    """In the table of chunks, or in the size of the first."""
    at = _header_end(data) + 8 * int(rng.integers(3))
    struct.pack_into("<q", data, at, int(rng.choice([0, -1, 8, len(data) - 1, len(data), 2**62])))
    return data


def _attribute(data: bytearray, rng: np.random.Generator) -> bytearray:
    """One that has another size, is missing, is there twice, or has another name; all behind it may lie elsewhere."""
    found = _attributes(data)
    start, value, end = found[rng.integers(len(found))]
    how = rng.integers(4)
    if how == 0:
        struct.pack_into("<i", data, value - 4, int(rng.choice([*ODD, end - value + 1, end - value - 1])))
    elif how == 1:
        del data[start:end]
    elif how == 2:
        data[end:end] = data[start:end]
    else:
        data[start] ^= 1 << int(rng.integers(7))
    return data


def _attributes(data: bytearray) -> list[tuple[int, int, int]]:
    """Where each attribute of the first header begins, where its value does, and where it ends."""
    found, at = [], 8
    while data[at]:
        kind = data.index(0, at) + 1
        value = data.index(0, kind) + 5
        end = value + struct.unpack_from("<i", data, value - 4)[0]
        found.append((at, value, end))
        at = end
    return found


def _chunk(data: bytearray, rng: np.random.Generator) -> bytearray:
    """A chunk that says another place or size, or whose packed pixels are noise."""
    first, second = _two_chunks(data, rng)
    if rng.random() < 0.5:
        struct.pack_into("<i", data, first + 4 * int(rng.integers(3)), int(rng.choice(ODD)))
    else:
        at = min(first + 8 + int(rng.integers(8)), len(data) - 1)
        end = min(max(second, at + 1), at + 40, len(data))
        data[at:end] = rng.bytes(end - at)
    return data


def _swapped(data: bytearray, rng: np.random.Generator) -> bytearray:
    """The table leads to one chunk where another is meant."""
    at = data.index(_offset_of_first_chunk(data))
    one, other = (at + 8 * int(rng.integers(2)) for _ in range(2))
    other = at + 8 if one == other else other
    data[one : one + 8], data[other : other + 8] = data[other : other + 8], data[one : one + 8]
    if rng.random() < 0.5:
        data[one : one + 8] = data[other : other + 8]
    return data


def _two_chunks(data: bytearray, rng: np.random.Generator) -> tuple[int, int]:
    """Where one of the first two chunks lies, and the one behind it."""
    at = data.index(_offset_of_first_chunk(data))
    places = [*struct.unpack_from("<2Q", data, at), len(data)]
    index = int(rng.integers(2))
    return min(places[index], len(data) - 12), min(places[index + 1], len(data))


def _offset_of_first_chunk(data: bytearray) -> bytes:
    """The first entry of the table of chunks, which says where the table ends: found by what it must be."""
    for at in range(_header_end(data), len(data) - 8):
        (offset,) = struct.unpack_from("<Q", data, at)
        if at < offset < len(data) and (offset - at) % 8 == 0:
            return bytes(data[at : at + 8])
    raise AssertionError("no table of chunks")


def _kind(data: bytearray, rng: np.random.Generator) -> bytearray:
    """A part that says to be deep, tiled, or nothing that there is; flags likewise."""
    for name in (b"scanlineimage", b"tiledimage"):
        if name in data:
            kinds = [b"deepscanline", b"deeptile", b"tiledimage", b"scanlineimage", b"nosuchthing"]
            data[data.index(name) : data.index(name) + len(name)] = kinds[rng.integers(5)].ljust(len(name), b"\0")[
                : len(name)
            ]
    if rng.random() < 0.5:
        struct.pack_into("<I", data, 4, 2 | int(rng.integers(16)) << 9)
    return data


def _noise(data: bytearray, rng: np.random.Generator) -> bytearray:
    end = int(rng.choice([0, 4, 8, _header_end(data)]))
    return data[:end] + rng.bytes(int(rng.integers(1, 2000)))


def _header_end(data: bytearray) -> int:
    return data.index(b"screenWindowWidth\0float\0") + 24 + 8 + 1


def main() -> None:
    """Decode them all; the last one tried lies in the file named LAST, for whoever has to look into a crash."""
    seed, count, last = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    pixels = 0
    for _, data in mutations(seed, count):
        with open(last, "wb") as file:  # noqa: PTH123
            file.write(data)
        try:
            frame = read_frame(data, "plate.1017.exr")
        except BadPlate as error:
            if "plate.1017.exr" not in str(error):
                raise
            continue
        shapes = {channel.shape for part in frame.parts for channel in part.channels.values()}
        assert shapes == {(frame.data_window.height, frame.data_window.width)}, shapes
        pixels += 1
    print(pixels)


if __name__ == "__main__":
    main()
