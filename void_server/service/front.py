"""The front: one socket for clients, the jobs, the worker. It computes nothing and imports no torch."""

from __future__ import annotations

import logging
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq
from void_client import __version__, protocol
from void_client.errors import BadInput

from . import messages
from .announcer import Announcer
from .folder import result_file
from .guard import Guard
from .intake import Intake
from .jobs import Job
from .journal import BadJournal
from .messages import RefusedMessage
from .metrics import Metrics
from .runner import Runner
from .socket import LARGEST_FRAME, CannotServe, ClientSocket
from .store import JobStore, Keeping
from .watch import Limits

log = logging.getLogger("void.front")

STOPS = {"SIGTERM", "SIGINT", "SIGBREAK"}  # the last is Windows' Ctrl-Break, also sent where a console closes
SUSPEND_WITHIN = 5.0  # seconds that a running job is given to reach its next step when the server ends


class Front:
    """Serves one address until stopped. Everything runs in one thread, so a job's state needs no lock."""

    def __init__(
        self,
        bind: str,
        spool: Path,
        worker_arguments: list[str],
        devices: list[str],
        keeping: Keeping,
        limits: Limits,
        drain: float = 0.0,
        keys: Path | None = None,
        metrics: str = "",
    ) -> None:
        """Bind the address (a port of `*` takes a free one) and take up the spool's jobs. Raises CannotServe.

        devices: of each worker, as `parse_devices` makes them.
        drain: seconds that running jobs are given to end when the server is stopped; then they are left for the next.
        keys: folder of the server's keys and of those it allows; without one, the address must be loopback.
        metrics: host and port at which Prometheus may ask, or empty.
        """
        self._context = zmq.Context()
        self._guard: Guard | None = None
        try:
            self._metrics = Metrics()
            if metrics:
                self._metrics.serve(metrics)
            self._guard = Guard(self._context, keys) if keys else None
            self._clients = ClientSocket(self._context, bind, self._guard)
            self._store = JobStore(spool, keeping)
        except (BadJournal, BadInput, CannotServe) as error:
            self._close(linger=0)
            raise CannotServe(str(error)) from error
        except OSError as error:
            self._close(linger=0)
            raise CannotServe(f"the spool {spool} can't be used ({error}): make room, or check its rights") from error
        self._announcer = Announcer(self._clients, self._store, self._metrics.ended)
        self._intake = Intake(self._clients, self._store, self._announcer, self._metrics)
        self._runner = Runner(self._context, worker_arguments, devices, limits, self._store, self._announcer)
        self._drain = drain
        self._stops = 0
        self._stopped_at = 0.0
        self._suspended = False

    @property
    def address(self) -> str:
        """Where clients reach this front."""
        return self._clients.address

    def serve(self, on_ready: Callable[[str, float], None]) -> None:
        """Serve until one of STOPS. `on_ready(device, seconds)` is called each time a worker has become ready.

        Raises CannotServe where no worker can load.
        """
        self._runner.on_ready = on_ready
        for name in STOPS:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), lambda *_: self.stop())
        self._runner.start()
        poller = zmq.Poller()
        poller.register(self._clients.socket, zmq.POLLIN)
        for worker in self._runner.workers:
            poller.register(worker.inbox, zmq.POLLIN)
        bell = self._store.spooler.bell
        poller.register(bell, zmq.POLLIN)
        try:
            while not self._may_end():
                ready = dict(poller.poll(200))
                if bell.fileno() in ready:
                    self._intake.collect()
                if self._clients.socket in ready:
                    self._from_client()
                for worker in self._runner.workers:
                    if worker.inbox in ready:
                        self._runner.receive(worker)
                self._tick()
        finally:
            self._runner.stop()
            self._store.close()
            self._close(linger=200)

    def _close(self, *, linger: int) -> None:
        if self._guard:
            self._guard.stop()
        self._context.destroy(linger=linger)

    def stop(self) -> None:
        """End `serve` soon, a second time at once; may be called from another thread or a signal handler."""
        self._stopped_at = self._stopped_at or time.monotonic()
        self._stops += 1

    def _may_end(self) -> bool:
        """Whether it was stopped, and nothing runs any more that would be lost."""
        if not self._stops or not self._runner.busy:
            return self._stops > 0
        waited = time.monotonic() - self._stopped_at
        if waited >= self._drain and not self._suspended:
            self._suspended = True
            self._runner.suspend()
        return self._stops > 1 or waited >= self._drain + SUSPEND_WITHIN

    def _tick(self) -> None:
        self._clients.dropped.look()
        for job in self._store.sweep():
            job.fail("abandoned", "its frames did not come: submit it again")
            log.warning("job %s: %s", job.id, job.message)
            self._announcer.changed(job)
        if not self._stops:
            self._runner.tick()
        self._metrics.look(self._store, self._runner)

    # To and from clients

    def _from_client(self) -> None:
        delivery = self._clients.receive()
        client, user = delivery.client, delivery.user
        job_id = ""
        try:
            if user is None:
                raise RefusedMessage("not_allowed", "this key has been revoked: ask whoever runs the server")
            if delivery.cut:
                raise RefusedMessage(
                    "too_large",
                    f"a frame of more than {LARGEST_FRAME >> 20} MiB came from this client, so its connection was cut, "
                    f"and what it sent since is lost. Protocol {protocol.VERSION} has no such frame: update the client",
                )
            message, payload = messages.read(delivery.frames)
            job_id = getattr(message, "job", "")
            if isinstance(message, messages.Submit) and user:
                message.user = user  # a key proves more than what a message says
            self._dispatch(client, user, message, payload)
        except RefusedMessage as error:
            log.warning("refused a message: %s: %s", error.code, error)
            self._metrics.refused.labels(error.code).inc()
            self._clients.send(client, "refused", code=error.code, message=str(error), job=job_id)
        except Exception as error:
            log.exception("a message could not be handled")
            text = f"the server ran into {type(error).__name__}: its log has the details"
            self._clients.send(client, "refused", code="internal", message=text, job=job_id)

    def _dispatch(self, client: bytes, user: str, message: messages.Message, payload: bytes | memoryview) -> None:
        match message:
            case messages.Hello():
                log.info("hello from %s", message.client)
                self._clients.send(client, "welcome", **self.describe())
            case messages.Submit():
                self._submit(client, user, message)
            case messages.Chunk():
                self._intake.take(self._find(user, message.job), message, payload)
            case messages.Attach():
                self._attach(client, self._find(user, message.job), message)
            case messages.Fetch():
                self._fetch(client, self._find(user, message.job), message)
            case messages.Cancel():
                job = self._find(user, message.job)
                self._runner.cancel(job)
                self._clients.send(client, "state", **job.describe())
            case messages.Release():
                self._release(client, self._find(user, message.job))
            case messages.List():
                self._clients.send(client, "jobs", jobs=[job.summary() for job in self._visible(user)])
            case messages.Status():
                self._clients.send(client, "status", **self.describe(), **self._work(user))

    def _visible(self, user: str) -> list[Job]:
        """The jobs that a client may know of: with keys, its user's own."""
        return [job for job in self._store if not user or job.user == user]

    def _work(self, user: str) -> dict[str, Any]:
        """How many jobs are in which state, and what the workers do, as far as a client may know."""
        visible = {job.id: job.state for job in self._visible(user)}
        workers = [worker.describe() for worker in self._runner.workers]
        for worker in workers:
            worker["job"] = worker["job"] if worker["job"] in visible else ""
        return {"jobs": dict(Counter(visible.values())), "workers": workers}

    def _find(self, user: str, job_id: str) -> Job:
        """A job that a client may know of. Raises RefusedMessage, of another's as of one that is not there."""
        return self._store.find(job_id, user)

    def describe(self) -> dict[str, Any]:
        """Version, readiness, engine and its notice, as `welcome` and `status` have them."""
        runner = self._runner
        return {"server": __version__, "ready": runner.ready, "engine": runner.engine, "notice": runner.notice}

    def _submit(self, client: bytes, user: str, message: messages.Submit) -> None:
        if self._stops:
            raise RefusedMessage("draining", "the server is being stopped: submit once it is back")
        job = self._store.add(message, user)
        job.watchers.add(client)
        self._clients.send(client, "accepted", job=job.id)
        if job.upload:
            self._intake.begin(job, job.upload, client)

    def _attach(self, client: bytes, job: Job, message: messages.Attach) -> None:
        job.watchers.add(client)
        if job.ended:
            job.unused = 0.0
        if job.upload and message.sends and job.upload.idle():
            self._intake.begin(job, job.upload, client)  # the one before may be gone
        for result in list(job.results.values())[message.results :]:
            self._clients.send(client, "result", job=job.id, frame=result.frame, size=result.size, sha256=result.sha256)
        self._clients.send(client, "state", **job.describe())

    def _fetch(self, client: bytes, job: Job, message: messages.Fetch) -> None:
        result = job.results.get(message.frame)
        if result is None:
            raise RefusedMessage(
                "not_there", f"frame {message.frame} of job {job.id} is not finished: wait for its result"
            )
        with result_file(job.folder, message.frame).open("rb") as file:
            file.seek(message.offset)
            payload = file.read(message.length)
        self._clients.send(client, "chunk", payload, job=job.id, frame=message.frame, offset=message.offset)
        self._metrics.sent.inc(len(payload))
        job.unused = 0.0
        if message.offset + len(payload) >= result.size and job.has_served(message.frame):
            self._store.save(job)

    def _release(self, client: bytes, job: Job) -> None:
        if not job.ended:
            raise RefusedMessage("bad_input", f"job {job.id} has not ended: cancel it first (`void cancel {job.id}`)")
        self._store.remove(job)
        self._clients.send(client, "released", job=job.id)
