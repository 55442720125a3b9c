"""Whether a clip is retimed: it then shows other frames than it spans, some of them never shot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import opentimelineio as otio
from void_client.errors import BadInput


def and_around(clip: otio.schema.Clip) -> Iterator[otio.core.Item]:
    """A clip and all that it is nested in."""
    item = clip
    while item is not None:
        yield item
        item = item.parent()


def refuse_retimes(clip: otio.schema.Clip) -> None:
    """Raise BadInput where a clip, or what it is nested in, does not run at its own speed."""
    for item in and_around(clip):
        for effect in item.effects:
            words = _retime(effect) if effect.enabled else ""
            if words:
                where = "it" if item is clip else f"the {type(item).__name__.lower()} '{item.name}' around it"
                raise BadInput(
                    f"{where} is retimed ({words}): take the retime off for this, and put it back over the result; or "
                    "render it into the plate, and cut that in"
                )


def _retime(effect: otio.schema.Effect) -> str:
    """How an effect changes time, in words; empty where it does not."""
    if isinstance(effect, otio.schema.LinearTimeWarp):
        still = type(effect) is otio.schema.LinearTimeWarp and effect.time_scalar == 1.0
        return "" if still else f"{effect.effect_name or type(effect).__name__} x{effect.time_scalar:g}"
    if isinstance(effect, otio.schema.TimeEffect):
        return effect.effect_name or effect.name or type(effect).__name__
    return _time_remap(effect.metadata.get("fcp_xml", {}))


def _time_remap(written: Any) -> str:
    """The filter Time Remap of FCP XML, which its adapter leaves as it is; at 100 % forwards it is none."""
    if written.get("effectid") != "timeremap":
        return ""
    given = written.get("parameter", [])
    parameters = [given] if hasattr(given, "keys") else given
    values = {entry.get("parameterid"): str(entry.get("value", "")) for entry in parameters}
    speed = values.get("speed", "")
    varies = values.get("variablespeed", "0") != "0" or values.get("reverse", "FALSE").upper() == "TRUE"
    return "" if not varies and speed and float(speed) == 100 else f"Time Remap, {speed or '?'} %"
