"""Bakes that run beside Nuke: a thread each, found again by its name, so that no module keeps a list of them."""

from __future__ import annotations

import threading
import time
import traceback

import nuke
from void_client.bake import Bake
from void_client.errors import JobCancelled, ServerLost, ServerUnreachable, VoidError
from void_client.progress import duration

from .bake import Baking
from .inputs import RenderCancelled
from .node import by_identity, set_status
from .talk import Panel


class BakeThread(threading.Thread):
    """One bake in the GUI. A daemon: closing Nuke does not wait for it, and the job goes on in the server."""

    def __init__(self, identity: str, panel: Panel, baking: Baking) -> None:
        super().__init__(name=f"void bake {identity}", daemon=True)
        self.identity = identity
        self.panel = panel
        self._baking = baking

    def run(self) -> None:
        started = time.monotonic()
        try:
            folder = self._baking.run()
            self._say(f"{folder.name} is done, after {duration(time.monotonic() - started)}", status=False)
        except (JobCancelled, RenderCancelled):
            self._say("cancelled")
        except (ServerLost, ServerUnreachable) as error:
            self._say(f"{error}. Nothing is lost: press Bake to go on", aloud=not self.panel.quiet)
        except VoidError as error:
            self._say(str(error), aloud=True)
        except Exception as error:  # noqa: BLE001  a defect must not end in a dead thread that nobody hears of
            traceback.print_exc()
            text = f"{type(error).__name__}: {error}. The terminal has the details; please report it"
            self._say(text, aloud=True)

    def _say(self, text: str, *, status: bool = True, aloud: bool = False) -> None:
        nuke.executeInMainThread(_ended, args=(self, text, status, aloud))


def _ended(thread: BakeThread, text: str, status: bool, aloud: bool) -> None:
    """Tell the artist how it ended: in the panel, and aloud in a message. On the main thread."""
    thread.panel.close()
    node = by_identity(thread.identity)
    if node is not None and status:
        set_status(node, text)
    nuke.tprint(f"VOID: {text}")
    if aloud:
        nuke.message(f"VOID: {text}")


def running(identity: str) -> BakeThread | None:
    """The thread that bakes for this node, if there is one."""
    threads = [thread for thread in threading.enumerate() if isinstance(thread, BakeThread)]
    return next((thread for thread in threads if thread.identity == identity), None)


def begin(
    identity: str,
    address: str,
    serve: list[str],
    *,
    unfinished: Bake | None = None,
    result: str = "plate",
    quiet: bool = False,
) -> None:
    """Start a bake of the node as it is, or go on with an unfinished one, maybe of a Nuke that is gone."""
    panel = Panel(f"VOID: {unfinished.folder.name if unfinished else result}", quiet=quiet)
    baking = Baking(identity, address, panel, serve, unfinished, result)
    BakeThread(identity, panel, baking).start()
