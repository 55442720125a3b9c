"""A job as the front knows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from void_client import protocol

from void_server.settings import ShotSettings

from .messages import JobSpec
from .receiving import Upload


@dataclass(frozen=True)
class Result:
    """One finished frame in the job's folder."""

    frame: int
    size: int
    sha256: str


@dataclass
class Job:
    """State of one job; `watchers` are the routing ids of the clients that follow it."""

    id: str
    spec: JobSpec
    settings: ShotSettings
    folder: Path
    upload: Upload
    sender: bytes
    state: str = "receiving"
    step: int = 0
    steps: int = 0
    eta: float | None = None
    attempts: int = 0
    code: str = ""
    message: str = ""
    notices: list[str] = field(default_factory=list)
    hints: str = ""
    results: dict[int, Result] = field(default_factory=dict)
    watchers: set[bytes] = field(default_factory=set)

    @property
    def ended(self) -> bool:
        return self.state in protocol.ENDED

    def move(self, state: str, *, step: int = 0, steps: int = 0, eta: float | None = None) -> None:
        """Go on to a state, or to a step within it. A job that has ended stays as it is."""
        if not self.ended:
            self.state, self.step, self.steps, self.eta = state, step, steps, eta

    def fail(self, code: str, message: str) -> None:
        """End the job without a result."""
        if not self.ended:
            self.upload.close()
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
            "code": self.code,
            "message": self.message,
            "notices": self.notices,
            "hints": self.hints if self.ended else "",
            "results": len(self.results),
        }

    def summary(self) -> dict[str, Any]:
        """The fields of an entry in a `jobs` message."""
        return {
            "job": self.id,
            "state": self.state,
            "label": self.spec.label,
            "result": self.spec.result,
            "step": self.step,
            "steps": self.steps,
            "first": self.spec.first,
            "last": self.spec.last,
        }
