"""`void run` and `void attach`: a shot through a server, onto disk."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from void_client import __version__
from void_client.client import Client, Job
from void_client.delivery import Delivery
from void_client.errors import JobCancelled, JobFailed, Refused
from void_client.follow import follow
from void_client.sequences import FileSequence, FrameRange

from .display import Display


@dataclass(frozen=True)
class Finished:
    """What a run has left on disk."""

    manifest: Path
    job: str
    frames: int
    notices: list[str]


def run_shot(client: Client, job: Job, delivery: Delivery, display: Display) -> Finished:
    """Submit a job, stay with it, write its frames and the manifest. Ctrl-C cancels the job.

    Raises the errors of void_client.
    """
    job_id = client.submit(job)
    display.say(f"job {job_id} at {client.address}")
    facts = {
        "first": job.frames.first,
        "last": job.frames.last,
        "inputs": {name: str(sequence.folder / sequence.pattern) for name, sequence in job.inputs.items()},
        "prompt": job.prompt,
        "settings": job.settings,
    }
    return take(client, job_id, delivery, display, facts, inputs=job.inputs)


def take(
    client: Client,
    job_id: str,
    delivery: Delivery,
    display: Display,
    facts: dict[str, Any],
    *,
    inputs: dict[str, FileSequence] | None = None,
) -> Finished:
    """Follow a job to its end and write what it yields; the server then forgets it."""
    with _interrupts() as interrupted, display:
        try:
            state = follow(
                client,
                job_id,
                on_frame=delivery.write,
                on_state=display.show,
                cancelled=interrupted.is_set,
                inputs=inputs,
            )
        except (JobFailed, JobCancelled):
            _release(client, job_id)
            raise
    manifest = delivery.finish(
        {
            **facts,
            "job": job_id,
            "void": __version__,
            "engine": client.status()["engine"],
            "notices": state["notices"],
        }
    )
    _release(client, job_id)
    return Finished(manifest, job_id, state["results"], state["notices"])


def _release(client: Client, job_id: str) -> None:
    try:
        client.release(job_id)
    except Refused:
        return  # another client that followed the job was faster


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; the second interrupts as usual."""
    event = threading.Event()

    def first(*_: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, first)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


def frames_of(client: Client, job_id: str) -> FrameRange:
    """The frame range of a job the server holds. Raises Refused."""
    for job in client.jobs():
        if job["job"] == job_id:
            return FrameRange(job["first"], job["last"])
    raise Refused("unknown_job", f"the server at {client.address} has no job {job_id}: `void jobs` lists what it has")
