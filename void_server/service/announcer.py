"""What the followers of a job are told, once the journal has it: what a client has heard outlives the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .jobs import Job, Result
from .socket import ClientSocket
from .store import JobStore


class Announcer:
    """Tells whoever follows a job."""

    def __init__(self, clients: ClientSocket, store: JobStore, on_end: Callable[[Job], None]) -> None:
        """on_end: hears of each job that has ended."""
        self._clients = clients
        self._store = store
        self._on_end = on_end

    def changed(self, job: Job) -> None:
        """A job is in another state."""
        self._store.save(job)
        self.progressed(job)
        if job.ended:
            self._on_end(job)

    def progressed(self, job: Job) -> None:
        """A job is a step further in its state."""
        self._push(job, "state", **job.describe())

    def finished(self, job: Job, result: Result) -> bool:
        """A frame of the result is there. False where the journal could not take it."""
        if not self._store.add_result(job, result):
            return False
        self._push(job, "result", job=job.id, frame=result.frame, size=result.size, sha256=result.sha256)
        return True

    def _push(self, to: Job, kind: str, /, **fields: Any) -> None:
        to.watchers = {client for client in to.watchers if self._clients.send(client, kind, **fields)}
