"""A job as the front knows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from void_client import protocol

from void_server.settings import ShotSettings

from .messages import JobSpec
from .receiving import Upload

QUARANTINED = "worker_died"


@dataclass(frozen=True)
class Result:
    """One finished frame in the job's folder."""

    frame: int
    size: int
    sha256: str


@dataclass
class Job:
    """State of one job. All but the last group is in the journal.

    number: its place in the order of submission. crashes: attempts whose worker went down. interruptions: attempts
    during which the whole server went down. cancelling: a cancellation that its worker has not confirmed yet.
    fetched: a client has had all results. released: nobody needs it any more. unused: seconds of the server's
    running time for which no client has asked for it.
    watchers: routing ids of the clients that follow it; sender: of the one that sends its frames.
    device: what it runs on, while it runs. not_before: of time.monotonic(), where it waits for room on the disk, or 0.
    """

    id: str
    number: int
    user: str
    priority: str
    spec: JobSpec
    settings: ShotSettings
    folder: Path
    state: str = "receiving"
    code: str = ""
    message: str = ""
    notices: list[str] = field(default_factory=list)
    hints: str = ""
    engine: str = ""
    crashes: int = 0
    interruptions: int = 0
    cancelling: bool = False
    fetched: bool = False
    released: bool = False
    unused: float = 0.0
    results: dict[int, Result] = field(default_factory=dict)

    upload: Upload | None = None
    sender: bytes = b""
    device: str = ""
    watchers: set[bytes] = field(default_factory=set)
    step: int = 0
    steps: int = 0
    eta: float | None = None
    part: int = 1
    parts: int = 1
    served: set[int] = field(default_factory=set)
    not_before: float = 0.0

    @property
    def ended(self) -> bool:
        return self.state in protocol.ENDED

    @property
    def running(self) -> bool:
        return not self.ended and self.state not in ("receiving", "queued")

    @property
    def room(self) -> int:
        """Bytes that it needs in the spool: results as they are, or before that as large as the plate."""
        if self.ended and self.code != QUARANTINED:
            return sum(result.size for result in self.results.values())
        return self.spec.room

    def move(self, state: str, *, step: int = 0, steps: int = 0, eta: float | None = None) -> None:
        """Go on to a state, or to a step within it. A job that has ended stays as it is."""
        if not self.ended:
            self.state, self.step, self.steps, self.eta = state, step, steps, eta
            self._note_fetched()
            if self.state != "receiving" and self.upload:
                self.upload.close()
                self.upload = None

    def has_served(self, frame: int) -> bool:
        """A client has had this frame, whole. Returns whether that was the last that was wanted of it."""
        self.served.add(frame)
        return not self.fetched and self._note_fetched()

    def _note_fetched(self) -> bool:
        """A client that keeps up has had every frame before the worker says that the job is done."""
        self.fetched = self.fetched or (self.state == "done" and len(self.served) == len(self.spec.frames))
        return self.fetched

    def fail(self, code: str, message: str) -> None:
        """End the job without a result."""
        if not self.ended:
            self.move("failed")
            self.code, self.message = code, message

    def describe(self) -> dict[str, Any]:
        """The fields of a `state` message."""
        return {
            "job": self.id,
            "state": self.state,
            "step": self.step,
            "steps": self.steps,
            "eta": self.eta,
            "part": self.part,
            "parts": self.parts,
            "code": self.code,
            "message": self.message,
            "notices": self.notices,
            "hints": self.hints if self.ended else "",
            "engine": self.engine,
            "results": len(self.results),
        }

    def summary(self) -> dict[str, Any]:
        """The fields of an entry in a `jobs` message."""
        return {
            "job": self.id,
            "state": self.state,
            "user": self.user,
            "priority": self.priority,
            "label": self.spec.label,
            "result": self.spec.result,
            "step": self.step,
            "steps": self.steps,
            "device": self.device,
            "first": self.spec.first,
            "last": self.spec.last,
        }
