"""A timeline's marked clips as shots: which frames of which files, and what is asked of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import opentimelineio as otio
from void_client.errors import BadInput
from void_client.sequences import FileSequence, FrameRange

from .mark import Mark, marked, read_mark, settings_of
from .media import Media, frames_of, media_of, whole
from .rates import with_exact_rates
from .retime import and_around, refuse_retimes

_NOT_IN_NAMES = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class Shot:
    """A clip to be done. name: its folder's, unique in the timeline, whatever the letters' case.

    frames: the numbers of the plate's files, handles included; cut: those that the edit shows. inputs: plate, and roto
    and affected, or quadmask, numbered alike, in absolute paths. start: when `frames` begin, in the media's time.
    """

    name: str
    clip: otio.schema.Clip
    frames: FrameRange
    cut: FrameRange
    inputs: dict[str, FileSequence]
    start: otio.opentime.RationalTime
    prompt: str
    settings: dict[str, Any]
    hints: Path | None
    roto_keys: tuple[int, ...] | None
    colourspace: str | None


@dataclass(frozen=True)
class BrokenShot:
    """A marked clip that can't be done, and why, with the next step."""

    name: str
    clip: otio.schema.Clip
    reason: str


@dataclass(frozen=True)
class Edit:
    """A timeline with exact rates, and its marked clips in order. disabled: names of those switched off."""

    path: Path
    timeline: otio.schema.Timeline
    shots: list[Shot | BrokenShot]
    disabled: list[str]


def read_timeline(path: Path, handles: int | None = None, rate: float | None = None) -> Edit:
    """The shots of a timeline that OpenTimelineIO reads.

    handles: frames on either side of the cut, at most; None: all that the media has. rate: frames per second of an
    EDL, which does not say; None is 24. No frame is looked at: whether the files are there, a job says. Raises BadInput
    where the file can't be read or marks no clip.
    """
    timeline = with_exact_rates(_read(path, rate))
    clips = [clip for clip in timeline.find_clips() if marked(clip)]
    if not clips:
        raise BadInput(
            f"no clip of {path} has a void mark: add a marker called void to the clips (on them, not on the timeline)"
        )
    folder = path.absolute().parent
    shots: list[Shot | BrokenShot] = []
    disabled = []
    for name, clip in zip(_names(clips), clips, strict=True):
        if not all(item.enabled for item in and_around(clip)):
            disabled.append(name)
            continue
        try:
            shots.append(_shot(name, clip, handles, folder))
        except BadInput as error:
            shots.append(BrokenShot(name, clip, str(error)))
    return Edit(path, timeline, shots, disabled)


def _read(path: Path, rate: float | None) -> otio.schema.Timeline:
    if not path.is_file():
        raise BadInput(f"there is no timeline {path}: check the path")
    given = {"rate": rate} if rate else {}
    try:
        found = otio.adapters.read_from_file(str(path), **given)
    except otio.exceptions.NoKnownAdapterForExtensionError as error:
        raise BadInput(
            f"{path.name} is of no kind that OpenTimelineIO reads here: for EDL, FCP XML and AAF install its adapters, "
            "`pip install 'void-for-nuke[editorial]'`"
        ) from error
    except Exception as error:  # adapters are others' code, and raise what they like
        raise BadInput(f"{path} can't be read as a timeline ({error}): export it again") from error
    timelines = [found] if isinstance(found, otio.schema.Timeline) else _timelines_in(found)
    if len(timelines) != 1:
        raise BadInput(f"{path} has {len(timelines)} timelines in it: export one")
    return timelines[0]


def _timelines_in(found: Any) -> list[otio.schema.Timeline]:
    if isinstance(found, otio.schema.SerializableCollection):
        return list(found.find_children(descended_from_type=otio.schema.Timeline))
    return []


def _names(clips: list[otio.schema.Clip]) -> list[str]:
    """A folder's name for each clip: its mark's, else its own; the second of one name is NAME_2."""
    names: list[str] = []
    for clip in clips:
        try:
            wished = read_mark(clip).name
        except BadInput:  # said where the clip is read
            wished = ""
        base = _NOT_IN_NAMES.sub("_", wished or clip.name).strip("._") or "shot"
        taken = {name.lower() for name in names}
        tries = (base if count == 1 else f"{base}_{count}" for count in range(1, len(clips) + 2))
        names.append(next(name for name in tries if name.lower() not in taken))
    return names


def _shot(name: str, clip: otio.schema.Clip, handles: int | None, folder: Path) -> Shot:
    mark = read_mark(clip)
    refuse_retimes(clip)
    media = media_of(clip, mark.media, mark.plate, mark.start_frame, folder)
    cut, frames, rate = _range(clip, media, handles)
    names = ("roto", "affected", "quadmask")
    given = {key: FileSequence.parse(str(folder / getattr(mark, key))) for key in names if getattr(mark, key)}
    _refuse_contradictions(mark)
    return Shot(
        name=name,
        clip=clip,
        frames=_moved(frames, media.offset),
        cut=_moved(cut, media.offset),
        inputs={"plate": media.files, **given},
        start=otio.opentime.RationalTime(frames.first, rate),
        prompt=mark.prompt,
        settings=settings_of(mark, folder),
        hints=folder / mark.hints if mark.hints else None,
        roto_keys=mark.roto_keys,
        colourspace=mark.colourspace,
    )


def _refuse_contradictions(mark: Mark) -> None:
    if bool(mark.roto) == bool(mark.quadmask):
        raise BadInput("its mark needs a roto (what to remove) or a quadmask (a finished one): one of the two")
    for name in ("affected", "hints", "roto_keys"):
        if mark.quadmask and getattr(mark, name):
            raise BadInput(f"its mark has {name}, which adds to a roto; a quadmask has it already: leave one out")


def _range(clip: otio.schema.Clip, media: Media, handles: int | None) -> tuple[FrameRange, FrameRange, float]:
    """What the edit shows of the media (what a transition shows of it included), that with handles, and its rate."""
    span = clip.source_range
    rate = span.start_time.rate if span else media.rate
    if rate is None:
        raise BadInput("neither it nor its media has a range: give it a source_range")
    if media.rate not in (None, rate):
        raise BadInput(
            f"it runs at {rate:g} frames per second, its media at {media.rate:g}: conform the media, or cut it at its "
            "own rate"
        )
    cut = frames_of(span, rate) if span else media.available
    assert cut is not None  # media with a rate has a range
    available = media.available or cut
    if cut.first not in available or cut.last not in available:
        raise BadInput(
            f"it shows frames {_moved(cut, media.offset)}, its media has {_moved(available, media.offset)}: trim it, "
            "or relink the media"
        )
    head, tail = _transitions(clip, rate)
    cut = FrameRange(max(cut.first - head, available.first), min(cut.last + tail, available.last))
    reach = len(available) if handles is None else handles
    frames = FrameRange(max(cut.first - reach, available.first), min(cut.last + reach, available.last))
    return cut, frames, rate


def _transitions(clip: otio.schema.Clip, rate: float) -> tuple[int, int]:
    """Frames that a transition before, and one after, show beyond the clip's own range."""
    track = clip.parent()
    if not isinstance(track, otio.schema.Track):
        return 0, 0
    before, after = track.neighbors_of(clip)
    head = whole(before.in_offset, rate) if isinstance(before, otio.schema.Transition) else 0
    return head, whole(after.out_offset, rate) if isinstance(after, otio.schema.Transition) else 0


def _moved(frames: FrameRange, offset: int) -> FrameRange:
    return FrameRange(frames.first + offset, frames.last + offset)
