"""What a clip's media reference says of EXR files: which, how they are numbered, and when they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import opentimelineio as otio
from void_client.errors import BadInput
from void_client.sequences import FileSequence, FrameRange

from .mark import KEY

RESULT = "VOID"  # the key of a result's media reference

# A frame number in a URL that was not encoded: %04d is no escape that a file name would have.
_PATTERN = re.compile(r"%(?=0[1-9]d|d(?![0-9a-fA-F]))")
_NUMBERED = re.compile(r"^(.*?)(\d+)(\.[^.]+)$")
_STEP = "write an ImageSequenceReference with a range, or an ExternalReference to plate.%04d.exr"


@dataclass(frozen=True)
class Media:
    """files: a sequence, or one file. rate: frames per second of its times, None where it has none. available: its
    frames in its own time, None where it does not say. offset: a file's number less its time, in frames."""

    files: FileSequence
    rate: float | None
    available: FrameRange | None
    offset: int


def media_of(clip: otio.schema.Clip, key: str, plate: str, start_frame: int | None, folder: Path) -> Media:
    """The clip's media under `key` (empty: the active one), with the files of `plate` if that is given.

    start_frame: the number of the first file, where the reference does not say it. folder: that of the timeline, to
    which paths are relative. Raises BadInput for what can't be a plate.
    """
    reference = clip.media_references()[original_key(clip, key)]
    available = _available(reference)
    rate = reference.available_range.start_time.rate if available else None
    if plate:
        files, first = FileSequence.parse(str(folder / plate)), start_frame
    else:
        files, first = _files(reference, folder)
        first = first if start_frame is None else start_frame
    start = available.first if available else _start(clip)
    return Media(files, rate, available, 0 if first is None else first - start)


def original_key(clip: otio.schema.Clip, key: str = "") -> str:
    """Of the reference under `key` (empty: the active one), or, if that is a batch's result, of what that was made of.

    Raises BadInput where there is none under `key`.
    """
    references = clip.media_references()
    if key and key not in references:
        raise BadInput(f"it has no media '{key}', only {', '.join(references)}: name one of these in its mark")
    active: str = key or clip.active_media_reference_key
    if active != RESULT:
        return active
    others = [name for name in references if name != RESULT]
    return str(references[RESULT].metadata.get(KEY, {}).get("original", others[0] if others else RESULT))


def frames_of(span: otio.opentime.TimeRange, rate: float) -> FrameRange:
    """The frames of a range of time, at `rate` frames per second. Raises BadInput where it has none, or parts of one.

    The last is that which ends with the range: `to_frames` would cut, and lose one to rounding.
    """
    first, count = whole(span.start_time, rate), whole(span.duration, rate)
    if count < 1:
        raise BadInput("it is empty: give it a source_range of a frame at least, or take the mark off")
    return FrameRange(first, first + count - 1)


def whole(time: otio.opentime.RationalTime, rate: float) -> int:
    """A time in frames at `rate`. Raises BadInput where it falls between two."""
    value: float = time.value if time.rate == rate else time.value_rescaled_to(rate)
    if abs(value - round(value)) > 0.05:
        raise BadInput(f"its time {value:g} (at {rate:g} frames per second) lies between two frames: cut it on a frame")
    return round(value)


def path_of(url: str, folder: Path) -> Path:
    """The file that a URL names, percent-encoded or (as most write them) not; relative ones from `folder`.

    Frame numbers (%04d, ####) stay. Raises BadInput for what is not on a file system.
    """
    parts = urlsplit(_PATTERN.sub("%25", url).replace("#", "%23").replace("?", "%3F"))
    if parts.scheme == "file":
        host = f"//{parts.netloc}" if parts.netloc not in ("", "localhost") else ""
        return Path(host + url2pathname(parts.path))
    if len(parts.scheme) > 1:
        raise BadInput(f"its media {url} is no file: write a path or a file:// URL")
    return folder / unquote(_PATTERN.sub("%25", url))  # with a scheme of one letter it is a drive


def _available(reference: otio.core.MediaReference) -> FrameRange | None:
    span = reference.available_range
    return frames_of(span, span.start_time.rate) if span else None


def _start(clip: otio.schema.Clip) -> int:
    """Where the clip begins in its media's time."""
    span = clip.source_range
    return whole(span.start_time, span.start_time.rate) if span else 0


def _files(reference: otio.core.MediaReference, folder: Path) -> tuple[FileSequence, int | None]:
    """The reference's files, and the number of the first if it says that."""
    if isinstance(reference, otio.schema.ImageSequenceReference):
        return _sequence(reference, folder), reference.start_frame
    if not isinstance(reference, otio.schema.ExternalReference):
        raise BadInput(
            f"its media is missing ({type(reference).__name__}): relink it, or name the EXRs in its mark (plate)"
        )
    path = path_of(reference.target_url, folder)
    if path.suffix.lower() != ".exr":
        raise BadInput(f"its media {path.name or reference.target_url} is no EXR: name the EXRs in its mark (plate)")
    files = FileSequence.parse(str(path))
    available = _available(reference)
    found = _NUMBERED.match(path.name)
    if files.numbered or found is None or (available and len(available) == 1):
        return files, None
    # The first file of a sequence, as Premiere and EDLs have it.
    number = found[2]
    return FileSequence(path.parent, f"{found[1]}%0{len(number)}d{found[3]}"), int(number) if available else None


def _sequence(reference: otio.schema.ImageSequenceReference, folder: Path) -> FileSequence:
    span = reference.available_range
    if span is None:
        raise BadInput(f"its image sequence does not say when it is (no available_range): {_STEP}")
    if reference.rate != span.start_time.rate:
        raise BadInput(
            f"its image sequence has {reference.rate:g} frames per second, its range {span.start_time.rate:g}: "
            "write one rate in both"
        )
    if reference.frame_step != 1:
        raise BadInput(f"its image sequence has a frame_step of {reference.frame_step}: render every frame, one by one")
    digits = reference.frame_zero_padding
    name = unquote(reference.name_prefix) + (f"%0{digits}d" if digits else "%d") + unquote(reference.name_suffix)
    return FileSequence.parse(str(path_of(reference.target_url_base, folder) / name))
