"""How a batch goes, on stderr: a bar for all and one for each shot in a terminal, a line a stage elsewhere."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import TaskID
from void_client.progress import silence_in_words

from void_server.display import STAGES, bars, time_left


class BatchDisplay:
    """Shows the `state` messages of several shots; may be told from several threads."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress = bars(self._console, width=40)
        self._lock = threading.Lock()
        self._all: TaskID | None = None
        self._bars: dict[str, TaskID] = {}
        self._stages: dict[str, str] = {}
        self._silent: set[str] = set()
        self._notices: set[str] = set()

    def __enter__(self) -> BatchDisplay:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def expect(self, shots: int) -> None:
        """Tell how many shots there are to do."""
        self._all = self._progress.add_task("all shots", total=shots, left="")

    def begin(self, name: str, words: str) -> None:
        """A shot has been submitted."""
        with self._lock:
            self._bars[name] = self._progress.add_task(name, total=1, left="")
        self.say(f"{name}: {words}")

    def show(self, name: str, state: dict[str, Any]) -> None:
        """Take a shot's `state` message. A notice that several shots have is said once; the report has it for each."""
        with self._lock:
            self._silent.discard(name)
            fresh = [text for text in state["notices"] if text not in self._notices]
            self._notices.update(fresh)
            stage = state["state"]
            new = stage in STAGES and self._stages.get(name) != stage
            if new:
                self._stages[name] = stage
        for text in fresh:
            self.say(f"{name}: note: {text}")
        if new and not self._console.is_terminal:
            self.say(f"{name}: {STAGES[stage]}")
        if stage in STAGES and name in self._bars:
            self._progress.update(
                self._bars[name],
                description=f"{name}: {STAGES[stage]}",
                completed=state["step"],
                total=max(1, state["steps"]),
                left=time_left(state["eta"]),
            )

    def show_silence(self, name: str, seconds: float) -> None:
        """Tell once of a server that has said nothing of a shot for so long."""
        with self._lock:
            told = name in self._silent
            self._silent.add(name)
        if not told:
            self.say(f"{name}: {silence_in_words(seconds)}")

    def end(self, name: str) -> None:
        """A shot has ended, one way or another."""
        with self._lock:
            bar = self._bars.pop(name, None)
        if bar is not None:
            self._progress.remove_task(bar)
        if self._all is not None:
            self._progress.advance(self._all)

    def say(self, text: str) -> None:
        """A sentence beside the progress."""
        self._console.print(f"void: {text}", highlight=False, markup=False, soft_wrap=True)
