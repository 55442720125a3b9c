"""A job's folder: where its frames lie, coming and going. Names are made here; no path of a client's is ever opened."""

from __future__ import annotations

from pathlib import Path


def input_file(folder: Path, name: str, frame: int) -> Path:
    """Where a job keeps one frame of an input."""
    return folder / f"{name}.{frame}.exr"


def result_file(folder: Path, frame: int) -> Path:
    """Where a job keeps one finished frame."""
    return folder / f"result.{frame}.exr"
