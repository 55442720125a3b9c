"""nuke.execute: Writes that really write."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import _events, _exr, _image, _ops, _render
from ._format import FrameRange, FrameRanges
from ._guard import main_thread
from ._image import Image
from ._node import Node
from ._resolve import node_at
from ._session import at, session


@main_thread
def execute(
    nameOrNode: Any,
    start: Any = None,
    end: Any = None,
    incr: int = 1,
    views: list[str] | None = None,
    continueOnError: bool = False,
    frameRangeSet: Any = None,
) -> None:
    """Render a Write over first, last, increment, or over FrameRanges, for some views. RuntimeError where it fails."""
    if isinstance(end, list):  # execute(node, FrameRanges, views)
        end, views = None, end
    if session().executing:
        raise RuntimeError("I'm already executing something else")
    node = node_at(nameOrNode, _group()) if isinstance(nameOrNode, str) else nameOrNode
    if node is None:
        raise RuntimeError(f"execute: no node {nameOrNode!r}")
    session().executing = True
    try:
        _execute(node, _frames(node, frameRangeSet or start, end, incr), views, continueOnError)
    finally:
        session().executing = False
        session().cancel_execute = False


@main_thread
def executeMultiple(
    nodes: Iterable[Node],
    ranges: Iterable[Any],
    views: list[str] | None = None,
    continueOnError: bool = False,
) -> None:
    """Render several Writes, each over every (first, last, increment)."""
    for node in nodes:
        for first, last, step in ranges:
            execute(node, first, last, step, views or [], continueOnError)


def _group() -> Any:
    return session().groups[-1] if session().groups else session().root


def _frames(node: Node, start: Any, end: int | None, incr: int) -> list[int]:
    if isinstance(start, FrameRanges):
        return [frame for each in start for frame in each]
    if isinstance(start, FrameRange):
        return list(start)
    if start is None:
        start = node.firstFrame()
    last = end if end is not None else start
    if not all(isinstance(value, int) for value in (start, last, incr)):
        raise TypeError("execute: frames are integers")
    return list(range(start, last + 1, incr))


def _execute(node: Node, frames: list[int], views: list[str] | None, go_on: bool) -> None:
    if node._class != "Write":
        raise RuntimeError(f"{node.fullName()} is not executable")
    if node._text("disable"):
        raise RuntimeError(f"{node.fullName()} is disabled")
    if not frames:
        raise RuntimeError(f"{node.fullName()}: no frames to execute")
    chosen = _views(node, views)
    _events.fire_strictly("beforeRender", node)
    for count, frame in enumerate(frames):
        if session().cancel_execute and count >= len(frames) // 2:
            raise RuntimeError("Cancelled")
        for view in chosen:
            with at(float(frame), view):
                try:
                    _one_frame(node, frame, view)
                except RuntimeError:
                    if not go_on:
                        raise
    _events.fire_strictly("afterRender", node)


def _one_frame(node: Node, frame: int, view: str) -> None:
    _events.fire_strictly("beforeFrameRender", node)
    write_frame(node, frame, view)
    _events.fire_strictly("afterFrameRender", node)


def _views(node: Node, views: list[str] | None) -> list[str]:
    if isinstance(views, str):
        raise TypeError("execute: views is a list of names")
    known = session().root._views()
    asked = list(views or str(node._text("views")).split() or known)
    for view in asked:
        if view not in known:
            raise RuntimeError(f"{node.fullName()}: no view is named {view!r}")
    if len(asked) > 1 and "%v" not in str(node._text("file")).lower():
        raise RuntimeError(f"{node.fullName()}: several views in one file are not in the fake; put %V into its name")
    return asked


def write_frame(node: Node, frame: int, view: str) -> None:
    """Pull one frame and write it."""
    _ops.check_colour(node)
    path = _target(node, frame, view)
    image = _chosen(node, _ops.proxied(_render.pull(node, frame, view)))
    exr = {spec: _exr_knob(node, spec) for spec in ("datatype", "compression", "metadata", "autocrop")}
    if exr["autocrop"]:
        image = _exr.cropped(image)
    half = exr["datatype"] == "16 bit half"
    _exr.write(path, image, half, exr["compression"], _metadata(exr["metadata"], image))


def _target(node: Node, frame: int, view: str) -> Path:
    name = _ops.file_name(node, frame, view)
    if not name:
        raise RuntimeError(f"{node.fullName()}: no file is given to write")
    path = Path(name)
    kind = str(node._text("file_type")).strip() or path.suffix.lstrip(".")
    if kind != "exr":
        raise RuntimeError(f"{node.fullName()}: the fake writes exr alone, not {kind or name!r}")
    if not path.parent.is_dir():
        if not node._text("create_directories"):
            raise RuntimeError(f"{node.fullName()}: Can't open {path}.tmp for writing: No such file or directory")
        path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _chosen(node: Node, image: Image) -> Image:
    """The channels the Write asks for. Of rgba, those that are missing are written black, as in Nuke."""
    names = _image.matching(str(node._text("channels")), list(image.channels))
    if not names:
        raise RuntimeError(f"{node.fullName()}: no channels to write")
    lacking = [name for name in names if name not in image.channels and name not in _image.ORDER]
    if lacking:
        raise RuntimeError(f"{node.fullName()}: no channel {', '.join(lacking)} comes in")
    return Image(image.format, image.box, {n: image.on(n, image.box) for n in names}, image.metadata)


def _exr_knob(node: Node, name: str) -> Any:
    defaults = {"datatype": "16 bit half", "compression": "ZIP (1 scanline)", "metadata": "default metadata"}
    return node._text(name) if name in node._knobs else defaults.get(name, False)


def _metadata(mode: str, image: Image) -> dict[str, Any]:
    """What goes into the header: exr/x as x, the rest under its own name."""
    kept: dict[str, Any] = {}
    for key, value in image.metadata.items():
        if key.startswith("exr/"):
            if mode in ("default metadata and exr/*", "all metadata except input/*", "all metadata"):
                kept[key.removeprefix("exr/")] = value
        elif mode == "all metadata" or (mode == "all metadata except input/*" and not key.startswith("input/")):
            kept[key] = value
    return kept


@main_thread
def executing(f: float | None = None) -> bool:
    """Whether a render is under way."""
    return session().executing


@main_thread
def cancel() -> None:
    """Cancel the render under way."""
    session().cancel_execute = True
