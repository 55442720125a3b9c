"""The VOID node as the plugin sees it: a Group with the knobs and children of gizmos/VOID.gizmo."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import nuke
from void_client.errors import BadInput

from . import server

# The child that renders each of the group's inputs, in the order of those inputs.
WRITES = {"plate": "WritePlate", "roto": "WriteRoto", "affected": "WriteAffected", "quadmask": "WriteQuadmask"}
RESULT = "Result"

# Knobs that nodes of older scripts do not have yet, and what the server does without being told.
LATER = {"real_pixels": True, "grain": 1.0, "patch": False}


def is_void(node: nuke.Node) -> bool:
    """Whether a node is one of ours, wherever it came from and whatever it is called."""
    return node.Class() == "Group" and node.knob("void_version") is not None


def void_nodes() -> list[nuke.Group]:
    """Every VOID node of the script, those in other groups included."""
    groups = nuke.allNodes("Group", nuke.root(), recurseGroups=True)
    return [node for node in groups if isinstance(node, nuke.Group) and is_void(node)]


def by_identity(identity: str) -> nuke.Group | None:
    """The node of that identity, if it is in the script that is open."""
    return next((node for node in void_nodes() if value(node, "void_id") == identity), None)


def child(node: nuke.Group, name: str) -> nuke.Node:
    """A node inside the group. Raises BadInput where somebody took it out."""
    found = node.node(name)
    if found is None:
        raise BadInput(f"{node.fullName()} has no {name} inside any more: create a new VOID node in its place")
    return found


def value(node: nuke.Node, name: str) -> Any:
    """A knob's value; its default where the node is older than a knob of LATER. Raises BadInput if it is gone."""
    knob = node.knob(name)
    if knob is None and name in LATER:
        return LATER[name]
    if knob is None:
        raise BadInput(f"{node.fullName()} has no knob '{name}': create a new VOID node in its place")
    return knob.value()


def asked_range(node: nuke.Group) -> tuple[int, int] | None:
    """First and last frame that the panel asks for; None where they are the plate's and none is connected."""
    kind = value(node, "range")
    if kind == "global":
        return int(value(nuke.root(), "first_frame")), int(value(nuke.root(), "last_frame"))
    if kind == "custom":
        return int(value(node, "first")), int(value(node, "last"))
    plate = node.input(0)
    return None if plate is None else (plate.firstFrame(), plate.lastFrame())


def server_of(node: nuke.Node) -> tuple[str, list[str]]:
    """The server's address and the command that starts one, as the Server tab and the environment say."""
    address = server.address_or_default(str(value(node, "server")))
    return address, server.command_or_default(str(value(node, "serve_command")), address)


@contextmanager
def unrecorded(*, unmodified: bool = False) -> Iterator[None]:
    """Change knobs outside the artist's undo list; with `unmodified` the script does not count as changed either."""
    was_modified = nuke.modified()
    nuke.Undo.disable()
    try:
        yield
    finally:
        nuke.Undo.enable()
        if unmodified:
            nuke.modified(was_modified)


def ensure_identity(node: nuke.Group) -> str:
    """The node's identity; a copy, which has its original's, gets one of its own."""
    identity = str(value(node, "void_id"))
    others = (other for other in void_nodes() if other.fullName() != node.fullName())
    if identity and all(value(other, "void_id") != identity for other in others):
        return identity
    fresh = uuid.uuid4().hex[:12]
    with unrecorded():
        node["void_id"].setValue(fresh)
        node["void_job"].setValue("")
    return fresh


def set_status(node: nuke.Group, text: str) -> None:
    """What the panel says; no edit of the artist's."""
    with unrecorded(unmodified=True):
        node["status"].setValue(text)


def set_badge(node: nuke.Group, text: str) -> None:
    """What the node's label says; no edit of the artist's."""
    if value(node, "void_badge") != text:
        with unrecorded(unmodified=True):
            node["void_badge"].setValue(text)
