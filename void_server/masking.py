"""What is to go and what that affects, where the artist's paint leaves it open: SAM 2 between keyframes, and hints."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from void_server.asked import Asked
from void_server.engine import Progress
from void_server.footage import Footage
from void_server.masks.endpoint import CannotReason
from void_server.masks.evidence import gather_evidence
from void_server.masks.grid import grid_shape
from void_server.masks.hints import Hints, read_hints
from void_server.masks.propagate import Propagator, refuse_unpainted, unpainted
from void_server.masks.reasoner import Question, Reasoner, ask_with_cache
from void_server.masks.regions import regions
from void_server.mattes import Mask, Mattes
from void_server.plates.resize import shrink
from void_server.plates.window import Window
from void_server.settings import ShotSettings

HINTS_FILE = "the hints file"
NOBODY = "this server has nobody to ask: start it with --reasoner, give a hints file, or go on with the roto alone"
ASKED_EVERY = 0.5  # seconds between two looks at whether a job that waits for an answer has been cancelled


@dataclass(frozen=True)
class MaskTools:
    """What a server has besides the artist's paint.

    propagator: what carries a roto to unpainted frames. reasoner: whom to ask for hints; its answers are kept
    in the folder `answers`.
    """

    propagator: Propagator | None = None
    reasoner: Reasoner | None = None
    answers: Path | None = None


NO_TOOLS = MaskTools()


@dataclass(frozen=True)
class Shot:
    """The shot as masks are made from it: `clip` float32 [T, H, W, 3] in 0..1 over `window` of the plate."""

    plate: Footage
    window: Window
    clip: npt.NDArray[np.float32]

    @property
    def frames(self) -> range:
        """The frame numbers, without gaps."""
        return frame_range(self.plate)


def frame_range(plate: Footage) -> range:
    """A plate's frame numbers, which have no gaps."""
    return range(plate.frames[0], plate.frames[-1] + 1)


def refuse_early(
    mattes: Mattes, frames: range, window: Window, settings: ShotSettings, hints: str, tools: MaskTools
) -> None:
    """Raise what `complete` would for what can be told without a picture: BadMask, BadHints, CannotReason."""
    if mattes.roto is None:
        return
    if tools.propagator is None:
        refuse_unpainted(frames, [mattes.roto.paths], mattes.roto.name)
    if hints:
        read_hints(hints.encode(), HINTS_FILE, frames, grid_shape(window.height, window.width))
    elif settings.ask == "require" and tools.reasoner is None:
        raise CannotReason(NOBODY)


def needs_clip(mattes: Mattes, frames: range, settings: ShotSettings, hints: str, tools: MaskTools) -> bool:
    """Whether `complete` will look at the plate's pixels."""
    if mattes.roto is None:
        return False
    asks = settings.ask != "never" and not hints and tools.reasoner is not None
    return asks or bool(unpainted(frames, [mattes.roto.paths]))


def complete(
    mattes: Mattes,
    shot: Shot,
    settings: ShotSettings,
    hints: str,
    tools: MaskTools,
    progress: Progress,
    checkpoint: Path | None = None,
) -> tuple[Mattes, str]:
    """The mattes with all that was left open, and what the hints say of the scene without the object (or "").

    hints: a hints file's text, or "". A finished quadmask replaces all of this. checkpoint: a folder in which is kept
    what was answered. Raises BadMask for unpainted frames that nobody can carry the roto to and for a roto that is
    wrong, BadHints, CannotReason where hints are required, OSError where the answer can't be kept.
    """
    if mattes.quadmask:
        return mattes, ""
    mattes = replace(mattes, grow=settings.grow)
    assert mattes.roto is not None
    if unpainted(shot.frames, [mattes.roto.paths]):
        mattes = replace(mattes, carried=_carried(mattes, shot, tools, progress))
    found = _hints(mattes, shot, settings, hints, tools, progress, checkpoint)
    if found is None:
        return mattes, ""
    rows, cols = grid_shape(shot.window.height, shot.window.width)
    return replace(mattes, regions=regions(found, shot.frames, rows, cols, settings.grow)), found.scene


