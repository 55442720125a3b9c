"""Nuke runs this after init.py, and only with a GUI: the toolbar, and the callbacks that look after VOID nodes.

What fails is said in one line and never stops Nuke.
"""

from __future__ import annotations

import sys

import nuke


def _void_add_menu() -> None:
    menu = nuke.menu("Nodes").addMenu("VOID", icon="VOID.png")
    menu.addCommand("VOID", "nuke.createNode('VOID')", icon="VOID.png")
    menu.addCommand("Quadmask view", "nuke.createNode('VOID_QuadmaskView')")


def _void_install_events() -> None:
    from void_nuke import events

    events.install()


for _void_step in (_void_add_menu, _void_install_events):
    try:
        _void_step()
    except Exception as _void_error:  # noqa: BLE001 - whatever it is, Nuke must start
        print(f"VOID is not ready: {__file__}: {' '.join(str(_void_error).split())}", file=sys.stderr)
