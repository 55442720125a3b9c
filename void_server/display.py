"""Progress for people: a live line in a terminal, a line a stage elsewhere (farm logs). On stderr, always."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from void_client.progress import PASSES, silence_in_words

STAGES = {
    "receiving": "sending frames",
    "queued": "waiting for the server",
    "masking": "reading plate and roto",
    "pass1": "pass 1",
    "warping": "warping noise",
    "pass2": "pass 2",
    "finishing": "writing frames",
}


def time_left(seconds: float | None) -> str:
    """`about 1:05 left`, or nothing where it is not known."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"about {minutes}:{rest:02d} left"


def bars(console: Console, width: int) -> Progress:
    """Bars with steps, time gone and, in the field `left`, time left; none outside a terminal.

    width: characters for what a bar is of.
    """
    return Progress(
        TextColumn(f"{{task.description:<{width}}}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        console=console,
        disable=not console.is_terminal,
    )


class Display:
    """Shows a job's `state` messages until it is closed."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live = self._console.is_terminal
        self._progress = bars(self._console, width=24)
        self._stage = ""
        self._notices = 0
        self._shown: tuple[str, int] | None = None  # stage with its part, step
        self._message = ""
        self._silent = False
        self._task = self._progress.add_task("", total=1, left="")

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, state: dict[str, Any]) -> None:
        """Take a `state` message; its notices are said as they come."""
        for notice in state["notices"][self._notices :]:
            self.say(f"note: {notice}")
        self._notices = len(state["notices"])
        stage = state["state"]
        name = _in_words(state)
        if state["message"] and stage in STAGES and state["message"] != self._message:
            self._message = state["message"]
            self.say(self._message)
        if stage not in STAGES or self._shown == (name, state["step"]):
            return
        self._shown = (name, state["step"])
        self._silent = False
        if name != self._stage:
            self._stage = name
            if self._live:
                self._progress.reset(self._task, description=name, total=max(1, state["steps"]))
            else:
                print(f"void: {name}", file=sys.stderr, flush=True)
        left = time_left(state["eta"])
        self._progress.update(self._task, completed=state["step"], total=max(1, state["steps"]), left=left)
        if not self._live and worth_a_line(state["step"], state["steps"]):
            print(f"void: {name} {state['step']}/{state['steps']} {left}".rstrip(), file=sys.stderr, flush=True)

    def show_silence(self, seconds: float) -> None:
        """Tell once of a server that has said nothing for so long."""
        if not self._silent:
            self._silent = True
            self._shown = None
            self.say(silence_in_words(seconds))

    def say(self, text: str) -> None:
        """A sentence beside the progress."""
        self._console.print(f"void: {text}", highlight=False, markup=False, soft_wrap=True)


def _in_words(state: dict[str, Any]) -> str:
    """The stage, and of which part it is where the model runs several times."""
    words = STAGES.get(state["state"], "")
    several = state.get("parts", 1) > 1 and state["state"] in PASSES
    return f"{words}, part {state['part']} of {state['parts']}" if several else words


def worth_a_line(step: int, steps: int) -> bool:
    """Ten lines a stage, at most."""
    return step > 0 and (step == steps or step * 10 // steps > (step - 1) * 10 // steps)
