"""A timeline with its results: a second media reference for each shot, everything else as it was."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit

import opentimelineio as otio
from void_client.delivery import write_atomically
from void_client.errors import BadInput

from .mark import KEY, fields_of, is_void, with_paths
from .media import RESULT, original_key
from .prepare import Outcome
from .timeline import Edit, Shot

Active = Literal["original", "void"]


def write_timeline(edit: Edit, outcomes: list[Outcome], out: Path, active: Active) -> Path:
    """Write OUT/NAME.otio, NAME being the timeline's own. Returns its path; raises BadInput where it can't."""
    path = timeline_path(edit.path, out)
    try:
        write_atomically(path, with_results(edit, outcomes, out, active).to_json_string().encode())
    except OSError as error:
        raise BadInput(f"{path} can't be written ({error.strerror}): make room, and give the command again") from error
    return path


def timeline_path(given: Path, out: Path) -> Path:
    """Where the timeline goes. Raises BadInput where that is the one that was given."""
    path = out / f"{given.stem}.otio"
    if path.resolve() == given.resolve():
        raise BadInput(f"the result would be written over {given}: choose another folder with --out")
    return path


def with_results(edit: Edit, outcomes: list[Outcome], out: Path, active: Active) -> otio.schema.Timeline:
    """A copy of the timeline for the folder `out`: paths relative to it, and the results that are whole under VOID.

    active: which reference the clips with a result show; the others keep theirs.
    """
    whole = {outcome.shot.name: outcome.shot for outcome in outcomes if outcome.manifest}
    by_clip = {id(shot.clip): shot for shot in whole.values() if isinstance(shot, Shot)}
    copy = edit.timeline.deepcopy()
    folder, out = edit.path.absolute().parent, out.absolute()
    # One wrapper for one clip as long as the edit holds it: its identity is the clip's.
    for before, clip in zip(edit.timeline.find_clips(), copy.find_clips(), strict=True):
        shot = by_clip.get(id(before))
        _rebase(clip, folder, out)
        if shot is not None:
            _add_result(clip, shot, active)
    return copy


def _add_result(clip: otio.schema.Clip, shot: Shot, active: Active) -> None:
    references = dict(clip.media_references())
    original = original_key(clip)
    if clip.source_range is None:  # the result has perhaps another range than the media
        clip.source_range = references[original].available_range
    references[RESULT] = _reference(shot, original)
    clip.set_media_references(references, RESULT if active == "void" else original)


def _reference(shot: Shot, original: str) -> otio.schema.ImageSequenceReference:
    """The result in the media's own time, so that the clip's range holds for both."""
    count = otio.opentime.RationalTime(len(shot.frames), shot.start.rate)
    return otio.schema.ImageSequenceReference(
        target_url_base=quote(shot.name) + "/",
        name_prefix="plate.",
        name_suffix=".exr",
        start_frame=shot.frames.first,
        frame_step=1,
        rate=shot.start.rate,
        frame_zero_padding=4,
        available_range=otio.opentime.TimeRange(shot.start, count),
        metadata={KEY: {"original": original}},
    )


def _rebase(clip: otio.schema.Clip, folder: Path, out: Path) -> None:
    """Make what is relative to `folder` relative to `out`: the media's URLs, and the paths of the mark."""
    for reference in clip.media_references().values():
        if isinstance(reference, otio.schema.ImageSequenceReference):
            reference.target_url_base = _moved_url(reference.target_url_base, folder, out)
        elif isinstance(reference, otio.schema.ExternalReference):
            reference.target_url = _moved_url(reference.target_url, folder, out)
    for item in (clip, *filter(is_void, clip.markers)):
        try:
            fields = fields_of(item)
        except BadInput:
            continue  # it was refused, and stays as it is
        if fields:
            item.metadata[KEY] = with_paths(fields, lambda path: _moved(path, folder, out))


def _moved(path: str, folder: Path, out: Path) -> str:
    if Path(path).is_absolute():
        return path
    try:
        return Path(os.path.relpath(folder / path, out)).as_posix()
    except ValueError:  # on another drive
        return (folder / path).as_posix()


def _moved_url(url: str, folder: Path, out: Path) -> str:
    """A relative URL from another folder; its own part stays as it is written, encoded or not."""
    if urlsplit(url).scheme or url.startswith("/"):
        return url
    try:
        way = quote(Path(os.path.relpath(folder, out)).as_posix())
    except ValueError:
        way = folder.as_uri()
        return f"{way}/{url}"
    moved = posixpath.normpath(posixpath.join(way, url))
    return moved + "/" if url.endswith("/") or not url else moved
