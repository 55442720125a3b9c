"""A batch's tasks through a server, a few at a time; one that fails takes no other along."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from void_client.client import Client
from void_client.errors import JobCancelled, ProtocolMismatch, ServerLost, ServerUnreachable, VoidError

from void_server.run import facts_of, fetch, interrupts

from .prepare import Outcome, State, Task
from .progress import BatchDisplay
from .record import MADE_FROM, job_id

UNREACHABLE = (ServerLost, ServerUnreachable, ProtocolMismatch)


def send(
    tasks: list[Task],
    address: str,
    at_once: int | None,
    patience: float,
    display: BatchDisplay,
    on_outcome: Callable[[Outcome], None],
) -> None:
    """Send every task, and tell of each as it ends, in this thread, which must be the main one. Ctrl-C cancels.

    at_once: how many are with the server at a time; None: one more than it has devices, so that frames of one travel
    while the others are worked on. patience: see follow. Raises ServerUnreachable and
    ProtocolMismatch, before any is sent.
    """
    with Client(address) as client:
        devices = len(client.status().get("workers", [None]))
    with (
        interrupts() as cancelled,
        display,
        ThreadPoolExecutor(at_once or devices + 1, thread_name_prefix="shot") as pool,
    ):
        display.expect(len(tasks))
        sending = _Sending(address, patience, display, cancelled)
        waiting = {pool.submit(sending.outcome, task) for task in tasks}
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in done:
                    on_outcome(future.result())
        except BaseException:
            cancelled.set()
            raise


@dataclass
class _Sending:
    """What the threads of one batch share. cancelled: nobody wants the shots any more; lost: the server is gone."""

    address: str
    patience: float
    display: BatchDisplay
    cancelled: threading.Event
    lost: threading.Event = field(default_factory=threading.Event)

    def outcome(self, task: Task) -> Outcome:
        """One task, in a thread of its own with a client of its own."""
        if self.cancelled.is_set():
            return Outcome(task.shot, "cancelled")
        if self.lost.is_set():
            return Outcome(task.shot, "left", "the server is gone")
        try:
            return self._sent(task)
        except VoidError as error:
            if isinstance(error, UNREACHABLE):
                self.lost.set()
            ended: State = "cancelled" if isinstance(error, JobCancelled) and self.cancelled.is_set() else "failed"
            return Outcome(task.shot, ended, str(error))
        finally:
            self.display.end(task.shot.name)

    def _sent(self, task: Task) -> Outcome:
        name, folder = task.shot.name, task.delivery.output.folder
        facts = {**facts_of(task.job), MADE_FROM: task.asked}
        with Client(self.address) as client:
            sent = client.submit(task.job, job_id(task.asked, folder))
            anew = f", anew ({task.why})" if task.why else ""
            self.display.begin(name, f"frames {task.job.frames}, job {sent}{anew}")
            finished = fetch(
                client,
                sent,
                task.delivery,
                facts,
                inputs=task.job.inputs,
                on_state=lambda state: self.display.show(name, state),
                on_silence=lambda seconds: self.display.show_silence(name, seconds),
                cancelled=self.cancelled.is_set,
                patience=self.patience,
            )
        manifest = json.loads(finished.manifest.read_text("utf-8"))
        return Outcome(task.shot, "done", manifest=manifest)
