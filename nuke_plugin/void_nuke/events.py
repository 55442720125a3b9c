"""What happens by itself in the GUI. Nuke calls back on load, paste and our own changes too: each one checks."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable

import nuke
from void_client.bake import Bake
from void_client.errors import VoidError

from .background import begin, running
from .fingerprint import SETTINGS
from .inputs import disable_writes
from .node import ensure_identity, is_void, server_of, set_status, value, void_nodes
from .result import choose_version, refresh_badge, refresh_versions, show_version, versions_of

BADGES_EVERY = 2.0  # seconds between two looks at what lies above every VOID node


def install() -> None:
    """Register the callbacks. Called once, by menu.py."""
    nuke.addOnCreate(_guarded(created), nodeClass="Group")
    nuke.addKnobChanged(_guarded(knob_changed), nodeClass="Group")
    nuke.addOnScriptLoad(_guarded(script_loaded))
    nuke.addUpdateUI(_guarded(BadgeWatch().look))


def _guarded(callback: Callable[[], None]) -> Callable[[], None]:
    """A callback that never disturbs Nuke: what goes wrong is printed."""

    def call() -> None:
        try:
            callback()
        except VoidError as error:
            nuke.tprint(f"VOID: {error}")
        except Exception:  # noqa: BLE001  an exception here would stop the loading of a script
            traceback.print_exc()

    return call


def created() -> None:
    """A node came by creation, paste or load: it has an identity of its own, and a copy gets a new one."""
    node = nuke.thisNode()
    if isinstance(node, nuke.Group) and is_void(node):
        ensure_identity(node)


def knob_changed() -> None:
    """The artist, or a script, has changed a VOID node's knob."""
    node, knob = nuke.thisNode(), nuke.thisKnob()
    if not (isinstance(node, nuke.Group) and is_void(node)):
        return
    name = knob.name()
    if name in ("version", "folder"):
        choose_version(node)
    elif name == "range" or name == "showPanel":
        custom = value(node, "range") == "custom"
        for end in ("first", "last"):
            node[end].setEnabled(custom)
    if name == "showPanel":
        refresh_versions(node)
    if name in SETTINGS or name in ("inputChange", "showPanel"):
        refresh_badge(node, files=name == "showPanel")


def script_loaded() -> None:
    """A script was opened: take up what was being baked, and say what is out of date."""
    for node in void_nodes():
        disable_writes(node)
        refresh_versions(node)
        _take_up(node)
        refresh_badge(node)


def _take_up(node: nuke.Group) -> None:
    """Follow the node's unfinished bake, or show the result that came while the script was closed."""
    versions = versions_of(node)
    if versions is None:
        return
    newest = next(iter(versions.whole()), None)
    if newest and newest.manifest["job"] == value(node, "void_job") and newest.name != value(node, "version"):
        show_version(node, newest)
    folders = versions.unfinished()
    identity = str(value(node, "void_id"))
    if folders and not running(identity):
        address, command = server_of(node)
        set_status(node, f"taking up {folders[-1].name}")
        begin(identity, address, command, unfinished=Bake.read(folders[-1]), quiet=True)


class BadgeWatch:
    """Keeps the badges true while the artist works upstream, a few times a minute and never from the disk."""

    def __init__(self) -> None:
        self._looked = 0.0

    def look(self) -> None:
        """Refresh every badge, unless that was done a moment ago."""
        if time.monotonic() - self._looked < BADGES_EVERY:
            return
        for node in void_nodes():
            refresh_badge(node, files=False)
        self._looked = time.monotonic()
