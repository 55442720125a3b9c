"""`void run`, `void quadmask` and `void attach`: a shot through a server, onto disk."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from void_client import __version__, protocol
from void_client.client import Client, Job, Message, label_of
from void_client.delivery import Delivery
from void_client.errors import BadInput, JobCancelled, JobFailed, Refused
from void_client.follow import follow
from void_client.hints import read_hints_file
from void_client.sequences import FileSequence, FrameRange


class Shows(Protocol):
    """Progress to somebody: a terminal's Display, or a farm's."""

    def __enter__(self) -> Shows: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, state: Message) -> None:
        """Take a `state` message."""

    def show_silence(self, seconds: float) -> None:
        """Tell of a server that says nothing."""

    def say(self, text: str) -> None:
        """A sentence beside the progress."""


@dataclass(frozen=True)
class Finished:
    """What a run has left on disk."""

    manifest: Path
    job: str
    frames: int
    notices: list[str]


@dataclass(frozen=True)
class Masking:
    """What the command line says of masks, as it says it."""

    roto: str | None = None
    roto_keys: str | None = None
    affected: str | None = None
    quadmask: str | None = None
    hints: Path | None = None
    ask: str | None = None
    grow: int | None = None

    def check(self) -> None:
        """Raise BadInput where options contradict each other."""
        if (self.roto is None) == (self.quadmask is None):
            raise BadInput("give --roto (what to remove) or --quadmask (a finished one): one of the two")
        for name in ("affected", "hints", "ask", "grow", "roto_keys"):
            if self.quadmask and getattr(self, name) is not None:
                option = name.replace("_", "-")
                raise BadInput(f"--{option} adds to --roto; a finished --quadmask has it already: leave one out")
        if self.hints and self.ask is not None:
            raise BadInput("--hints answers what --ask would ask: leave one out")

    def settings(self) -> dict[str, Any]:
        """Those that are shot settings."""
        asked = {"ask": "require", "subject": self.ask} if self.ask is not None else {}
        return asked | ({"grow": self.grow} if self.grow is not None else {})

    def keys(self) -> tuple[int, ...] | None:
        """The roto's frames, if they are named. Raises BadInput."""
        if self.roto_keys is None:
            return None
        try:
            return tuple(int(number) for number in self.roto_keys.split(","))
        except ValueError as error:
            raise BadInput(f"--roto-keys {self.roto_keys}: write frame numbers with commas, 1001,1020") from error


def make_job(
    plate: str,
    masking: Masking,
    frames: str,
    *,
    prompt: str = "",
    settings: dict[str, Any] | None = None,
    result: str = "plate",
    batch: bool = False,
) -> Job:
    """A job from what the command line gives. Raises BadInput where its options contradict each other."""
    masking.check()
    wanted = FrameRange.parse(frames)
    given = {"plate": plate, "roto": masking.roto, "affected": masking.affected, "quadmask": masking.quadmask}
    inputs = {name: FileSequence.parse(path) for name, path in given.items() if path}
    return Job(
        frames=wanted,
        inputs=inputs,
        prompt=prompt,
        settings={**(settings or {}), **masking.settings()},
        label=label_of(inputs["plate"].pattern),
        result=result,
        hints=read_hints_file(masking.hints) if masking.hints else "",
        roto_keys=masking.keys(),
        priority="batch" if batch else "interactive",
    )


def run_shot(
    client: Client, job: Job, delivery: Delivery, display: Shows, patience: float = protocol.PATIENCE
) -> Finished:
    """Submit a job, stay with it, write its frames and the manifest. Ctrl-C cancels the job.

    Raises the errors of void_client.
    """
    job_id = client.submit(job)
    display.say(f"job {job_id} at {client.address}")
    display.say(f"working space: {job.colour['name']}")
    return take(client, job_id, delivery, display, facts_of(job), inputs=job.inputs, patience=patience)


def facts_of(job: Job) -> dict[str, Any]:
    """What a manifest says of what was asked for."""
    return {
        "first": job.frames.first,
        "last": job.frames.last,
        "inputs": {name: str(sequence.folder / sequence.pattern) for name, sequence in job.inputs.items()},
        "result": job.result,
        "prompt": job.prompt,
        "settings": job.settings,
        "colourspace": job.colour,
    }


def take(
    client: Client,
    job_id: str,
    delivery: Delivery,
    display: Shows,
    facts: dict[str, Any],
    *,
    inputs: dict[str, FileSequence] | None = None,
    patience: float = protocol.PATIENCE,
) -> Finished:
    """Follow a job to its end, and show how it goes. Ctrl-C cancels it. Else as `fetch`."""
    with interrupts() as interrupted, display:
        return fetch(
            client,
            job_id,
            delivery,
            facts,
            inputs=inputs,
            on_state=display.show,
            on_silence=display.show_silence,
            cancelled=interrupted.is_set,
            patience=patience,
        )


def fetch(client: Client, job_id: str, delivery: Delivery, facts: dict[str, Any], **following: Any) -> Finished:
    """Follow a job to its end and write what it yields, `facts` in its manifest; the server then forgets it.

    `following`: see follow, whose errors it raises.
    """
    try:
        state = follow(client, job_id, on_frame=delivery.write, **following)
    except (JobFailed, JobCancelled):
        client.release(job_id)
        raise
    delivery.keep_hints(state["hints"])
    manifest = delivery.finish(
        {
            **facts,
            "job": job_id,
            "void": __version__,
            "engine": state["engine"],
            "notices": state["notices"],
        }
    )
    client.release(job_id)
    return Finished(manifest, job_id, state["results"], state["notices"])


@contextmanager
def interrupts() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; the second interrupts as usual. For the main thread."""
    event = threading.Event()

    def first(*_: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, first)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


def held_job(client: Client, job_id: str) -> Message:
    """What the server's list says of a job that it holds. Raises Refused."""
    for job in client.jobs():
        if job["job"] == job_id:
            return job
    raise Refused("unknown_job", f"the server at {client.address} has no job {job_id}: `void jobs` lists what it has")
