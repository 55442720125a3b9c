"""Hundreds of shots on many GPUs, simulated: how many an hour, how long each waits, and what is full first.

A discrete simulation in plain Python. Every GPU has a worker of its own, two GPUs a workstation. A worker's server
receives the next job's frames while the present one runs (it does), and the results of the one before are fetched
meanwhile; within the worker a job is read, denoised and finished in turn. All frames come from and go to one storage,
whose rate is shared fairly by the transfers under way, none faster than its workstation's own link allows.

What is measured: the seconds outside the model and the bytes of a frame. What is arithmetic: the model's own time,
from the operations of a window over a card's sustained rate. Nothing here has run on a GPU.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import statistics
from dataclasses import dataclass, field, replace

OPERATIONS = 22.2e15  # both passes on one window of 85 frames of 384x672
WINDOW, OVERLAP = 85, 16  # frames
LOADING = 75.0  # seconds before the first shot of a server: the published cold run's, on an A100
GPUS_PER_HOST = 2
EPSILON = 1e-6  # seconds: what is that close happens at once


@dataclass(frozen=True)
class Farm:
    """What the shots run on and what they are. Rates in bytes and operations a second, times in seconds.

    outside: seconds of a worker for a frame, everything but the model; read, written: bytes of a frame.
    """

    gpus: int = 8
    sustained: float = 140e12
    outside: float = 1.34
    read: float = 29.4e6
    written: float = 29.8e6
    storage: float = 1.2e9
    link: float = 1.2e9
    shots: int = 500
    frames: float = 90.0
    spread: float = 0.6
    over: float = 0.0
    seed: int = 1

    def compute(self, frames: int) -> float:
        """Seconds of a worker for a shot."""
        windows = 1 + max(0, math.ceil((frames - WINDOW) / (WINDOW - OVERLAP)))
        return frames * self.outside + windows * OPERATIONS / self.sustained


@dataclass
class Shot:
    """A shot and when (seconds) it was asked for, began to be computed, and lay on the storage, whole."""

    frames: int
    asked: float
    begun: float = math.nan
    ended: float = math.nan


@dataclass(eq=False)
class Transfer:
    """A transfer under way."""

    left: float  # bytes
    host: int
    then: tuple[str, int, Shot]


@dataclass
class Worker:
    """One GPU: at most one shot being received, one received, one computed."""

    receiving: bool = False
    ready: Shot | None = None
    busy: bool = False
    loaded: float = LOADING


@dataclass
class Outcome:
    """Shots in the order in which they ended, and seconds for which things were in use."""

    shots: list[Shot] = field(default_factory=list)
    computing: float = 0.0
    moved: float = 0.0
    end: float = 0.0


class Simulation:
    """One run of a farm from the first shot to the last."""

    def __init__(self, farm: Farm) -> None:
        """Draw the shots: lengths log-normal about farm.frames, asked for evenly over farm.over seconds."""
        self.farm = farm
        draw = random.Random(farm.seed)
        lengths = [
            round(min(600, max(9, draw.lognormvariate(math.log(farm.frames), farm.spread)))) for _ in range(farm.shots)
        ]
        times = sorted(draw.uniform(0, farm.over) for _ in lengths)
        self.queue: list[Shot] = []
        self.workers = [Worker() for _ in range(farm.gpus)]
        self.transfers: list[Transfer] = []
        self.outcome = Outcome()
        self.now = 0.0
        self._number = 0
        self._events: list[tuple[float, int, tuple[str, int, Shot]]] = []
        for length, asked in zip(lengths, times, strict=True):
            self._at(asked, ("asked", 0, Shot(length, asked)))

    def run(self) -> Outcome:
        """To the end of the last shot."""
        while self._events or self.transfers:
            rates = self._rates()
            ends = [each.left / rate for each, rate in zip(self.transfers, rates, strict=True)]
            passed = min([*ends, *(event[0] - self.now for event in self._events[:1])])
            self.now += passed
            for each, rate in zip(self.transfers, rates, strict=True):
                each.left -= rate * passed
                self.outcome.moved += rate * passed
            arrived = [each for each, end in zip(self.transfers, ends, strict=True) if end <= passed + EPSILON]
            self.transfers = [each for each in self.transfers if each not in arrived]
            happened = [each.then for each in arrived]
            while self._events and self._events[0][0] <= self.now + EPSILON:
                happened.append(heapq.heappop(self._events)[2])
            for what, worker, shot in happened:
                self._happens(what, worker, shot)
            self._hand_out()
        self.outcome.end = self.now
        return self.outcome

    def _rates(self) -> list[float]:
        """Each transfer's rate: a fair share of the storage, no more than a fair share of its workstation's link."""
        each = self.farm.storage / max(1, len(self.transfers))
        sharing: dict[int, int] = {}
        for transfer in self.transfers:
            sharing[transfer.host] = sharing.get(transfer.host, 0) + 1
        return [min(each, self.farm.link / sharing[transfer.host]) for transfer in self.transfers]

    def _at(self, when: float, what: tuple[str, int, Shot]) -> None:
        self._number += 1
        heapq.heappush(self._events, (when, self._number, what))

    def _happens(self, what: str, number: int, shot: Shot) -> None:
        worker = self.workers[number]
        if what == "asked":
            self.queue.append(shot)
        elif what == "received":
            worker.receiving, worker.ready = False, shot
        elif what == "computed":
            worker.busy = False
            self._move(shot.frames * self.farm.written, number, "written", shot)
        else:
            shot.ended = self.now
            self.outcome.shots.append(shot)
        if worker.ready and not worker.busy:
            self._compute(number, worker, worker.ready)

    def _compute(self, number: int, worker: Worker, shot: Shot) -> None:
        worker.busy, worker.ready = True, None
        shot.begun = max(self.now, worker.loaded)
        seconds = self.farm.compute(shot.frames)
        self.outcome.computing += seconds
        self._at(shot.begun + seconds, ("computed", number, shot))

    def _hand_out(self) -> None:
        """A shot to every server that waits for one; idle ones first, then those that can receive ahead."""
        for number in sorted(range(len(self.workers)), key=lambda number: self.workers[number].busy):
            worker = self.workers[number]
            if self.queue and not worker.receiving and not worker.ready:
                shot = self.queue.pop(0)
                worker.receiving = True
                self._move(shot.frames * self.farm.read, number, "received", shot)

    def _move(self, size: float, number: int, then: str, shot: Shot) -> None:
        self.transfers.append(Transfer(size, number // GPUS_PER_HOST, (then, number, shot)))


def row(farm: Farm) -> str:
    """One line of the table."""
    outcome = Simulation(farm).run()
    waits = [shot.begun - shot.asked for shot in outcome.shots]
    turnaround = [shot.ended - shot.asked for shot in outcome.shots]
    return (
        f"{farm.gpus:5d} {outcome.end / 3600:9.1f} {len(outcome.shots) / outcome.end * 3600:9.0f}"
        f" {outcome.computing / outcome.end / farm.gpus:8.0%} {outcome.moved / outcome.end / farm.storage:9.0%}"
        f" {statistics.median(waits) / 60:9.1f} {statistics.quantiles(turnaround, n=20)[-1] / 60:9.1f}"
    )


HEADER = " gpus     hours shots/h   workers   storage  wait min   95% min"


def main() -> None:
    """Print a table for 1 to 64 GPUs, and at how many the storage is full."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    plain = Farm()
    parser.add_argument("--shots", type=int, default=plain.shots)
    parser.add_argument("--frames", type=float, default=plain.frames, help="median length of a shot")
    parser.add_argument("--outside", type=float, default=plain.outside, help="seconds a frame outside the model")
    parser.add_argument("--tflops", type=float, default=plain.sustained / 1e12, help="sustained by a card")
    parser.add_argument("--storage", type=float, default=plain.storage / 1e9, help="GB a second, all together")
    parser.add_argument("--link", type=float, default=plain.link / 1e9, help="GB a second of a workstation")
    parser.add_argument("--over", type=float, default=0.0, help="hours over which the shots are asked for")
    given = parser.parse_args()
    farm = replace(
        plain,
        shots=given.shots,
        frames=given.frames,
        outside=given.outside,
        sustained=given.tflops * 1e12,
        storage=given.storage * 1e9,
        link=given.link * 1e9,
        over=given.over * 3600,
    )
    print(HEADER)
    for gpus in (1, 2, 4, 8, 16, 32, 64):
        print(row(replace(farm, gpus=gpus)), flush=True)
    frames = round(farm.frames)
    moving = frames * (farm.read + farm.written) / farm.storage
    print(f"a shot of {frames} frames: {farm.compute(frames):.0f} s of a worker, {moving:.1f} s of the storage:")
    print(f"the storage is full at about {farm.compute(frames) / moving:.0f} GPUs")


if __name__ == "__main__":
    main()
