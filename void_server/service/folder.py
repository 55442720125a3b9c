"""A job's folder: where its frames lie, coming and going. Names are made here; no path of a client's is ever opened.

A file under its name is whole: frames are written beside it, checked, brought to the disk and then renamed.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)  # of an OSError: a full disk, which is waited for


def input_file(folder: Path, name: str, frame: int) -> Path:
    """Where a job keeps one frame of an input."""
    return folder / f"{name}.{frame}.exr"


def part_file(whole: Path) -> Path:
    """Where a frame is written that is on its way to `whole`."""
    return whole.with_suffix(".part")


def result_file(folder: Path, frame: int) -> Path:
    """Where a job keeps one finished frame."""
    return folder / f"result.{frame}.exr"


def checkpoint_folder(folder: Path) -> Path:
    """Where the engine keeps what a restart goes on from."""
    return folder / "checkpoint"


def keep_results_alone(folder: Path) -> None:
    """Remove what a job that has ended needs no more: all but its results."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif not (path.name.startswith("result.") and path.suffix == ".exr"):
            path.unlink(missing_ok=True)


def has_room(folder: Path, needed: int) -> bool:
    """Whether the disk has so many bytes left, as far as it tells (a quota does not)."""
    try:
        return shutil.disk_usage(folder).free >= needed
    except OSError:
        return True


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can (not on Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
