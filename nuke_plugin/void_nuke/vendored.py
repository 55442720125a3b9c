"""Where `import zmq` and `import msgpack` find what came with the plugin. Imports neither them nor nuke."""

from __future__ import annotations

import importlib.util
import platform
import sys
from pathlib import Path
from typing import NamedTuple

PACKAGES = ("zmq", "msgpack")
VENDOR = Path(__file__).absolute().parent.parent / "vendor"
SYSTEMS = {"linux": "linux", "win32": "windows", "darwin": "macos"}
MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}


class Choice(NamedTuple):
    """What `add_to_path` did: the folder now on sys.path (None: nothing was added) and a sentence for diagnostics."""

    folder: Path | None
    reason: str


class NotVendored(Exception):
    """Neither the plugin nor this Python has pyzmq and msgpack for this Nuke."""

    def __init__(self, vendor: Path, wanted: str) -> None:
        there = sorted(folder.name for folder in vendor.glob("py*") if folder.is_dir())
        python, system = wanted[2:].split("-", 1)
        super().__init__(
            f"this Nuke needs pyzmq and msgpack in {vendor / wanted}, which is missing "
            f"(there: {', '.join(there) or 'none'}), and Python finds none of its own. Unpack a zip of the plugin that "
            "has them; in a checkout of the project, `make plugin` builds one for all the usual Nukes, and `python -m "
            f"tools.plugin_zip --python {python[0]}.{python[1:]} --platform {system}` one for this"
        )


def folder_name(version: tuple[int, int], system: str, machine: str) -> str:
    """One Nuke's folder, say `py39-linux-x86_64`: from sys.version_info[:2], sys.platform, platform.machine()."""
    place = SYSTEMS.get(system, system)
    return f"py{version[0]}{version[1]}-{place}-{MACHINES.get(machine.lower(), machine.lower())}"


def add_to_path(vendor: Path = VENDOR) -> Choice:
    """Put this Nuke's vendored packages at the front of sys.path.

    At the front, so that every machine runs the versions that were tested, whatever a pipeline has on PYTHONPATH. A
    package that somebody has imported already stays as it is: two copies of libzmq in one process help nobody. Where
    the plugin has no folder for this Nuke, a pyzmq and msgpack of the studio's own will do.

    Raises NotVendored where there is neither.
    """
    imported = [name for name in PACKAGES if name in sys.modules]
    if len(imported) == len(PACKAGES):
        return Choice(None, f"{' and '.join(PACKAGES)} had been imported before the plugin came")
    wanted = folder_name(sys.version_info[:2], sys.platform, platform.machine())
    folder = vendor / wanted
    if folder.is_dir():
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
        but = f"; {imported[0]} had been imported before the plugin came" if imported else ""
        return Choice(folder, f"the plugin's own packages in {folder}{but}")
    if all(name in imported or importlib.util.find_spec(name) for name in PACKAGES):
        return Choice(None, f"there is no {folder}; Python found packages of its own")
    raise NotVendored(vendor, wanted)
