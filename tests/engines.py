"""Stand-in engines for tests of the service: what they do is told by the prompt."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from void_server.engine import RemovalRequest
from void_server.model import OutOfMemory


class Dimmer:
    """Returns the clip at half its level.

    Where the environment's VOID_TEST_LOADS names a file with a number, it dies so many times while it loads.

    Prompt `slow`: 200 steps of 50 ms first. `until FILE`: steps until there is one. `quiet until FILE`: one step that
    takes so long. `crash`: the process dies; `crash once FILE`: if there is no such file yet. `defect`: an exception
    that nobody expects. `blurt`: one that quotes the keys of the environment. `memory`: there is too little. `hog`:
    takes two gibibytes, and has no end.
    """

    name = "dimmer"
    notice = "a stand-in for tests"

    def __init__(self, weights: Path | None) -> None:
        self.weights = weights
        deaths = Path(os.environ.get("VOID_TEST_LOADS", "/nonexistent"))
        if deaths.exists() and (left := int(deaths.read_text())) > 0:
            deaths.write_text(str(left - 1))
            os.kill(os.getpid(), signal.SIGKILL)

    def remove(self, request: RemovalRequest) -> npt.NDArray[np.float32]:
        if request.prompt == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        if request.prompt.startswith("crash once ") and not (file := Path(request.prompt[11:])).exists():
            file.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if request.prompt == "hog":
            held = np.ones(2 << 27, np.float64)
            while held.size:
                time.sleep(0.05)
        if request.prompt == "blurt":
            keys = [value for name, value in os.environ.items() if name in ("GEMINI_API_KEY", "VOID_REASONER_KEY")]
            request.progress.notice(f"the model saw {keys[0]}")
            request.progress.hints(json.dumps({"key": keys[1]}))
            raise RuntimeError(f"the request was ?key={keys[0]} with Authorization: Bearer {keys[1]}")
        if request.prompt == "defect":
            raise ZeroDivisionError("on purpose")
        if request.prompt == "memory":
            raise OutOfMemory("pass 1 ran out of memory; take a smaller window")
        if request.prompt.startswith("until "):
            while not Path(request.prompt[6:]).exists():
                time.sleep(0.05)
                request.progress.step("pass1", 1, 200)
        if request.prompt.startswith("quiet until "):
            request.progress.step("pass1", 1, 200)
            while not Path(request.prompt[12:]).exists():
                time.sleep(0.05)
        if request.prompt == "slow":
            for step in range(200):
                time.sleep(0.05)
                request.progress.step("pass1", step + 1, 200)
        return request.clip * np.float32(0.5)


class Warming(Dimmer):
    """Warms up: fails where the environment's VOID_TEST_WARM is `fail`, else until there is a file of that name."""

    def warm_up(self) -> None:
        if os.environ["VOID_TEST_WARM"] == "fail":
            raise RuntimeError("no kernel image")
        while not Path(os.environ["VOID_TEST_WARM"]).exists():
            time.sleep(0.05)


class Loader(Dimmer):
    """Loads for a minute."""

    def __init__(self, weights: Path | None) -> None:
        time.sleep(60)
        super().__init__(weights)
