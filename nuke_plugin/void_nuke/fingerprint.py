"""What a result depends on, so that the node can say that it is out of date, and why."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import nuke
from void_client.sequences import FileSequence

from . import colour
from .node import WRITES, asked_range, value

# The panel's knobs that change the result.
SETTINGS = (
    *("prompt", "subject", "ask", "hints_file", "range", "first", "last", "feather", "grow", "roto_keys"),
    *("passes", "steps1", "guidance1", "steps2", "guidance2", "seed", "mask_levels", "model_width", "model_height"),
    *("crop", "model_window", "overlap", "every", "layers", "datatype", "real_pixels", "grain", "patch"),
)

# How a node looks and what the plugin says on it, not what it computes.
COSMETIC = {
    *("xpos", "ypos", "selected", "name", "label", "note_font", "note_font_size", "note_font_color", "tile_color"),
    *("gl_color", "icon", "help", "hide_input", "postage_stamp", "postage_stamp_frame", "bookmark", "dope_sheet"),
    *("cached", "indicators", "panel", "status", "diagnostics", "void_badge", "void_job", "void_made_from"),
}


def fingerprint(node: nuke.Group, *, files: bool = True) -> dict[str, str]:
    """Setting, upstream node or (with `files`: it looks at the disk) file, to a mark that changes with it.

    Keys are `setting NAME`, `node INPUT COUNT` and `file NAME`; a node's mark is its name and a digest.
    """
    marks = {f"setting {name}": str(value(node, name)) for name in SETTINGS}
    first, last = asked_range(node) or (0, 0)
    marks |= {"setting first": str(first), "setting last": str(last), "setting colour management": colour.mark()}
    digests: dict[str, str] = {}  # what lies above two inputs is looked at once
    for index, name in enumerate(WRITES):
        for count, found in enumerate(upstream(node.input(index))):
            full = found.fullName()
            if full not in digests:
                digests[full] = _digest(found)
                if files and found.Class() == "Read":
                    marks |= _file_marks(found)
            marks[f"node {name} {count}"] = f"{found.name()} {digests[full]}"
    return marks


def difference(before: dict[str, str], now: dict[str, str]) -> str:
    """Why a result made from `before` is out of date, in a few words; empty where it is not."""
    for key, mark in now.items():
        kind, _, name = key.partition(" ")
        if kind != "node" and key in before and before[key] != mark:
            return f"{name} {'on disk ' if kind == 'file' else ''}has changed"
    return _node_difference(_nodes(before), _nodes(now))


def _nodes(marks: dict[str, str]) -> list[tuple[str, str]]:
    """Name and digest of each upstream node, in order."""
    return [(mark.split(" ")[0], mark.split(" ")[1]) for key, mark in marks.items() if key.startswith("node ")]


def _node_difference(before: list[tuple[str, str]], now: list[tuple[str, str]]) -> str:
    if [digest for _, digest in before] == [digest for _, digest in now]:
        return ""  # at most their names have changed
    names_before, names_now = [name for name, _ in before], [name for name, _ in now]
    for name in names_now:
        if name not in names_before:
            return f"{name} is new"
    for name in names_before:
        if name not in names_now:
            return f"{name} is gone"
    changed = [name for name, digest in now if (name, digest) not in before]
    return f"{changed[0]} has changed" if changed else "the connections have changed"


def upstream(node: nuke.Node | None) -> Iterator[nuke.Node]:
    """A node and all it depends on, by pipes, by expressions and inside groups, each once, in a steady order."""
    seen: set[str] = set()
    waiting: list[nuke.Node | None] = [node]
    while waiting:
        found = waiting.pop()
        if found is None or found.Class() == "Root" or found.fullName() in seen:
            continue
        seen.add(found.fullName())
        yield found
        others = found.dependencies(nuke.EXPRESSIONS) + (found.nodes() if isinstance(found, nuke.Group) else [])
        others.sort(key=nuke.Node.fullName, reverse=True)
        waiting += others
        waiting += [found.input(index) for index in reversed(range(found.inputs()))]


def _digest(node: nuke.Node) -> str:
    names = sorted(set(node.writeKnobs(nuke.WRITE_NON_DEFAULT_ONLY).split()) - COSMETIC)
    text = [node.Class(), *(f"{name} {knob.toScript()}" for name in names if (knob := node.knob(name)) is not None)]
    return hashlib.sha256("\n".join(text).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _file_marks(read: nuke.Node) -> dict[str, str]:
    """Size and time of a Read's first and last file."""
    name = nuke.filename(read)
    if not name:
        return {}
    marks = {}
    for frame in (read.firstFrame(), read.lastFrame()):
        path = FileSequence(Path(name).parent, Path(name).name).path(frame)
        try:
            status = path.stat()
        except OSError:
            continue
        marks[f"file {path.name}"] = f"{status.st_size} {status.st_mtime_ns}"
    return marks
