"""All state of one run of the fake: what stage.start() makes anew."""

from __future__ import annotations

import queue
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._group import Group, Root
    from ._knob import Knob
    from ._node import Node
    from ._progress import Bar
    from ._undo import Entry


@dataclass
class Session:
    """One running Nuke."""

    gui: bool = True
    root: Root = None
    groups: list[Group] = field(default_factory=list)
    this: list[tuple[Node | None, Knob | None]] = field(default_factory=list)
    callbacks: dict[str, list[Any]] = field(default_factory=dict)
    knob_defaults: dict[str, str] = field(default_factory=dict)
    plugin_path: list[str] = field(default_factory=list)
    clipboard: str = ""
    layout: str = ""
    messages: list[str] = field(default_factory=list)
    logged: list[tuple[str, str]] = field(default_factory=list)
    answers: list[bool] = field(default_factory=list)
    script_errors: list[str] = field(default_factory=list)
    older: frozenset[threading.Thread] = frozenset()  # threads of an earlier session: what they call is dropped
    calls: queue.Queue[Callable[[], None]] = field(default_factory=queue.Queue)
    tasks: list[Bar] = field(default_factory=list)
    undo_stack: list[Entry] = field(default_factory=list)
    redo_stack: list[Entry] = field(default_factory=list)
    undo_open: list[Entry] = field(default_factory=list)
    undo_disabled: int = 0
    in_knob_changed: list[Node] = field(default_factory=list)
    executing: bool = False
    cancel_execute: bool = False
    frame: float | None = None
    view: str | None = None
    menus: dict[str, Any] = field(default_factory=dict)
    formats: list[Any] = field(default_factory=list)
    loading: int = 0


_current: list[Session] = []


def session() -> Session:
    """The running one."""
    return _current[-1]


def begin(new: Session) -> None:
    """Make `new` the running one."""
    _current[:] = [new]


def record_error(where: str) -> None:
    """Keep and print the exception being handled, as Nuke does with those of scripts."""
    text = f"{where}: {traceback.format_exc()}"
    session().script_errors.append(text)
    print(text, file=sys.stderr)


def run_script(text: str, name: str) -> None:
    """Run Python of a knob or a menu: `nuke` is at hand, as it is in Nuke's __main__."""
    exec(compile(text, f"<{name}>", "exec"), {"__name__": "__main__", "nuke": sys.modules["nuke"]})


@contextmanager
def this(node: Node | None, knob: Knob | None = None) -> Iterator[None]:
    """nuke.thisNode() and nuke.thisKnob() for a while; the group in force is the node's parent."""
    now = session()
    now.this.append((node, knob))
    parent = node._parent if node is not None else None
    now.groups.append(parent or now.root)
    try:
        yield
    finally:
        now.groups.pop()
        now.this.pop()


@contextmanager
def at(frame: float | None = None, view: str | None = None) -> Iterator[None]:
    """Values are asked for at this frame and view for a while."""
    now = session()
    before = now.frame, now.view
    now.frame = before[0] if frame is None else frame
    now.view = before[1] if view is None else view
    try:
        yield
    finally:
        now.frame, now.view = before
