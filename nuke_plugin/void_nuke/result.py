"""The result in the comp: the Read inside the node, the versions to choose from, the badge when it is out of date."""

from __future__ import annotations

import json

import nuke
from void_client.errors import VoidError

from .fingerprint import difference, fingerprint
from .node import RESULT, child, set_badge, set_status, unrecorded, value
from .snapshot import results_root
from .versions import Version, Versions


def versions_of(node: nuke.Group) -> Versions | None:
    """The node's results on disk; None for a node, or a script, that has no place for them yet."""
    identity = str(value(node, "void_id"))
    try:
        return Versions(results_root(node), identity) if identity else None
    except VoidError:
        return None


def shown_version(node: nuke.Group) -> Version | None:
    """The version the node shows, if it is its own and is still on disk."""
    versions = versions_of(node)
    return versions.find(str(value(node, "version"))) if versions else None


def show_version(node: nuke.Group, version: Version) -> None:
    """Point the Read inside the node at a version; no entry in the artist's undo list."""
    with unrecorded():
        _list_versions(node, version.name)
        read = child(node, RESULT)
        _read_into(read, version)
        for outside in ("before", "after"):
            read[outside].setValue("black")
        node["void_baked"].setValue(True)
        node["void_made_from"].setValue(json.dumps(version.manifest.get("fingerprint", {})))
    notes = "".join(f". {notice}" for notice in version.manifest["notices"])
    set_status(node, f"{version.name}: frames {version.frames}{notes}")
    refresh_badge(node)


def choose_version(node: nuke.Group) -> None:
    """Show what the dropdown says."""
    version = shown_version(node)
    if version:
        show_version(node, version)


def refresh_versions(node: nuke.Group) -> None:
    """List what is on disk now."""
    with unrecorded(unmodified=True):
        _list_versions(node, str(value(node, "version")))


def _list_versions(node: nuke.Group, current: str) -> None:
    """Newest first. A current version that is not on disk (a copied node's) stays in the list."""
    versions = versions_of(node)
    names = [version.name for version in versions.whole()] if versions else []
    knob = node["version"]
    assert isinstance(knob, nuke.Enumeration_Knob)
    if current not in names:
        names.insert(0, current)
    if list(knob.values()) != names:
        knob.setValues(names)
    if knob.value() != current:
        knob.setValue(current)


def _read_into(read: nuke.Node, version: Version) -> None:
    """A Read of a version, its range hard-coded so that nothing on disk can change it."""
    frames = version.frames
    for name, setting in {
        "file": version.file,
        "first": frames.first,
        "last": frames.last,
        "origfirst": frames.first,
        "origlast": frames.last,
        "raw": True,
        "on_error": "error",
    }.items():
        read[name].setValue(setting)


def make_read(node: nuke.Group, version: Version, name: str) -> nuke.Node:
    """A Read of a version beside the node, in the same group; the artist can undo it."""
    with node.parent():
        read = nuke.createNode("Read", inpanel=False)
    read.setInput(0, None)
    read.setName(name, uncollide=True)
    read.setXYpos(node.xpos() + 120, node.ypos())
    _read_into(read, version)
    return read


def show_quadmask(node: nuke.Group, version: Version) -> None:
    """Put a built quadmask beside the node as a Read that can be painted over."""
    read = make_read(node, version, f"{node.name()}_quadmask")
    set_status(
        node,
        f"{version.name} is in {read.name()}: look at it with VOID_QuadmaskView, paint it over with a RotoPaint, pipe "
        "it into quadmask",
    )


def refresh_badge(node: nuke.Group, *, files: bool = True) -> None:
    """Say on the node which version it shows and whether it is out of date, and why. `files`: look at the disk too."""
    if not value(node, "void_baked"):
        set_badge(node, "")
        return
    made_from = json.loads(value(node, "void_made_from") or "{}")
    reason = difference(made_from, fingerprint(node, files=files))
    name = value(node, "version")
    set_badge(node, f"{name} out of date: {reason}" if reason else name)