def _carried(mattes: Mattes, shot: Shot, tools: MaskTools, progress: Progress) -> dict[int, Mask]:
    """What is to go on the frames that aren't painted for every object, bool [H, W] of the clip's size each."""
    assert mattes.roto is not None
    assert tools.propagator is not None, "refuse_early"
    by_object: dict[str, dict[int, Mask]] = {}
    for frame in mattes.roto.paths:
        for name, matte in mattes.objects(frame, shot.window).items():
            by_object.setdefault(name, {})[frame - shot.frames.start] = _at_clip_size(matte, shot)
    progress.step("masking", 0, len(shot.frames))  # the time left counts from here
    result = tools.propagator.carry(
        shot.clip, list(by_object.values()), lambda done, total: progress.step("masking", done, total)
    )
    progress.notice(
        f"the roto {mattes.roto.name} is painted on {len(mattes.roto.paths)} of {len(shot.frames)} frames; SAM 2 "
        "carried it to the others"
    )
    indices = unpainted(range(len(shot.frames)), list(by_object.values()))
    return {shot.frames[index]: result[index] for index in indices}


def _at_clip_size(matte: Mask, shot: Shot) -> Mask:
    """A matte [h, w] at the clip's size; what is smaller than half a pixel there keeps its fullest pixel."""
    height, width = shot.clip.shape[1:3]
    covered = shrink(matte.astype(np.float32), width, height)
    return np.asarray((covered > 0) & (covered >= min(0.5, float(covered.max()))))


def _hints(
    mattes: Mattes,
    shot: Shot,
    settings: ShotSettings,
    text: str,
    tools: MaskTools,
    progress: Progress,
    checkpoint: Path | None,
) -> Hints | None:
    """The hints given, or those of whom the server may ask; None for a shot without."""
    grid = grid_shape(shot.window.height, shot.window.width)
    if text:
        return read_hints(text.encode(), HINTS_FILE, shot.frames, grid)
    if settings.ask == "never":
        return None
    found: Hints | None
    try:
        found = _asked(mattes, shot, settings.subject, grid, tools, progress)
    except CannotReason as error:
        if settings.ask == "require":
            raise
        asked, found = Asked("", f"no hints: {error}. The painted mattes alone were used"), None
    else:
        asked = Asked(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
    asked.keep(checkpoint)
    tell(asked, progress)
    return found


def tell(asked: Asked, progress: Progress) -> None:
    """Pass on what came of asking."""
    if asked.hints:
        progress.hints(asked.hints)
    if asked.notice:
        progress.notice(asked.notice)


def _asked(
    mattes: Mattes, shot: Shot, subject: str, grid: tuple[int, int], tools: MaskTools, progress: Progress
) -> Hints:
    if tools.reasoner is None or tools.answers is None:
        raise CannotReason(NOBODY)
    primary = np.stack([_primary(mattes, frame, shot) for frame in shot.frames])
    question = Question(gather_evidence(shot.clip, primary, shot.frames, grid), shot.frames, grid, subject)
    asking = functools.partial(ask_with_cache, tools.reasoner, question, tools.answers)
    return _patiently(asking, lambda: progress.step("masking", 0, 0))


def _patiently(ask: Callable[[], Hints], wait: Callable[[], None]) -> Hints:
    """What `ask` returns or raises; `wait` is called meanwhile, and what it raises (a job cancelled) ends the wait."""
    answer: Future[Hints] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:  # noqa: BLE001  raised again where it is waited for
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    while True:
        try:
            return answer.result(timeout=ASKED_EVERY)
        except TimeoutError:
            if answer.done():
                raise
            wait()


def _primary(mattes: Mattes, frame: int, shot: Shot) -> Mask:
    """What is to go on a frame, at the clip's size."""
    if frame in mattes.carried:
        return mattes.carried[frame]
    return _at_clip_size(mattes.primary(frame, shot.window), shot)
