"""Jobs and clients for tests in which the server comes and goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from void_client.client import Client, Job
from void_client.follow import follow
from void_client.sequences import FileSequence, FrameRange

SETTINGS = {"height": 32, "width": 48, "window": 13, "overlap": 8, "passes": 1}
FRAMES = FrameRange(1001, 1006)


def make_job(shot: Path, prompt: str = "", **settings: Any) -> Job:
    """Six frames, 1001-1006."""
    inputs = {name: FileSequence(shot, f"{name}.%04d.exr") for name in ("plate", "roto")}
    return Job(FRAMES, inputs, prompt, {**SETTINGS, **settings}, "a test")


def take(client: Client, sent: Job, job_id: str, **options: Any) -> dict[int, bytes]:
    """Stay with a job to its end; its frames."""
    frames: dict[int, bytes] = {}
    follow(
        client, job_id, on_frame=lambda number, data, _: frames.__setitem__(number, data), inputs=sent.inputs, **options
    )
    return frames


def until(true: Callable[[], bool], what: str) -> None:
    """Wait for something, patiently: the machine may be busy."""
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline, f"{what}: waited in vain"
        time.sleep(0.05)


def state_of(client: Client, job_id: str) -> str:
    """A job's state, or nothing where the server has no such job."""
    return next((held["state"] for held in client.jobs() if held["job"] == job_id), "")


class Following(threading.Thread):
    """A client that stays with a job in a thread of its own, whatever happens to the server."""

    def __init__(self, address: str, sent: Job, job_id: str) -> None:
        super().__init__()
        self.states: list[str] = []
        self.steps: list[tuple[str, int]] = []
        self.messages: list[str] = []
        self.notices: list[str] = []
        self.frames: dict[int, bytes] = {}
        self.error: BaseException | None = None
        self._given = address, sent, job_id
        self.start()

    def run(self) -> None:
        address, sent, job_id = self._given
        try:
            with Client(address) as client:
                client.submit(sent, job_id)
                self.frames = take(client, sent, job_id, on_state=self._note)
        except BaseException as error:  # noqa: BLE001  the test looks at it
            self.error = error

    def _note(self, state: dict[str, Any]) -> None:
        self.states.append(state["state"])
        self.steps.append((state["state"], state["step"]))
        self.messages.append(state["message"])
        self.notices = state["notices"]

    def result(self) -> dict[int, bytes]:
        self.join(180)
        assert self.error is None, self.error
        return self.frames
