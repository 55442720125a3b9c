"""Timelines for tests: clips of image sequences with `void` marks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import opentimelineio as otio

RATE = 24.0


def span(first: float, count: float, rate: float = RATE) -> otio.opentime.TimeRange:
    return otio.opentime.TimeRange(otio.opentime.RationalTime(first, rate), otio.opentime.RationalTime(count, rate))


def sequence(
    base: str = "shot", *, first: int = 1001, count: int = 20, starts: float | None = None, rate: float = RATE
) -> otio.schema.ImageSequenceReference:
    """plate.####.exr in `base`; `starts` is the time of the first file in frames (None: its number)."""
    begins = first if starts is None else starts
    return otio.schema.ImageSequenceReference(
        base, "plate.", ".exr", first, 1, rate, 4, available_range=span(begins, count, rate)
    )


def clip(
    name: str,
    media: otio.core.MediaReference | None,
    source: otio.opentime.TimeRange | None,
    /,
    **mark: Any,
) -> otio.schema.Clip:
    """A clip marked in its metadata, unless there are no fields."""
    return otio.schema.Clip(name, media, source, metadata={"void": mark} if mark else {})


def write(path: Path, *items: otio.core.Composable) -> Path:
    """A timeline of one track."""
    timeline = otio.schema.Timeline("cut")
    timeline.tracks.append(otio.schema.Track("V1", items, kind=otio.schema.TrackKind.Video))
    path.parent.mkdir(parents=True, exist_ok=True)
    otio.adapters.write_to_file(timeline, str(path))
    return path
