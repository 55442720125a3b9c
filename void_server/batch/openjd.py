"""A shot's progress as a task of Open Job Description tells it."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from void_client.openjd import say
from void_client.progress import percent, silence_in_words, stage_in_words
from void_client.protocol import ENDED


class FarmDisplay:
    """Shows a job's `state` messages to a farm: the display of `void run`, in other words."""

    def __init__(self, shot: str) -> None:
        self._shot = shot
        self._percent = 0
        self._notices = 0
        self._stage = ""
        self._silent = False

    def __enter__(self) -> FarmDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def show(self, state: dict[str, Any]) -> None:
        """Take a `state` message: a line where the percentage, the stage or the notices change."""
        self._silent = False
        for notice in state["notices"][self._notices :]:
            self.say(f"note: {notice}")
        self._notices = len(state["notices"])
        # Never backwards: a stage may count anew.
        stage, done = state["state"], max(self._percent, percent(state))
        if (stage, done) != (self._stage, self._percent) and stage not in ENDED:
            self._stage, self._percent = stage, done
            say("status", f"{self._shot}: {stage_in_words(state)}")
            say("progress", done)

    def show_silence(self, seconds: float) -> None:
        """Tell once of a server that has said nothing for so long."""
        if not self._silent:
            self._silent = True
            say("status", f"{self._shot}: {silence_in_words(seconds)}")

    def say(self, text: str) -> None:
        """A sentence in the task's log."""
        print(f"void: {text}", flush=True)
