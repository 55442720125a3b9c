"""The front: one socket for clients, the queue, the link to the worker. It computes nothing and imports no torch."""

from __future__ import annotations

import logging
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import zmq
from void_client import __version__

from . import messages
from .folder import result_file
from .jobs import Job, Result
from .link import Message as WorkerMessage
from .link import WorkerLink
from .messages import RefusedMessage
from .receiving import BadUpload, Upload, Want
from .socket import CannotServe, ClientSocket

log = logging.getLogger("void.front")

ATTEMPTS = 2  # at a job whose worker goes down; more would let one bad frame stop everybody


class Front:
    """Serves one address until stopped. Everything runs in one thread, so a job's state needs no lock."""

    def __init__(self, bind: str, spool: Path, worker_arguments: list[str]) -> None:
        """Bind the address (a port of `*` takes a free one). Raises CannotServe."""
        self._context = zmq.Context()
        self._clients = ClientSocket(self._context, bind)
        self._spool = spool
        self._link = WorkerLink(self._context, worker_arguments)
        self._jobs: dict[str, Job] = {}
        self._running: Job | None = None
        self._engine = ""
        self._notice = ""
        self._ready = False
        self._stopping = False

    @property
    def address(self) -> str:
        """Where clients reach this front."""
        return self._clients.address

    def serve(self, on_ready: Callable[[float], None]) -> None:
        """Serve until SIGTERM or SIGINT. `on_ready(seconds)` is called each time a worker has loaded its weights.

        Raises CannotServe where the worker can't load.
        """
        self._on_ready = on_ready
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        self._link.start()
        poller = zmq.Poller()
        poller.register(self._clients.socket, zmq.POLLIN)
        poller.register(self._link.inbox, zmq.POLLIN)
        try:
            while not self._stopping:
                ready = dict(poller.poll(200))
                if self._clients.socket in ready:
                    self._from_client()
                if self._link.inbox in ready:
                    self._from_worker(self._link.receive())
                self._start_next()
        finally:
            self._link.stop()
            self._context.destroy(linger=200)

    def stop(self) -> None:
        """End `serve` soon; may be called from another thread or a signal handler."""
        self._stopping = True

    # To and from clients

    def _push(self, to: Job, kind: str, /, **fields: Any) -> None:
        to.watchers = {client for client in to.watchers if self._clients.send(client, kind, **fields)}

    def _push_state(self, job: Job) -> None:
        self._push(job, "state", **job.describe())

    def _from_client(self) -> None:
        client, frames = self._clients.receive()
        job_id = ""
        try:
            message, payload = messages.read(frames)
            job_id = getattr(message, "job", "")
            self._dispatch(client, message, payload)
        except RefusedMessage as error:
            log.warning("refused a message: %s: %s", error.code, error)
            self._clients.send(client, "refused", code=error.code, message=str(error), job=job_id)
        except Exception as error:
            log.exception("a message could not be handled")
            text = f"the server ran into {type(error).__name__}: its log has the details"
            self._clients.send(client, "refused", code="internal", message=text, job=job_id)

    def _dispatch(self, client: bytes, message: messages.Message, payload: bytes) -> None:
        match message:
            case messages.Hello():
                log.info("hello from %s", message.client)
                self._clients.send(client, "welcome", **self.describe())
            case messages.Submit():
                self._submit(client, message)
            case messages.Chunk():
                self._chunk(self._find(message.job), message, payload)
            case messages.Attach():
                self._attach(client, self._find(message.job), message.results)
            case messages.Fetch():
                self._fetch(client, self._find(message.job), message)
            case messages.Cancel():
                job = self._find(message.job)
                self._cancel(job)
                self._clients.send(client, "state", **job.describe())
            case messages.Release():
                self._release(client, self._find(message.job))
            case messages.List():
                self._clients.send(client, "jobs", jobs=[job.summary() for job in self._jobs.values()])
            case messages.Status():
                counts = dict(Counter(job.state for job in self._jobs.values()))
                self._clients.send(client, "status", **self.describe(), jobs=counts, worker_pid=self._link.pid)

    def describe(self) -> dict[str, Any]:
        """Version, readiness, engine and its notice, as `welcome` and `status` have them."""
        return {"server": __version__, "ready": self._ready, "engine": self._engine, "notice": self._notice}

    def _find(self, job_id: str) -> Job:
        job = self._jobs.get(job_id)
        if job is None:
            raise RefusedMessage(
                "unknown_job",
                f"this server has no job {job_id}: it was released, or the server has been restarted since",
            )
        return job

    def _submit(self, client: bytes, message: messages.Submit) -> None:
        job = self._jobs.get(message.job)
        if job is None:
            settings = message.spec.check()
            folder = self._spool / message.job
            folder.mkdir(parents=True)
            upload = Upload(message.spec, folder)
            job = Job(message.job, message.spec, settings, folder, upload, client)
            self._jobs[job.id] = job
            log.info("job %s: %d frames, %s", job.id, len(job.spec.frames), job.spec.label)
        job.watchers.add(client)
        self._clients.send(client, "accepted", job=job.id)
        if job.state == "receiving":
            job.sender = client
            self._ask(job, job.upload.ask_again())
            self._ask(job, job.upload.ask())

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

    def _chunk(self, job: Job, chunk: messages.Chunk, payload: bytes) -> None:
        if job.state != "receiving":
            return  # what was on its way when the job ended
        try:
            job.upload.add(chunk, payload)
        except BadUpload as error:
            self._end(job, error.code, str(error))
        except OSError as error:
            log.exception("job %s: spool", job.id)
            self._end(job, "internal", f"the server's spool can't be written ({error.strerror}): make room in it")
        else:
            if job.upload.done:
                job.move("queued")
                self._push_state(job)
            else:
                self._ask(job, job.upload.ask())

    def _attach(self, client: bytes, job: Job, known: int) -> None:
        job.watchers.add(client)
        if job.state == "receiving" and client == job.sender and job.upload.idle():
            self._ask(job, job.upload.ask_again())
        for result in list(job.results.values())[known:]:
            self._send_result(client, job, result)
        self._clients.send(client, "state", **job.describe())

    def _send_result(self, client: bytes, job: Job, result: Result) -> None:
        self._clients.send(client, "result", job=job.id, frame=result.frame, size=result.size, sha256=result.sha256)

    def _fetch(self, client: bytes, job: Job, message: messages.Fetch) -> None:
        if message.frame not in job.results:
            raise RefusedMessage(
                "not_there", f"frame {message.frame} of job {job.id} is not finished: wait for its result"
            )
        with result_file(job.folder, message.frame).open("rb") as file:
            file.seek(message.offset)
            payload = file.read(message.length)
        self._clients.send(client, "chunk", payload, job=job.id, frame=message.frame, offset=message.offset)

    def _cancel(self, job: Job) -> None:
        if job is self._running:
            self._link.send("cancel", job=job.id)  # the worker answers `cancelled` within a step
        elif not job.ended:
            job.upload.close()
            job.move("cancelled")
            self._push_state(job)

    def _release(self, client: bytes, job: Job) -> None:
        if not job.ended:
            raise RefusedMessage("bad_input", f"job {job.id} has not ended: cancel it first (`void cancel {job.id}`)")
        shutil.rmtree(job.folder, ignore_errors=True)
        del self._jobs[job.id]
        self._clients.send(client, "released", job=job.id)

    # To and from the worker

    def _start_next(self) -> None:
        if self._running or not self._ready:
            return
        job = next((job for job in self._jobs.values() if job.state == "queued"), None)
        if job is None:
            return
        self._running = job
        job.attempts += 1
        # The notice is about what the weights make, and a quadmask is made without them.
        job.notices = [self._notice] if self._notice and job.spec.result == "plate" else []
        job.move("masking", steps=len(job.spec.frames))
        self._push_state(job)
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
        )

    def _from_worker(self, message: WorkerMessage) -> None:
        kind = message["type"]
        if kind == "ready":
            self._ready, self._engine, self._notice = True, message["engine"], message["notice"]
            self._on_ready(message["seconds"])
        elif kind == "fatal":
            raise CannotServe(message["message"])
        elif kind == "died":
            self._worker_died(message["status"])
        elif self._running and message["job"] == self._running.id:
            self._from_running(self._running, message)

    def _from_running(self, job: Job, message: WorkerMessage) -> None:
        match message["type"]:
            case "progress":
                job.move(message["stage"], step=message["step"], steps=message["steps"], eta=message["eta"])
                self._push_state(job)
            case "notice":
                job.notices.append(message["text"])
            case "hints":
                job.hints = message["text"]
            case "result":
                result = Result(message["frame"], message["size"], message["sha256"])
                job.results[result.frame] = result
                for client in job.watchers:
                    self._send_result(client, job, result)
            case "done":
                self._end(job)
            case "cancelled":
                job.move("cancelled")
                self._end(job)
            case "failed":
                self._end(job, message["code"], message["message"])

    def _end(self, job: Job, code: str = "", message: str = "") -> None:
        if code:
            job.fail(code, message)
            log.warning("job %s failed: %s", job.id, message)
        else:
            job.move("done")
        if job is self._running:
            self._running = None
        log.info("job %s: %s", job.id, job.state)
        self._push_state(job)

    def _worker_died(self, status: int) -> None:
        was_ready, self._ready = self._ready, False
        job, self._running = self._running, None
        if job and job.attempts < ATTEMPTS:
            log.error("job %s: the worker went down while it was %s; it is tried again", job.id, job.state)
            job.move("queued")
            self._push_state(job)
        elif job:
            self._end(
                job,
                "worker_died",
                f"the process that computes went down {ATTEMPTS} times (status {status}, the job was {job.state}); the "
                "server has started another. Look for a damaged frame, or too little memory, then submit again",
            )
        if not was_ready:
            raise CannotServe(f"the worker ended before it was ready (status {status}): its last words are above")
        log.error("worker died with status %d; starting another", status)
        self._link.start()
