"""Nuke runs this at every start, in terminals and on the farm too: paths, nothing slow, no UI.

What fails is said in one line and never stops Nuke: a script with baked VOID nodes must render without the plugin.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nuke

# Nuke runs every init.py among the same names, so these are ours beyond doubt.
_VOID_FOLDER = Path(__file__).absolute().parent


def _void_add_gizmos() -> None:
    """The gizmos lie beside this file in the zip, and one folder up in a checkout."""
    folders = [_VOID_FOLDER / "gizmos", _VOID_FOLDER.parent / "gizmos"]
    found = [folder for folder in folders if folder.is_dir()]
    if not found:
        raise FileNotFoundError(f"there is no {folders[0]}: unpack the plugin's zip again, whole")
    nuke.pluginAddPath(found[0].as_posix(), addToSysPath=False)


def _void_add_packages() -> None:
    """The plugin's modules, and the pyzmq and msgpack that came with it. Imports neither of those two."""
    if str(_VOID_FOLDER) not in sys.path:
        sys.path.append(str(_VOID_FOLDER))
    from void_nuke import vendored

    vendored.add_to_path()


for _void_step in (_void_add_gizmos, _void_add_packages):
    try:
        _void_step()
    except Exception as _void_error:  # noqa: BLE001 - whatever it is, Nuke must start
        print(f"VOID is not ready: {__file__}: {' '.join(str(_void_error).split())}", file=sys.stderr)
