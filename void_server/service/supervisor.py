"""One worker process under supervision: whether it is up, alive and within its limits, and when it is started again."""

from __future__ import annotations

import logging
import time
from typing import Any

import zmq

from .jobs import Job
from .link import Message, WorkerLink
from .watch import Limits, Watch

log = logging.getLogger("void.supervisor")

FIRST_LOADS = 3  # a worker that has never been ready is hopeless after so many starts
LONGEST_PAUSE = 60.0  # seconds between two starts of a worker that does not get ready


class SupervisedWorker:
    """A worker on one device, in one process after the other, and the job that it runs.

    state: loading, warming, ready, or down (it waits to be started again, and `cause` says why). job: set by whoever
    gives it work. engine, notice: as its engine says them, empty until it is loaded.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], arguments: list[str], device: str, limits: Limits
    ) -> None:
        self._link = WorkerLink(context, arguments, device)
        self._watch = Watch(limits)
        self._trouble = ""
        self._was_ready = False
        self._refused = ""
        self._cannot_load = False
        self._failed_loads = 0
        self._start_at: float | None = None
        self._since = time.monotonic()
        self.device = device
        self.state = "down"
        self.cause = ""
        self.job: Job | None = None
        self.engine = ""
        self.notice = ""

    @property
    def inbox(self) -> zmq.Socket[bytes]:
        """Readable when the worker has said something."""
        return self._link.inbox

    @property
    def pid(self) -> int | None:
        """The process id, or None where no process has been started yet."""
        return self._link.pid

    @property
    def starts(self) -> int:
        """How many processes there have been."""
        return self._link.starts

    @property
    def idle(self) -> bool:
        """Whether it can be given a job."""
        return self.state == "ready" and self.job is None

    @property
    def hopeless(self) -> bool:
        """Whether it has never been ready, and more starts would not help."""
        return not self._was_ready and (self._cannot_load or self._failed_loads >= FIRST_LOADS)

    def describe(self) -> dict[str, Any]:
        """Its entry in a `status` message."""
        return {
            "device": self.device,
            "pid": self.pid,
            "state": "running" if self.job else self.state,
            "seconds": time.monotonic() - self._since,
            "message": self.cause,
            "job": self.job.id if self.job else "",
        }

    def start(self) -> None:
        """Start a process."""
        self._start_at = None
        self._enter("loading")
        self._watch.begin()
        self._link.start()

    def ask_to_end(self) -> None:
        """Have its process end, and wait for nothing."""
        self._link.ask_to_end()

    def stop(self) -> None:
        """End its process."""
        self._link.stop()

    def tick(self) -> None:
        """Start a process after its pause; end one that is beyond its limits, whose death is then as any other."""
        if self._start_at is not None and time.monotonic() >= self._start_at:
            self.start()
        if self.state == "down" or self._trouble or self._link.pid is None:
            return
        self._trouble = self._watch.trouble(self._link.pid, self.job.state if self.job else "")
        if self._trouble:
            log.error("the worker on %s is ended: %s", self.device, self._trouble)
            self._link.kill()

    def forgive(self) -> None:
        """Count its silence anew: the front itself has not listened."""
        self._watch.forgive()

    def run(self, job: Job, **fields: Any) -> None:
        """Give it a job."""
        self.job = job
        self._since = time.monotonic()
        self._watch.heard()
        self._link.send("run", job=job.id, **fields)

    def stop_job(self) -> None:
        """Have its job stop within a step; it answers `stopped`."""
        if self.job:
            self._link.send("cancel", job=self.job.id)

    def release_job(self) -> None:
        """Its job is over."""
        self.job = None
        self._since = time.monotonic()

    def receive(self) -> Message:
        """The next message of the inbox, which must have one; what it says of the worker itself is taken note of."""
        message = self._link.receive()
        self._watch.alive()
        match message["type"]:
            case "alive":
                return message
            case "warming" | "ready" as state:
                self.engine, self.notice = message["engine"], message["notice"]
                log.info("the worker on %s is %s after %.1f s", self.device, state, message["seconds"])
                self._enter(state)
                if state == "ready":
                    self._was_ready, self._failed_loads, self.cause = True, 0, ""
            case "fatal":
                self._cannot_load, self._refused = True, message["message"]
                self.cause = self._refused
                log.error("the worker on %s can't load: %s", self.device, self.cause)
            case "died":
                self._died(message["status"])
        self._watch.heard()
        return message

    def _enter(self, state: str) -> None:
        self.state, self._since = state, time.monotonic()

    def _died(self, status: int) -> None:
        before = self.state
        self._enter("down")
        self.cause = self._refused or self._trouble or f"status {status}"
        self._refused = self._trouble = ""
        if before == "ready":
            log.error("the worker on %s went down (%s); starting another", self.device, self.cause)
            self.start()
            return
        self._failed_loads += 1
        if before == "warming" and status:
            self.cause += ", while it was warming up"
        pause = min(2.0**self._failed_loads, LONGEST_PAUSE)
        self._start_at = time.monotonic() + pause
        log.error(
            "the worker on %s ended before it was ready (%s); starting another in %.0f s",
            self.device,
            self.cause,
            pause,
        )
