"""Decode damaged EXRs in a process of its own: `python mutations.py SEED COUNT`. Prints how many gave pixels.

Anything but pixels or BadPlate ends it with a traceback; a crash of the library ends it with a signal.
"""

from __future__ import annotations

import io
import resource
import struct
import sys
from collections.abc import Iterator

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
    """One small file for every compression, scanlines and tiles; smooth, so that there is something to decompress."""
    y, x = np.mgrid[:24, :40]
    channels = {name: (np.sin(x / 7 + index) * y / 24).astype(np.float16) for index, name in enumerate("RGB")}
    channels["Z"] = (x * y / 100).astype(np.float32)
    tiles = OpenEXR.TileDescription()
    tiles.xSize = tiles.ySize = 16
    files = []
    for name in COMPRESSIONS:
        if hasattr(OpenEXR, f"{name}_COMPRESSION"):
            for kind in ({"type": OpenEXR.scanlineimage}, {"type": OpenEXR.tiledimage, "tiles": tiles}):
                header = {"compression": getattr(OpenEXR, f"{name}_COMPRESSION"), "comments": "abc", **kind}
                buffer = io.BytesIO()
                OpenEXR.File(header, dict(channels)).write(buffer)
                files.append(buffer.getvalue())
    return files


def mutations(seed: int, count: int) -> Iterator[bytes]:
    """Damaged files: bytes flipped, cut short, numbers, windows, codes and offsets replaced by odd ones."""
    rng = np.random.default_rng(seed)
    files = originals()
    kinds = (_flipped, _flipped_header, _cut, _number, _window, _code, _offset)
    for index in range(count):
        data = bytearray(files[rng.integers(len(files))])
        yield bytes(kinds[index % len(kinds)](data, rng))


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


def _header_end(data: bytearray) -> int:
    return data.index(b"screenWindowWidth\0float\0") + 24 + 8 + 1


def main() -> None:
    """Decode them all; the last one tried lies in the file named LAST, for whoever has to look into a crash."""
    seed, count, last = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    pixels = 0
    for data in mutations(seed, count):
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
