"""What a clip's `void` mark asks for: metadata["void"] on the clip, or a marker that is called void."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import opentimelineio as otio
from void_client.errors import BadInput

from void_server.cli_options import read_toml

KEY = "void"
PATHS = ("plate", "roto", "affected", "quadmask", "hints")


class Mark(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """As in `void run`; paths are relative to the timeline's file, and files are numbered as the plate's.

    settings: a table, or a TOML file. name: the shot's folder, instead of the clip's name. media: the key of the media
    reference to take, instead of the active one. plate: the EXRs, where the media is something else. start_frame: the
    number of the file that is the media's first frame (where the media has no range: the clip's), if it is not the one
    that its reference says.
    """

    roto: str = ""
    roto_keys: tuple[int, ...] | None = None
    affected: str = ""
    quadmask: str = ""
    hints: str = ""
    prompt: str = ""
    settings: dict[str, Any] | str = {}
    colourspace: str | None = None
    name: str = ""
    media: str = ""
    plate: str = ""
    start_frame: int | None = None


def marked(clip: otio.schema.Clip) -> bool:
    """Whether a clip has a `void` mark."""
    return KEY in clip.metadata or any(is_void(marker) for marker in clip.markers)


def is_void(marker: otio.schema.Marker) -> bool:
    """Whether a marker is called void (any case, perhaps with fields after it), or has metadata["void"]."""
    return KEY in marker.metadata or marker.name.split("{")[0].strip().lower() == KEY


def read_mark(clip: otio.schema.Clip) -> Mark:
    """What a marked clip asks for. Raises BadInput where it asks twice, or for what there is not."""
    said = [fields_of(item) for item in (clip, *filter(is_void, clip.markers))]
    given = [fields for fields in said if fields]
    if len(given) > 1:
        raise BadInput("it is marked twice: keep one void mark on the clip")
    if not given:
        raise BadInput("its void mark says nothing: give it a roto (or a quadmask) at least")
    try:
        return msgspec.convert(given[0], Mark)
    except msgspec.ValidationError as error:
        known = ", ".join(Mark.__struct_fields__)
        raise BadInput(f"its void mark can't be read ({error}); it may have {known}") from error


def fields_of(item: otio.schema.Clip | otio.schema.Marker) -> dict[str, Any]:
    """The fields of a clip's or a marker's mark: its metadata's, else those written in a marker's words."""
    own = item.metadata.get(KEY)
    if own is not None:
        fields = json.loads(otio.core.serialize_json_to_string(own))
        if isinstance(fields, dict):
            return fields
        if fields is not True:
            raise BadInput(f'its metadata["{KEY}"] is {fields!r}: write a table of fields')
    return _from_words(item) if isinstance(item, otio.schema.Marker) else {}


def _from_words(marker: otio.schema.Marker) -> dict[str, Any]:
    """Fields as an editor can write them in a marker's comment, or (as EDLs have but names) after its name, in TOML."""
    of_xml = marker.metadata.get("fcp_xml", {}).get("comment", "")
    named = "{" + marker.name.partition("{")[2] if "{" in marker.name else ""
    text = next((words for words in (marker.comment, of_xml, named) if words and words.strip()), "").strip()
    try:
        fields: dict[str, Any] = tomllib.loads(f"{KEY} = {text}")[KEY] if text.startswith("{") else tomllib.loads(text)
    except ValueError as error:
        raise BadInput(
            f'its void marker says "{text}", which is not TOML ({error}): write {{roto = "roto.%04d.exr"}}'
        ) from error
    return fields


def with_paths(fields: dict[str, Any], move: Callable[[str], str]) -> dict[str, Any]:
    """The fields with every path in them as `move` has it."""
    paths = [name for name in (*PATHS, "settings") if isinstance(fields.get(name), str) and fields[name]]
    return {**fields, **{name: move(fields[name]) for name in paths}}


def settings_of(mark: Mark, folder: Path) -> dict[str, Any]:
    """The mark's settings, its file read if they are in one. Raises BadInput."""
    return mark.settings if isinstance(mark.settings, dict) else read_toml(folder / mark.settings)
