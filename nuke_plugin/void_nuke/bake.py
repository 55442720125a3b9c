"""A bake from button to result. `Baking.run` is the whole of it, read from top to bottom.

In the GUI it runs in a thread of its own, which talks to the server and comes back to the main thread for everything
that is Nuke's; in a terminal it runs where it is called.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import nuke
from void_client.bake import Bake, carry_out
from void_client.client import Message
from void_client.errors import BadInput, ServerUnreachable
from void_client.progress import percent, silence_in_words, stage_in_words

from . import server
from .fingerprint import difference
from .inputs import render_inputs
from .node import by_identity, set_status, unrecorded
from .result import show_quadmask, show_version
from .snapshot import Snapshot, take
from .talk import Talk
from .versions import Versions, read_version


@dataclass(frozen=True)
class Baking:
    """What is to be baked: a node as it is, or an unfinished bake that is taken up.

    `serve` is the command that starts a server; `may_start` whether it may be used without asking. `priority`: see Job.
    """

    identity: str
    address: str
    talk: Talk
    serve: list[str]
    unfinished: Bake | None = None
    result: str = "plate"
    may_start: bool = False
    priority: str = "interactive"

    def run(self) -> Path:
        """Bake, and return the folder of the result. Raises the errors of void_client."""
        self._need_server()
        reporting = Reporting(self.talk, self.identity)
        bake = self.unfinished or self.talk.on_main(self._render)
        carry_out(
            bake,
            self.address,
            on_state=functools.partial(reporting.on_state, list(bake.ids)),
            on_silence=reporting.on_silence,
            cancelled=self.talk.cancelled,
            priority=self.priority,
        )
        self.talk.on_main(lambda: self._show(bake))
        return bake.folder

    def _need_server(self) -> None:
        """Find the server, or offer to start one. Raises ServerUnreachable, BadInput, JobCancelled."""
        self.talk.progress(f"looking for the server at {self.address}", 0)
        try:
            server.ask_status(self.address)
        except ServerUnreachable as error:
            question = f"{error}\n\nStart one here now?\n\n{' '.join(self.serve)}"
            if not (self.may_start or self.talk.ask(question)):
                raise
            server.wait_until_ready(
                self.address,
                server.start(self.serve),
                waiting=lambda seconds: self.talk.progress(f"the server loads its weights ({seconds:.0f} s)", 0),
                cancelled=self.talk.cancelled,
            )

    def _render(self) -> Bake:
        """Render the inputs into the next version's folder. On the main thread.

        The snapshot is of this moment, not of the button's: waiting for a server may have taken minutes.
        """
        node = by_identity(self.identity)
        if node is None:
            raise BadInput("the VOID node is not in this script any more: nothing was baked")
        snapshot = take(node)
        set_status(node, "rendering its inputs")
        bake = new_bake(snapshot, self.result)
        try:
            render_inputs(node, snapshot, bake)
            bake.write()
        except BaseException:
            bake.discard()
            raise
        with unrecorded():
            node["void_job"].setValue(next(iter(bake.ids.values())))
        return bake

    def _show(self, bake: Bake) -> None:
        """Put the result into the comp, if its node is still there. On the main thread."""
        node = by_identity(self.identity)
        version = read_version(bake.folder)
        if node is None or version is None:
            nuke.tprint(f"VOID: {bake.folder.name} is finished in {bake.folder}; its node is not in this script")
        elif bake.result == "quadmask":
            show_quadmask(node, version)
        else:
            show_version(node, version)


class Reporting:
    """What a bake's jobs say, for whoever waits: the bar never falls back, and notices are shown as they come."""

    def __init__(self, talk: Talk, identity: str) -> None:
        self._talk = talk
        self._identity = identity
        self._percent = 0
        self._notices: list[str] = []

    def on_state(self, views: list[str], view: str, state: Message) -> None:
        """A view's job has come further, or is tried again from an earlier step: then the bar waits."""
        of_all = (100 * views.index(view) + percent(state)) // len(views)
        self._percent = max(self._percent, of_all)
        self._talk.progress(stage_in_words(state), self._percent)
        fresh = [notice for notice in state["notices"] if notice not in self._notices]
        if fresh:
            self._notices += fresh
            self._talk.note(self._identity, "baking. " + ". ".join(self._notices))

    def on_silence(self, seconds: float) -> None:
        """The server has said nothing for so long."""
        self._talk.progress(silence_in_words(seconds), self._percent)


def new_bake(snapshot: Snapshot, result: str, *, farm: str = "") -> Bake:
    """A bake of what was seen, into the next version's folder, which is made; nothing is rendered yet."""
    return Bake.new(
        Versions(snapshot.root, snapshot.identity).reserve(result),
        list(snapshot.views),
        frames=snapshot.frames,
        inputs=snapshot.inputs,
        result=result,
        prompt=snapshot.prompt,
        settings=snapshot.settings,
        label=snapshot.label,
        hints=snapshot.hints,
        roto_keys=snapshot.roto_keys,
        colour=snapshot.colour,
        facts=snapshot.facts,
        farm=farm,
    )


def unfinished_like(snapshot: Snapshot, result: str) -> tuple[Bake | None, str]:
    """The node's last unfinished bake of that kind, and why it is not what is asked for now (empty: it is)."""
    for folder in reversed(Versions(snapshot.root, snapshot.identity).unfinished()):
        bake = Bake.read(folder)
        if bake.result == result:
            return bake, difference(bake.facts["fingerprint"], snapshot.facts["fingerprint"])
    return None, ""
