"""What a TD needs to know of a node, as text to be copied into a ticket. No secrets, nothing of the pictures."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable

import nuke
from void_client import __version__, protocol
from void_client.errors import VoidError

from . import farm, server
from .colour import management, working_space
from .node import value
from .result import versions_of
from .snapshot import connected_inputs, frame_range


def report(node: nuke.Group, address: str, command: list[str]) -> str:
    """All that can be said without asking the server."""
    versions = versions_of(node)
    lines = {
        "plugin": f"{__version__}, wire {protocol.VERSION}",
        "nuke": f"{nuke.NUKE_VERSION_STRING}, Python {platform.python_version()}, {platform.platform()}",
        "zmq": _where("zmq"),
        "msgpack": _where("msgpack"),
        "script": nuke.root().name(),
        "node": f"{node.fullName()}, identity {value(node, 'void_id') or 'none yet'}",
        "inputs": _or_error(lambda: _inputs(node)),
        "frames": _or_error(lambda: str(frame_range(node))),
        "colour": ", ".join(f"{name} {text}" for name, text in management().items() if text),
        "working space": _or_error(lambda: working_space()["name"]),
        "results": str(versions.folder) if versions else "no folder yet (the script has no name, or nothing was baked)",
        "versions": ", ".join(version.name for version in versions.whole()) if versions else "",
        "unfinished": ", ".join(folder.name for folder in versions.unfinished()) if versions else "",
        "last job": value(node, "void_job"),
        "status": value(node, "status"),
        "address": address,
        "starts with": " ".join(command),
        **{name: os.environ.get(name, "not set") for name in (server.ADDRESS_VARIABLE, server.COMMAND_VARIABLE)},
        farm.VARIABLE: "set" if os.environ.get(farm.VARIABLE) else "not set",
    }
    return "\n".join(f"{name}: {text}" for name, text in lines.items())


def _inputs(node: nuke.Group) -> str:
    return ", ".join(f"{name}: {above.name()}" for name, above in connected_inputs(node).items())


def _where(module: str) -> str:
    found = sys.modules.get(module)
    version = getattr(found, "__version__", None) or getattr(found, "version", "")
    return f"{version} from {getattr(found, '__file__', 'nowhere')}"


def _or_error(look: Callable[[], str]) -> str:
    try:
        return look()
    except VoidError as error:
        return str(error)
