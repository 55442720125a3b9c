"""What a worker says of a job while it runs, and how it is stopped within a step."""

from __future__ import annotations

import time

from void_server.settings import ShotSettings

from .link import Pipe


class JobStopped(Exception):
    """The job that runs is to stop: it was cancelled, or is to be gone on with later."""


class Cancellations:
    """Ids of jobs to be stopped; filled by the thread that reads the pipe."""

    def __init__(self) -> None:
        self._ids: set[str] = set()

    def add(self, job: str) -> None:
        self._ids.add(job)

    def discard(self, job: str) -> None:
        """Let a job run that was stopped before."""
        self._ids.discard(job)

    def check(self, job: str) -> None:
        """Raise JobStopped if this job is to stop."""
        if job in self._ids:
            raise JobStopped


def steps_left(settings: ShotSettings, stage: str, left: int, parts: int) -> float:
    """What is left of a job, in steps of the stage at hand: `left` of them, then pass 2, then so many parts like this.

    A step with guidance costs twice one without. What comes before and after the passes is not in it.
    """
    passes = {"pass1": settings.pass1, "pass2": settings.pass2}
    if stage not in passes:
        return float(left)
    costs = {name: 1 if each.guidance_scale == 1.0 else 2 for name, each in passes.items()}
    of_pass = {name: passes[name].steps * costs[name] for name in list(passes)[: settings.passes]}
    rest = of_pass.get("pass2", 0) if stage == "pass1" else 0
    return left + (rest + parts * sum(of_pass.values())) / costs[stage]


class Reporter:
    """A shot's Progress: tells the front, with the seconds left, and stops a job within a step when asked to."""

    def __init__(self, job: str, settings: ShotSettings, pipe: Pipe, cancellations: Cancellations) -> None:
        self._job = job
        self._settings = settings
        self._pipe = pipe
        self._cancellations = cancellations
        self._stage, self._first, self._parts_left = "", 0, 0
        self._started = self._told = time.monotonic()

    def step(self, stage: str, step: int, steps: int) -> None:
        """Report a step. Raises JobStopped."""
        self._cancellations.check(self._job)
        now = time.monotonic()
        if stage != self._stage:
            # A stage that a restart goes on with begins at a later step. Others may first be told of at their first.
            self._stage, self._first = stage, step if step > 1 else 0
            self._started = self._told if step == 1 else now
        self._told = now
        self._pipe.send(
            "progress", job=self._job, stage=stage, step=step, steps=steps, eta=self._left(stage, step, steps)
        )

    def _left(self, stage: str, step: int, steps: int) -> float | None:
        """Seconds left, from this stage's pace."""
        done = step - self._first
        if done == 0:
            return None
        left = steps_left(self._settings, stage, steps - step, self._parts_left)
        return left * (time.monotonic() - self._started) / done

    def part(self, number: int, count: int) -> None:
        """Say which run of the engine this is."""
        self._parts_left = count - number
        self._pipe.send("part", job=self._job, part=number, parts=count)
        self._stage = ""  # the next one begins anew, though it may be of the same name

    def notice(self, text: str) -> None:
        """Pass a sentence for the artist on."""
        self._pipe.send("notice", job=self._job, text=text)

    def hints(self, text: str) -> None:
        """Pass the hints on that somebody was asked for."""
        self._pipe.send("hints", job=self._job, text=text)
