"""Rendering what is piped into the node, by the Writes inside it. On the main thread; Nuke shows its own progress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import nuke
from void_client.bake import INPUTS, Bake
from void_client.errors import BadInput, VoidError

from .node import WRITES, child, unrecorded
from .snapshot import Snapshot
from .versions import file_text


class RenderCancelled(VoidError):
    """The artist stopped Nuke's own render of the inputs."""

    exit_code = 130


def render_inputs(node: nuke.Group, snapshot: Snapshot, bake: Bake) -> None:
    """Write every frame and view of the bake's inputs. Raises BadInput naming the input, RenderCancelled."""
    with _full_size():
        for name in bake.inputs:
            with _enabled(child(node, WRITES[name]), snapshot, name, bake) as write:
                _execute(write, name, bake)


def disable_writes(node: nuke.Group) -> None:
    """Put the Writes to rest, if a script was autosaved in the middle of a render: `nuke -x` runs every enabled one."""
    for name in WRITES.values():
        knob = child(node, name)["disable"]
        if not knob.value():
            with unrecorded():
                knob.setValue(True)


def _execute(write: nuke.Node, name: str, bake: Bake) -> None:
    whole = ((bake.frames.first, bake.frames.last),)
    painted = [(key, key) for key in bake.roto_keys or ()] if name == "roto" else []
    try:
        for first, last in painted or whole:
            nuke.execute(write, first, last, 1, views=list(bake.ids))
    except RuntimeError as error:
        if "cancel" in str(error).lower():
            raise RenderCancelled("the bake was cancelled while its inputs were rendered") from error
        raise BadInput(f"the {name} can't be rendered ({error}): mend it, then bake again") from error


@contextmanager
def _enabled(write: nuke.Node, snapshot: Snapshot, name: str, bake: Bake) -> Iterator[nuke.Node]:
    """The Write set up for one input, and put back as it was."""
    view = "%V/" if len(bake.ids) > 1 else ""
    wanted = {"file": f"{file_text(bake.folder / INPUTS)}/{view}{name}.%04d.exr", "disable": False}
    if name == "plate":
        wanted |= {"channels": snapshot.channels, "datatype": snapshot.datatype}
    before = {knob: write[knob].value() for knob in wanted}
    with unrecorded(unmodified=True):
        try:
            for knob, wish in wanted.items():
                write[knob].setValue(wish)
            yield write
        finally:
            for knob, was in before.items():
                write[knob].setValue(was)


@contextmanager
def _full_size() -> Iterator[None]:
    """Proxy off for as long as we render: a bake is of the real pixels."""
    root = nuke.root()
    proxy = bool(root["proxy"].value())
    with unrecorded(unmodified=True):
        try:
            root["proxy"].setValue(False)
            yield
        finally:
            root["proxy"].setValue(proxy)
