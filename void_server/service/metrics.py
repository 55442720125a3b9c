"""What a server counts, for Prometheus: numbers alone, no names of users or shots."""

from __future__ import annotations

import time
from collections import Counter as Count

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge

from .jobs import Job
from .runner import Runner
from .socket import CannotServe
from .store import JobStore
from .watch import own_memory

LOOK_EVERY = 1.0  # seconds
STATES = ("receiving", "queued", "running", "done", "failed", "cancelled")


class Metrics:
    """The numbers of one server. Counters are counted where things happen; the rest is looked at once a second."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.received = self._counter("void_received_bytes", "Bytes of frames that clients have sent")
        self.sent = self._counter("void_sent_bytes", "Bytes of results that clients have fetched")
        self.refused = self._counter("void_refused", "Messages that were refused, by code", "code")
        self._ended = self._counter("void_jobs_ended", "Jobs that have ended, by state and code", "state", "code")
        self._jobs = self._gauge("void_jobs", "Jobs that the server holds, by state", "state")
        self._ready = self._gauge("void_ready", "Whether any worker is ready")
        worker = ("worker", "device")
        self._up = self._gauge("void_worker_ready", "Whether this worker has loaded and is warm", *worker)
        self._busy = self._gauge("void_worker_busy", "Whether this worker runs a job", *worker)
        self._starts = self._gauge(
            "void_worker_starts", "Processes started for this worker since the server was", *worker
        )
        self._memory = self._gauge("void_worker_memory_bytes", "Memory that this worker holds itself", *worker)
        self._spool = self._gauge("void_spool_bytes", "Bytes that the jobs in the spool need")
        self._cap = self._gauge("void_spool_cap_bytes", "Bytes that they may need")
        self._looked = 0.0

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def serve(self, address: str) -> None:
        """Answer `http://ADDRESS/metrics` from a thread of its own. Raises CannotServe."""
        host, _, port = address.rpartition(":")
        try:
            prometheus_client.start_http_server(int(port), host.strip("[]") or "127.0.0.1", self.registry)
        except (OSError, ValueError, OverflowError) as error:
            raise CannotServe(f"metrics can't be served at {address} ({error}): give --metrics HOST:PORT") from error

    def ended(self, job: Job) -> None:
        """A job has come to its end."""
        self._ended.labels(job.state, job.code).inc()

    def look(self, store: JobStore, runner: Runner) -> None:
        """Look at how things are, once in a while."""
        if time.monotonic() - self._looked < LOOK_EVERY:
            return
        self._looked = time.monotonic()
        states = Count("running" if job.running else job.state for job in store)
        for state in STATES:
            self._jobs.labels(state).set(states[state])
        self._ready.set(runner.ready)
        for number, worker in enumerate(runner.workers):
            labels = (str(number), worker.device)
            self._up.labels(*labels).set(worker.state == "ready")
            self._busy.labels(*labels).set(worker.job is not None)
            self._starts.labels(*labels).set(worker.starts)
            self._memory.labels(*labels).set(own_memory(worker.pid) if worker.pid else 0)
        self._spool.set(store.room)
        self._cap.set(store.cap)
