"""What the panel's buttons do, by way of press.py."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import nuke
from void_client.bake import Bake
from void_client.bundle import commands
from void_client.client import Client
from void_client.errors import BadInput, ServerUnreachable, VoidError

from . import farm, server
from .background import begin, running
from .bake import unfinished_like
from .diagnostics import report
from .node import ensure_identity, server_of, set_status, unrecorded, value
from .result import make_read, shown_version, versions_of
from .snapshot import Snapshot, take


def bake(node: nuke.Group) -> None:
    """Bake the node, or go on with a bake that was interrupted."""
    _begin(node, "plate")


def build_quadmask(node: nuke.Group) -> None:
    """Build the quadmask alone."""
    _begin(node, "quadmask")


def _begin(node: nuke.Group, result: str) -> None:
    if running(ensure_identity(node)):
        raise BadInput(f"{node.name()} is being baked: wait for it, or press Cancel first")
    snapshot = take(node)
    address, command = server_of(node)
    unfinished = _resumable(snapshot, result, address)
    set_status(node, f"looking for the server at {address}")
    begin(snapshot.identity, address, command, unfinished=unfinished, result=result)


def _resumable(snapshot: Snapshot, result: str, address: str) -> Bake | None:
    """The interrupted bake to go on with; one that was of something else is given up, if the artist agrees."""
    unfinished, reason = unfinished_like(snapshot, result)
    if unfinished and reason:
        name = unfinished.folder.name
        if nuke.ask(f"VOID: {name} is unfinished, and {reason} since. Give {name} up and bake as it is now?"):
            _give_up(unfinished, address)
            return None
    return unfinished


def cancel(node: nuke.Group) -> None:
    """Cancel the node's bake; one that nobody follows is given up."""
    thread = running(str(value(node, "void_id")))
    if thread:
        thread.panel.cancel()
        set_status(node, "cancelling")
        return
    versions = versions_of(node)
    folders = versions.unfinished() if versions else []
    if not folders:
        raise BadInput(f"nothing of {node.name()} is being baked")
    address, _ = server_of(node)
    for folder in folders:
        _give_up(Bake.read(folder), address)
    set_status(node, f"{', '.join(folder.name for folder in folders)} given up")


def _give_up(bake: Bake, address: str) -> None:
    """Remove an unfinished bake, here and from the server, which would keep its result for us."""
    threading.Thread(target=_cancel_jobs, args=(address, list(bake.ids.values())), daemon=True).start()
    bake.discard()


def _cancel_jobs(address: str, jobs: list[str]) -> None:
    """Tell the server, if it is there and knows them."""
    for job in jobs:
        try:
            with Client(address) as client:
                client.cancel(job)
        except VoidError:
            continue


def export_read(node: nuke.Group) -> None:
    """Make a Read of the shown version."""
    version = shown_version(node)
    if version is None:
        raise BadInput(f"{node.name()} shows no version of its own yet: bake it, or choose one on the Output tab")
    make_read(node, version, f"{node.name()}_{version.name}")


def check_server(node: nuke.Group) -> None:
    """Ask the server how it is, beside the main thread."""
    address, _ = server_of(node)
    _beside(lambda: server.in_words(address, server.ask_status(address)))


def start_server(node: nuke.Group) -> None:
    """Start a server, unless one answers."""
    address, command = server_of(node)

    def start() -> str:
        try:
            return server.in_words(address, server.ask_status(address))
        except ServerUnreachable:
            process = server.start(command)
        status = server.wait_until_ready(address, process, waiting=lambda seconds: None, cancelled=lambda: False)
        return server.in_words(address, status)

    question = f"VOID: start a server at {address}? Its weights take a while; you will be told when it is ready."
    if nuke.ask(f"{question}\n\n{' '.join(command)}"):
        _beside(start)


def _beside(work: Callable[[], str]) -> None:
    """Do something that may take a while in a thread, and say what came of it."""

    def run() -> None:
        try:
            text = work()
        except VoidError as error:
            text = str(error)
        nuke.executeInMainThread(nuke.message, args=(f"VOID: {text}",))

    threading.Thread(target=run, daemon=True).start()


def submit_farm(node: nuke.Group) -> None:
    """Write the bake's bundle, and hand it to the farm by the studio's command, if there is one."""
    snapshot = take(node)
    if nuke.modified():
        raise BadInput("the farm reads the script from disk: save it, then submit")
    script, asked = snapshot.facts["script"], farm.asked_command()
    if asked and "{bundle}" not in asked:  # one that has its own way to bake a node
        command = farm.command(script, snapshot.node, snapshot.frames, None)
        _beside(lambda: farm.submit(command))
        return
    folder = farm.bundle_folder(snapshot)
    command = farm.command(script, snapshot.node, snapshot.frames, folder)
    farm.write_bundle([node], folder)
    set_status(node, f"handed over in {folder.name}")
    if asked:
        _beside(lambda: _sent(command, folder))
    else:
        nuke.message(
            f"VOID: the farm's job is in {folder}. To send it, or to try it on this machine:\n\n{commands(folder)}"
        )


def _sent(command: list[str], folder: Path) -> str:
    """What the farm says to a bundle. Raises BadInput, which names the bundle too: it can be sent by hand."""
    try:
        return farm.submit(command)
    except BadInput as error:
        raise BadInput(f"{error}. The job is in {folder}, and can be sent again:\n\n{commands(folder)}") from error


def diagnose(node: nuke.Group) -> None:
    """Write down what a TD needs to know."""
    address, command = server_of(node)
    before = report(node, address, command)

    def asked() -> None:
        try:
            answer = server.in_words(address, server.ask_status(address))
        except VoidError as error:
            answer = str(error)
        nuke.executeInMainThread(_write_diagnostics, args=(node, f"{before}\nserver says: {answer}"))

    _write_diagnostics(node, f"{before}\nserver says: (asking)")
    threading.Thread(target=asked, daemon=True).start()


def _write_diagnostics(node: nuke.Group, text: str) -> None:
    with unrecorded(unmodified=True):
        node["diagnostics"].setValue(text)
