"""The jobs that a server holds: in memory, in the journal, and each with a folder in the spool."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .folder import keep_results_alone
from .jobs import QUARANTINED, Job, Result
from .journal import BadJournal, CannotJournal, Journal
from .messages import RefusedMessage, Submit
from .receiving import Upload
from .spooler import Spooler

log = logging.getLogger("void.store")

CRASHES = 2  # of a job's worker, then it is not tried again: one bad frame must not stop everybody
INTERRUPTIONS = 10  # of a job by the end of the whole server, for which it may be to blame (memory, a driver)
JOURNAL_EVERY = 60.0  # seconds between two writes of how long nobody has asked for a job


@dataclass(frozen=True)
class Keeping:
    """How long and how much is kept. keep: seconds, for what nobody asks for; cap: bytes of the spool."""

    keep: float
    cap: int


class JobStore:
    """All jobs, in the order of submission."""

    def __init__(self, spool: Path, keeping: Keeping) -> None:
        """Open the spool and take up what an earlier server left there. Raises BadJournal, OSError."""
        self._spool = spool
        self._keeping = keeping
        self._journal = Journal.open(spool)
        try:
            self._jobs = {job.id: job for job in self._journal.jobs(spool)}
        except BadJournal:
            self._journal.close()
            raise
        self.spooler = Spooler()
        self._number = max((job.number for job in self._jobs.values()), default=0)
        self._unwritten: set[str] = set()
        self._swept = self._written = time.monotonic()
        for job in list(self):
            self._take_up(job)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs.values())

    @property
    def room(self) -> int:
        """Bytes that all jobs need."""
        return sum(job.room for job in self)

    @property
    def cap(self) -> int:
        """Bytes that they may need."""
        return self._keeping.cap

    def find(self, job_id: str, user: str = "") -> Job:
        """The job of this id; where a user is named, only if it is theirs. Raises RefusedMessage."""
        job = self._jobs.get(job_id)
        if job is None or (user and job.user != user):
            raise RefusedMessage(
                "unknown_job",
                f"this server has no job {job_id}: it was released, or nobody asked for it for a long time",
            )
        return job

    def add(self, message: Submit, user: str = "") -> Job:
        """The job of this submission: a new one, or the one that has come before. Raises RefusedMessage."""
        if message.job in self._jobs:
            return self.find(message.job, user)
        settings = message.spec.check()
        self._make_room(message.spec.room)
        job = Job(
            message.job,
            self._number + 1,
            message.user,
            message.priority,
            message.spec,
            settings,
            self._spool / message.job,
        )
        try:
            job.folder.mkdir(exist_ok=True)
            job.upload = Upload(job.spec, job.folder, self.spooler)
            self._journal.save(job)  # last: what is in it has been taken
        except (CannotJournal, OSError) as error:
            log.error("job %s can't be taken: %s", job.id, error)
            raise RefusedMessage(
                "no_room", f"the server's spool can't be written ({error}): make room in {self._spool}"
            ) from error
        self._number = job.number
        self._jobs[job.id] = job
        log.info("job %s: %d frames, %s", job.id, len(job.spec.frames), job.spec.label)
        return job

    def save(self, job: Job) -> None:
        """Journal a job's state; where the disk is full, as soon as there is room again."""
        try:
            self._journal.save(job)
            self._unwritten.discard(job.id)
        except CannotJournal as error:
            if job.id not in self._unwritten:
                log.error("job %s: %s; it is tried again", job.id, error)
            self._unwritten.add(job.id)
        if job.ended:
            self._tidy(job)

    def add_result(self, job: Job, result: Result) -> bool:
        """Journal a finished frame. False where it could not be: then the frame does not count."""
        try:
            self._journal.add_result(job, result)
        except CannotJournal as error:
            log.error("job %s: frame %d: %s", job.id, result.frame, error)
            return False
        job.results[result.frame] = result
        return True

    def remove(self, job: Job) -> None:
        """Forget a job with all its files."""
        job.released = True
        self.save(job)  # a restart goes on with the removal
        shutil.rmtree(job.folder, ignore_errors=True)
        try:
            self._journal.remove(job)
        except CannotJournal as error:
            log.error("job %s: %s; a restart removes it", job.id, error)
        self._unwritten.discard(job.id)
        self._jobs.pop(job.id, None)

    def sweep(self) -> list[Job]:
        """Let time pass: write what could not be written, and remove what nobody has asked for too long.

        Returns the jobs whose frames never came: they are to be told of. Time is the server's running time, so
        nobody's clock can take results away.
        """
        now = time.monotonic()
        passed, self._swept = now - self._swept, now
        for job in [self._jobs[job_id] for job_id in self._unwritten]:
            self.save(job)
        abandoned = []
        for job in list(self):
            if job.state != "receiving" and not self._spent(job):
                continue
            job.unused += passed
            if job.unused > self._keeping.keep:
                if job.ended:
                    log.info("job %s: %s, and nobody has asked for it: removed", job.id, job.state)
                    self.remove(job)
                else:
                    abandoned.append(job)
        if now - self._written > JOURNAL_EVERY:
            self._written = now
            self._write_unused()
        return abandoned

    def close(self) -> None:
        """Write what is left to write, and let another server in."""
        self.spooler.close()
        self._write_unused()
        self._journal.close()

    def _write_unused(self) -> None:
        try:
            self._journal.save_unused(self)
        except CannotJournal as error:
            log.error("%s", error)

    @staticmethod
    def _spent(job: Job) -> bool:
        """Whether a job has ended and nobody waits for its results."""
        return job.ended and (job.state != "done" or job.fetched)

    def _make_room(self, needed: int) -> None:
        """Keep the spool within its cap, if need be without what has been fetched. Raises RefusedMessage."""
        held = self.room
        for job in list(self):
            if held + needed <= self._keeping.cap:
                return
            if self._spent(job):
                log.info("job %s: removed to make room", job.id)
                held -= job.room
                self.remove(job)
        if held + needed > self._keeping.cap:
            raise RefusedMessage(
                "no_room",
                f"this job needs {needed / 2**30:.1f} GiB, and the server's spool holds {held / 2**30:.1f} of "
                f"{self._keeping.cap / 2**30:.1f}: fetch finished jobs (`void jobs`), or raise its --spool-cap",
            )

    def _take_up(self, job: Job) -> None:
        """Go on with a job where an earlier server left it."""
        if job.released:
            self.remove(job)
        elif job.ended:
            self._tidy(job)
        else:
            job.folder.mkdir(exist_ok=True)
            self._resume(job)
            self.save(job)
            log.info("job %s: taken up, %s", job.id, job.state)

    def _resume(self, job: Job) -> None:
        if job.running:
            job.interruptions += 1
        if job.cancelling:
            job.move("cancelled")
        elif job.interruptions >= INTERRUPTIONS:
            job.fail(QUARANTINED, f"the whole server went down {INTERRUPTIONS} times during this job: it is set aside")
        else:
            upload = Upload(job.spec, job.folder, self.spooler)
            job.move("queued" if upload.done else "receiving")
            job.upload = None if upload.done else upload

    def _tidy(self, job: Job) -> None:
        """Remove the frames of a job that has ended; those of one that is set aside stay to be looked at."""
        if job.code != QUARANTINED and job.folder.is_dir():
            keep_results_alone(job.folder)
