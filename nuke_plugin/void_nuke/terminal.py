"""`nuke -t void_bake.py shot.nk`: bakes without a GUI, one node after the other, and says so by its exit status."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import nuke
from void_client.errors import BadInput, VoidError

from .bake import Baking, unfinished_like
from .node import is_void, server_of, value, void_nodes
from .snapshot import take

T = TypeVar("T")


class Terminal:
    """A bake's surroundings on a farm: progress on stderr, no questions, Ctrl-C cancels."""

    def __init__(self) -> None:
        self._said = ""
        self._cancel = threading.Event()

    def on_main(self, call: Callable[[], T]) -> T:
        return call()

    def ask(self, question: str) -> bool:
        return False

    def progress(self, text: str, percent: int) -> None:
        line = f"{percent:3d} % {text}"
        if line != self._said:
            print(line, file=sys.stderr, flush=True)
            self._said = line

    def note(self, identity: str, text: str) -> None:
        print(f"note: {text}", file=sys.stderr, flush=True)

    def cancelled(self) -> bool:
        return self._cancel.is_set()

    def cancel(self, *_: object) -> None:
        """The first Ctrl-C; the second interrupts as usual."""
        self._cancel.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)


def main(arguments: list[str]) -> int:
    """Bake, and return the exit status: 0 done, 1 failed, 2 bad usage or input, 130 cancelled."""
    options = _parser().parse_args(arguments)
    terminal = Terminal()
    signal.signal(signal.SIGINT, terminal.cancel)
    signal.signal(signal.SIGTERM, terminal.cancel)
    try:
        open_script(options.script)
        for node in chosen(options.node):
            print(_bake(node, options, terminal), flush=True)
        if options.save:
            nuke.scriptSaveAs(options.save if isinstance(options.save, str) else options.script, overwrite=1)
    except VoidError as error:
        print(f"void: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nuke -t void_bake.py",
        description="Bake the VOID nodes of a script. Prints each result's folder; progress goes to stderr. "
        "Exit status: 0 done, 1 failed, 2 bad usage or bad input, 130 cancelled. A bake that was interrupted is "
        "continued.",
    )
    parser.add_argument("script", help="the .nk file")
    parser.add_argument("--node", action="append", default=[], help="a VOID node's full name; else every enabled one")
    parser.add_argument("--quadmask", action="store_true", help="build the quadmask alone")
    parser.add_argument(
        "--start-server", action="store_true", help="if no server answers, start one by VOID_SERVE_COMMAND"
    )
    parser.add_argument(
        "--save",
        nargs="?",
        const=True,
        metavar="FILE",
        help="save the script, so that it shows the result: over itself, or as FILE. Without it the script stays as it "
        "is, and lists the new version when it is opened",
    )
    return parser


def open_script(script: str) -> None:
    """Open a script. Raises BadInput."""
    path = Path(script).absolute()
    if not path.is_file():
        raise BadInput(f"there is no script {path}: check the path")
    try:
        nuke.scriptOpen(path.as_posix())
    except RuntimeError as error:
        raise BadInput(f"{path} can't be opened ({error}): open it in Nuke and mend it") from error


def chosen(names: list[str]) -> list[nuke.Group]:
    """The nodes to bake, upstream ones first as the script has them. Raises BadInput."""
    nodes = void_nodes()
    if not names:
        enabled = [node for node in nodes if not value(node, "disable")]
        if not enabled:
            raise BadInput("the script has no enabled VOID node: nothing to bake")
        return enabled
    found = []
    for name in names:
        node = nuke.toNode(name)
        if not (isinstance(node, nuke.Group) and is_void(node)):
            there = ", ".join(node.fullName() for node in nodes) or "none"
            raise BadInput(f"the script has no VOID node '{name}'; there is: {there}")
        found.append(node)
    return found


def _bake(node: nuke.Group, options: argparse.Namespace, terminal: Terminal) -> Path:
    result = "quadmask" if options.quadmask else "plate"
    snapshot = take(node)
    unfinished, reason = unfinished_like(snapshot, result)
    if unfinished and reason:
        print(f"{unfinished.folder.name} is left unfinished: {reason} since", file=sys.stderr)
        unfinished = None
    address, command = server_of(node)
    return Baking(
        snapshot.identity,
        address,
        terminal,
        command,
        unfinished,
        result,
        may_start=options.start_server,
        priority="batch",
    ).run()
