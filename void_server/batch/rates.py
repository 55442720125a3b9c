"""Frame rates: the fraction that a float in an editorial file stands for."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import opentimelineio as otio

# The farthest that a written rate is taken to be from what it means: 23.98 is 0.004 from 24000/1001.
ROUNDED = 0.01


def exact_rate(rate: float) -> Fraction:
    """The whole number or n*1000/1001, whichever is nearer, if it is within ROUNDED; else the float as it is.

    23.976 and 23.98 are 24000/1001, 29.97 is 30000/1001 (SMPTE ST 12-1), 23.9 stays itself. Frames per second.
    """
    whole = Fraction(round(rate))
    drop = Fraction(round(rate * 1.001) * 1000, 1001)
    nearest = min(whole, drop, key=lambda candidate: abs(candidate - Fraction(rate)))
    return nearest if nearest > 0 and abs(nearest - Fraction(rate)) <= ROUNDED else Fraction(rate)


def with_exact_rates(timeline: otio.schema.Timeline) -> otio.schema.Timeline:
    """The same timeline, every rate in it the nearest float to its fraction; no frame's number changes.

    A time of one writing compared with one of another is off by a frame after a while (14 frames at 01:00:00:00).
    """
    return otio.adapters.read_from_string(json.dumps(_exact(json.loads(timeline.to_json_string()))), "otio_json")


def _exact(value: Any) -> Any:
    if isinstance(value, list):
        return [_exact(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    changed = {name: _exact(entry) for name, entry in value.items()}
    if value.get("OTIO_SCHEMA", "").startswith(("RationalTime.", "ImageSequenceReference.")):
        changed["rate"] = float(exact_rate(value["rate"]))
    return changed
