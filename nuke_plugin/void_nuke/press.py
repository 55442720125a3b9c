"""Where the panel's buttons come in: errors become a message, never a traceback, also where a package is missing."""

from __future__ import annotations

import importlib
import traceback

import nuke
from void_client.errors import VoidError


def press(button: str) -> None:
    """Call a function of buttons.py with the node whose button was pressed."""
    try:
        node = nuke.thisNode()
        getattr(importlib.import_module("void_nuke.buttons"), button)(node)
    except VoidError as error:
        nuke.message(f"VOID: {error}")
    except ImportError as error:
        nuke.message(f"VOID: the plugin is not whole here ({error}). Ask your TD to install the zip made for this Nuke")
    except Exception as error:  # noqa: BLE001  an artist gets a sentence, the terminal the details
        traceback.print_exc()
        nuke.message(f"VOID: {type(error).__name__}: {error}. The terminal has the details; please report it")
