"""EXR files for tests, written and read with OpenEXR alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR


def write_exr(path: Path, header: dict[str, Any] | None = None, **planes: Any) -> Path:
    """A file whose planes are given; data window and display window as the header says, else the planes' size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    base = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}
    OpenEXR.File({**base, **(header or {})}, {name.replace("__", "."): p for name, p in planes.items()}).write(
        str(path)
    )
    return path


def window(x: int, y: int, r: int, b: int) -> tuple[Any, Any]:
    """A window as a header has it: both corners are in it, y goes down."""
    return np.array([x, y], np.int32), np.array([r, b], np.int32)


def read_exr(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """A file's header, and its planes by their stored names."""
    part = OpenEXR.File(str(path), separate_channels=True).parts[0]
    return dict(part.header), {name: channel.pixels for name, channel in part.channels.items()}
