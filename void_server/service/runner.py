"""The worker's side of the front: which job runs, how it ends, and what happens when the worker goes down."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import msgspec
import zmq

from .announcer import Announcer
from .folder import has_room
from .jobs import QUARANTINED, Job, Result
from .link import Message, WorkerLink
from .schedule import next_job
from .socket import CannotServe
from .store import CRASHES, JobStore
from .watch import Limits, Watch

log = logging.getLogger("void.runner")

FIRST_LOADS = 3  # a worker that has never been ready is not started more often
LONGEST_PAUSE = 60.0  # seconds between two starts of a worker that does not get ready
FULL_DISK_PAUSE = 5.0  # seconds until it is looked whether there is room for a job that found the disk full


class Runner:
    """One worker and the job that it runs. Its crash is a failed attempt of that job and nothing more."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        arguments: list[str],
        limits: Limits,
        store: JobStore,
        announcer: Announcer,
    ) -> None:
        self._link = WorkerLink(context, arguments)
        self._watch = Watch(limits)
        self._trouble = ""
        self._store = store
        self._announcer = announcer
        self._job: Job | None = None
        self._turns: dict[str, int] = {}
        self._turn = 0
        self._was_ready = False
        self._failed_loads = 0
        self._start_at: float | None = None
        self.ready = False
        self.engine = ""
        self.notice = ""
        self.on_ready: Callable[[float], None] = lambda seconds: None

    @property
    def inbox(self) -> zmq.Socket[bytes]:
        """Readable when the worker has said something."""
        return self._link.inbox

    @property
    def pid(self) -> int | None:
        """The worker's process id, or None when there is no worker."""
        return self._link.pid

    @property
    def starts(self) -> int:
        """How many workers there have been."""
        return self._link.starts

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return self._job is not None

    def start(self) -> None:
        """Start the worker."""
        self._link.start()

    def stop(self) -> None:
        """End the worker; a job that still runs is taken up by the next server."""
        self._link.stop()

    def tick(self) -> None:
        """Start what is due (a worker after its pause, the next job), and end a worker beyond its limits."""
        now = time.monotonic()
        self._check()
        if self._start_at is not None and now >= self._start_at:
            self._start_at = None
            self._link.start()
        if self.ready and not self._job and (job := next_job(self._store, self._turns, now)):
            if job.not_before and not has_room(job.folder, job.spec.frame_room):
                job.not_before = now + FULL_DISK_PAUSE
            else:
                self._run(job)

    def _check(self) -> None:
        """End a worker that is beyond its limits; its death is then handled as any other."""
        if self._link.pid is None or self._trouble:
            return
        self._trouble = self._watch.trouble(self._link.pid, self._job.state if self._job else "")
        if self._trouble:
            log.error("the worker is ended: %s", self._trouble)
            self._link.kill()

    def _run(self, job: Job) -> None:
        self._job = job
        self._watch.heard()
        self._turn += 1
        self._turns[job.user] = self._turn
        job.engine, job.message, job.not_before = self.engine, "", 0.0
        # The notice is about what the weights make, and a quadmask is made without them.
        job.notices = [self.notice] if self.notice and job.spec.result == "plate" else []
        job.move("masking", steps=len(job.spec.frames))
        self._announcer.changed(job)
        self._link.send(
            "run",
            job=job.id,
            folder=str(job.folder),
            first=job.spec.first,
            last=job.spec.last,
            inputs={name: given.name for name, given in job.spec.inputs.items()},
            prompt=job.spec.prompt,
            hints=job.spec.hints,
            settings=job.settings.to_dict(),
            result=job.spec.result,
            colour=msgspec.structs.asdict(job.spec.colour),
            finished=sorted(job.results),
        )

    def cancel(self, job: Job) -> None:
        """End a job: at once, or within a step where it runs. Nobody waits for the results of one that has ended."""
        if job.ended:
            job.fetched = True
            self._store.save(job)
        elif job is self._job:
            job.cancelling = True
            self._store.save(job)
            self._link.send("cancel", job=job.id)  # the worker answers `stopped` within a step
        else:
            job.move("cancelled")
            self._announcer.changed(job)

    def suspend(self) -> None:
        """Have the running job stop within a step, to be gone on with later."""
        if self._job:
            self._link.send("cancel", job=self._job.id)

    def receive(self) -> None:
        """Take the next message of the inbox, which must have one. Raises CannotServe where the worker can't load."""
        message = self._link.receive()
        self._watch.heard()
        match message["type"]:
            case "ready":
                self.ready = self._was_ready = True
                self._failed_loads = 0
                self.engine, self.notice = message["engine"], message["notice"]
                self.on_ready(message["seconds"])
            case "fatal":
                if not self._was_ready:
                    raise CannotServe(message["message"])
                log.error("the worker can't load: %s", message["message"])
            case "died":
                self._died(message["status"])
            case _:
                if self._job and message["job"] == self._job.id:
                    self._from_running(self._job, message)

    def _from_running(self, job: Job, message: Message) -> None:
        match message["type"]:
            case "progress":
                self._progress(job, message)
            case "notice":
                job.notices.append(message["text"])
            case "hints":
                job.hints = message["text"]
            case "result":
                result = Result(message["frame"], message["size"], message["sha256"])
                if not self._announcer.finished(job, result):
                    self._put_off(job, "its journal can't be written")
            case "done" if len(job.results) < len(job.spec.frames):
                self._stopped(job)  # the journal had no room for some: those are to be made again
            case "done":
                self._end(job)
            case "stopped":
                self._stopped(job)
            case "failed" if message["code"] == "no_room":
                self._stopped(job)
                self._put_off(job, message["message"])
            case "failed":
                self._end(job, message["code"], message["message"])

    def _progress(self, job: Job, message: Message) -> None:
        fields: dict[str, Any] = {name: message[name] for name in ("step", "steps", "eta")}
        entered = message["stage"] != job.state
        job.move(message["stage"], **fields)
        if entered:
            self._announcer.changed(job)
        else:
            self._announcer.progressed(job)

    def _put_off(self, job: Job, cause: str) -> None:
        """Have a job wait for room on the disk."""
        job.message = f"waiting: {cause}. It goes on once there is room in the server's spool"
        job.not_before = time.monotonic() + FULL_DISK_PAUSE
        log.error("job %s: %s", job.id, job.message)
        if job is self._job:
            self.suspend()
        self._announcer.progressed(job)

    def _stopped(self, job: Job) -> None:
        """The worker has stopped within a job: it was cancelled, or is to be gone on with."""
        self._job = None
        job.move("cancelled" if job.cancelling else "queued")
        self._announcer.changed(job)
        log.info("job %s: %s", job.id, job.state)

    def _end(self, job: Job, code: str = "", message: str = "") -> None:
        if code:
            job.fail(code, message)
            log.warning("job %s failed: %s", job.id, message)
        else:
            job.move("done")
        self._job = None
        self._announcer.changed(job)
        log.info("job %s: %s", job.id, job.state)

    def _died(self, status: int) -> None:
        was_ready, self.ready = self.ready, False
        cause, self._trouble = self._trouble or f"status {status}", ""
        if self._job:
            self._crashed(self._job, cause)
        if was_ready:
            log.error("the worker went down (%s); starting another", cause)
            self._link.start()
            return
        self._failed_loads += 1
        if not self._was_ready and self._failed_loads >= FIRST_LOADS:
            raise CannotServe(
                f"the worker ended {FIRST_LOADS} times before it was ready ({cause}): its last words are above"
            )
        pause = min(2.0**self._failed_loads, LONGEST_PAUSE)
        log.error("the worker ended before it was ready (%s); starting another in %.0f s", cause, pause)
        self._start_at = time.monotonic() + pause

    def _crashed(self, job: Job, cause: str) -> None:
        job.crashes += 1
        if job.cancelling or job.crashes < CRASHES:
            log.error("job %s: the worker went down while it was %s", job.id, job.state)
            self._stopped(job)
            return
        self._end(
            job,
            QUARANTINED,
            f"the process that computes went down {job.crashes} times ({cause}; the job was {job.state}): the "
            "job is set aside and its frames stay in the server's spool. Look for a damaged frame, or too little "
            "memory, then submit again",
        )
