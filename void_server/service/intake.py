"""Frames on their way from clients into jobs: they are asked for, spooled, and then the job may run, or it fails."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from .announcer import Announcer
from .folder import NO_ROOM
from .jobs import Job
from .messages import Chunk
from .metrics import Metrics
from .receiving import BadUpload, Upload, Want
from .socket import ClientSocket
from .store import JobStore

log = logging.getLogger("void.intake")


class Intake:
    """The uploads of all jobs, in the front's thread; `Upload` is one of them."""

    def __init__(self, clients: ClientSocket, store: JobStore, announcer: Announcer, metrics: Metrics) -> None:
        self._clients = clients
        self._store = store
        self._announcer = announcer
        self._metrics = metrics

    def begin(self, job: Job, upload: Upload, client: bytes) -> None:
        """Have a client send a job's frames, from now on."""
        job.sender = client
        self._ask(job, upload.ask_again())
        self._ask(job, upload.ask())

    def take(self, job: Job, chunk: Chunk, payload: bytes | memoryview) -> None:
        """Take a piece that has come."""
        if not job.upload:
            return  # what was on its way when the job ended
        try:
            job.upload.add(chunk, payload)
        except BadUpload as error:
            self._bad_upload(job, error)
        else:
            self._metrics.received.inc(len(payload))

    def collect(self) -> None:
        """Go on with the jobs whose pieces have been written."""
        self._store.spooler.hush()
        for job in self._store:
            if not job.upload:
                continue
            try:
                came = job.upload.collect()
            except BadUpload as error:
                self._bad_upload(job, error)
            except OSError as error:
                self._write_fails(job, job.upload, error)
            else:
                if came:
                    self._came(job, job.upload)

    def _ask(self, job: Job, wants: Iterable[Want]) -> None:
        for want in wants:
            self._clients.send(
                job.sender,
                "want",
                job=job.id,
                input=want.input,
                frame=want.frame,
                offset=want.offset,
                length=want.length,
            )

    def _came(self, job: Job, upload: Upload) -> None:
        job.unused, job.message = 0.0, ""
        if upload.done:
            job.move("queued")
            self._announcer.changed(job)
        else:
            self._ask(job, upload.ask())

    def _bad_upload(self, job: Job, error: BadUpload) -> None:
        job.fail(error.code, str(error))
        log.warning("job %s failed: %s", job.id, error)
        self._announcer.changed(job)

    def _write_fails(self, job: Job, upload: Upload, error: OSError) -> None:
        """A full disk is waited for; whoever attaches is asked again."""
        log.error("job %s: the spool can't be written (%s)", job.id, error.strerror)
        if error.errno in NO_ROOM:
            upload.start_over()
            job.message = "waiting: the server's disk is full. It goes on once there is room in the server's spool"
            self._announcer.progressed(job)
        else:
            job.fail("internal", f"the server's spool can't be written ({error.strerror}): its log has the details")
            self._announcer.changed(job)
