"""The workers' side of the front: which job runs where, how it ends, and what a worker's end means for its job."""

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
from .link import Message
from .schedule import next_job
from .socket import CannotServe
from .store import CRASHES, JobStore
from .supervisor import FIRST_LOADS, SupervisedWorker
from .watch import Limits

log = logging.getLogger("void.runner")

FULL_DISK_PAUSE = 5.0  # seconds until it is looked whether there is room for a job that found the disk full
LATE = 5.0  # seconds after which a front that was to look again has itself been asleep (a laptop, a debugger)


class Runner:
    """One worker a device, and one queue for all. A worker's crash is a failed attempt of its job and nothing more."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        arguments: list[str],
        devices: list[str],
        limits: Limits,
        store: JobStore,
        announcer: Announcer,
    ) -> None:
        self.workers = [SupervisedWorker(context, arguments, device, limits) for device in devices]
        self._store = store
        self._announcer = announcer
        self._turns: dict[str, int] = {}
        self._turn = 0
        self._looked = time.monotonic()
        self.on_ready: Callable[[str, float], None] = lambda device, seconds: None

    @property
    def ready(self) -> bool:
        """Whether a worker takes jobs, or runs one."""
        return any(worker.state == "ready" for worker in self.workers)

    @property
    def engine(self) -> str:
        """What the engine is called; empty until one is loaded."""
        return next((worker.engine for worker in self.workers if worker.engine), "")

    @property
    def notice(self) -> str:
        """What the engine has to say beside every result, or nothing."""
        return next((worker.notice for worker in self.workers if worker.engine), "")

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return any(worker.job for worker in self.workers)

    def start(self) -> None:
        """Start the workers."""
        for worker in self.workers:
            worker.start()

    def stop(self) -> None:
        """End the workers; jobs that still run are taken up by the next server."""
        for worker in self.workers:
            worker.ask_to_end()
        for worker in self.workers:
            worker.stop()

    def tick(self) -> None:
        """Start what is due (a worker after its pause, the next jobs), and end workers beyond their limits."""
        now = time.monotonic()
        asleep, self._looked = now - self._looked > LATE, now
        for worker in self.workers:
            if asleep:
                worker.forgive()
            worker.tick()
            if worker.idle and (job := next_job(self._store, self._turns, now)):
                if job.not_before and not has_room(job.folder, job.spec.frame_room):
                    job.not_before = now + FULL_DISK_PAUSE
                else:
                    self._run(worker, job)

    def _run(self, worker: SupervisedWorker, job: Job) -> None:
        self._turn += 1
        self._turns[job.user] = self._turn
        job.engine, job.device, job.message, job.not_before = worker.engine, worker.device, "", 0.0
        job.part = job.parts = 1
        # The notice is about what the weights make, and a quadmask is made without them.
        job.notices = [worker.notice] if worker.notice and job.spec.result == "plate" else []
        job.move("masking", steps=len(job.spec.frames))
        self._announcer.changed(job)
        worker.run(
            job,
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
        worker = next((worker for worker in self.workers if worker.job is job), None)
        if job.ended:
            job.fetched = True
            self._store.save(job)
        elif worker:
            job.cancelling = True
            self._store.save(job)
            worker.stop_job()  # it answers `stopped` within a step
        else:
            job.move("cancelled")
            self._announcer.changed(job)

    def suspend(self) -> None:
        """Have the running jobs stop within a step, to be gone on with later."""
        for worker in self.workers:
            worker.stop_job()

    def receive(self, worker: SupervisedWorker) -> None:
        """Take the next message of a worker, whose inbox must have one. Raises CannotServe where none can load."""
        message = worker.receive()
        match message["type"]:
            case "ready":
                self.on_ready(worker.device, message["seconds"])
            case "died" if worker.job:
                self._crashed(worker, worker.job)
            case _:
                if worker.job and message.get("job") == worker.job.id:
                    self._from_running(worker, worker.job, message)
        if all(each.hopeless for each in self.workers):
            if message["type"] == "fatal":
                raise CannotServe(worker.cause)
            raise CannotServe(
                f"the worker ended {FIRST_LOADS} times before it was ready ({worker.cause}): its last words are above"
            )

    def _from_running(self, worker: SupervisedWorker, job: Job, message: Message) -> None:
        match message["type"]:
            case "progress":
                self._progress(job, message)
            case "notice":
                job.notices.append(message["text"])
                self._announcer.progressed(job)  # the next step may be minutes away
            case "part":
                job.part, job.parts = message["part"], message["parts"]
            case "hints":
                job.hints = message["text"]
            case "result":
                result = Result(message["frame"], message["size"], message["sha256"])
                if not self._announcer.finished(job, result):
                    worker.stop_job()
                    self._put_off(job, "its journal can't be written")
            case "done" if len(job.results) < len(job.spec.frames):
                self._stopped(worker, job)  # the journal had no room for some: those are to be made again
            case "done":
                self._end(worker, job)
            case "stopped":
                self._stopped(worker, job)
            case "failed" if message["code"] == "no_room":
                self._stopped(worker, job)
                self._put_off(job, message["message"])
            case "failed":
                self._end(worker, job, message["code"], message["message"])

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
        self._announcer.progressed(job)

    def _stopped(self, worker: SupervisedWorker, job: Job) -> None:
        """The worker has stopped within a job: it was cancelled, or is to be gone on with."""
        worker.release_job()
        job.device = ""
        job.move("cancelled" if job.cancelling else "queued")
        self._announcer.changed(job)
        log.info("job %s: %s", job.id, job.state)

    def _end(self, worker: SupervisedWorker, job: Job, code: str = "", message: str = "") -> None:
        if code:
            job.fail(code, message)
            log.warning("job %s failed: %s", job.id, message)
        else:
            job.move("done")
        worker.release_job()
        job.device = ""
        self._announcer.changed(job)
        log.info("job %s: %s", job.id, job.state)

    def _crashed(self, worker: SupervisedWorker, job: Job) -> None:
        job.crashes += 1
        if job.cancelling or job.crashes < CRASHES:
            log.error("job %s: the worker went down while it was %s", job.id, job.state)
            self._stopped(worker, job)
            return
        self._end(
            worker,
            job,
            QUARANTINED,
            f"the process that computes went down {job.crashes} times ({worker.cause}; the job was {job.state}): the "
            "job is set aside and its frames stay in the server's spool. Look for a damaged frame, or too little "
            "memory, then submit again",
        )
