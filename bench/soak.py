"""Front, worker and client are killed in turn, at random moments, while many small jobs go through; what is lost?

    .venv/bin/python -m bench.soak --kills 200

The whole service with the real model's code on tiny weights, on the CPU; clients are bakes as the node makes them, each
a process that is started again when it dies, as a farm does. Prints JSON. Exit status 1 where a job was lost, ended
twice, or came back with other bits than one that nobody disturbed.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from void_client.bake import Bake
from void_client.client import Client
from void_client.errors import VoidError
from void_client.sequences import FrameRange

from void_server.demo.scene import Scene
from void_server.training.tiny import write_random_weights

VICTIMS = ("front", "worker", "client")
SEEDS = (1, 2, 3)  # each makes another picture
AT_ONCE = 3
CALM = 300.0  # seconds without an ended job after which something hangs
STEPS = {"steps": 8}
SETTINGS = {"height": 32, "width": 48, "window": 13, "overlap": 8, "pass1": STEPS, "pass2": STEPS}
CARRY_OUT = """
import sys
from pathlib import Path
from void_client.bake import Bake, carry_out
carry_out(Bake.read(Path(sys.argv[1])), sys.argv[2])
"""


@dataclass
class Figures:
    """What a soak has found. The last four must be 0."""

    seconds: float = 0.0
    jobs: int = 0
    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VICTIMS, 0))
    clients_started_again: int = 0
    lost: int = 0
    twice: int = 0
    different: int = 0
    ends_unasked: int = 0

    def whole(self) -> bool:
        """Whether nothing was lost, done twice or changed, and no server ended by itself."""
        return not (self.lost or self.twice or self.different or self.ends_unasked)


class Service:
    """A `void serve` that is started again whenever it has ended."""

    def __init__(self, folder: Path, weights: Path, devices: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.log = folder / "server.log"
        self.count = len(devices.split(","))
        self._command = [sys.executable, "-m", "void_server", "serve", "--until-eof", "--bind", self.address]
        self._command += ["--spool", str(folder / "spool"), "--weights", str(weights)]
        self._command += ["--devices", devices]
        self.start()

    def start(self) -> None:
        """Start it, and wait for nothing."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True
            )

    def workers(self) -> list[int]:
        """Its workers' processes, if it answers."""
        try:
            with Client(self.address, timeout=2.0) as client:
                return [worker["pid"] for worker in client.status()["workers"] if worker["state"] != "down"]
        except VoidError:
            return []

    def stop(self) -> None:
        """End it in order."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Jobs:
    """Bakes, each with a client of its own that is started again until its result is whole."""

    def __init__(self, folder: Path, shot: Path) -> None:
        self._folder = folder
        self._shot = shot
        self.made: dict[Path, Bake] = {}
        self.running: dict[Path, subprocess.Popen[bytes]] = {}
        self.started_again = 0

    def add(self, address: str) -> Bake:
        """Render and record another bake, and start its client."""
        number = len(self.made)
        bake = Bake.new(
            self._folder / f"v{number:04d}",
            ["main"],
            frames=FrameRange(1001, 1006),
            inputs=("plate", "roto"),
            result="plate",
            prompt="An empty table.",
            settings={**SETTINGS, "seed": SEEDS[number % len(SEEDS)]},
            label="a soak",
            facts={},
        )
        for name in bake.inputs:
            bake.input(name, "main").folder.mkdir(parents=True, exist_ok=True)
            for frame in bake.frames:
                shutil.copy(self._shot / f"{name}.{frame}.exr", bake.input(name, "main").path(frame))
        bake.write()
        self.made[bake.folder] = bake
        self._start(bake.folder, address)
        return bake

    def _start(self, folder: Path, address: str) -> None:
        with (self._folder / f"{folder.name}.log").open("ab") as log:
            self.running[folder] = subprocess.Popen(
                [sys.executable, "-c", CARRY_OUT, str(folder), address], stderr=log, start_new_session=True
            )

    def look_after(self, address: str) -> None:
        """Take note of clients that have ended, and start those again that have not brought their result home."""
        for folder, process in list(self.running.items()):
            if process.poll() is None:
                continue
            del self.running[folder]
            if process.returncode != 0 and (folder / "job.json").exists():
                self.started_again += 1
                self._start(folder, address)

    @property
    def ended(self) -> int:
        """How many are not under way any more."""
        return len(self.made) - len(self.running)

    def stop(self) -> None:
        """End every client."""
        for process in self.running.values():
            process.kill()
            process.wait()


def soak(folder: Path, kills: int, seed: int, devices: str = "cpu") -> Figures:
    """Kill so many times, let what is left end, and compare. Raises TimeoutError where no job ends any more."""
    chance = random.Random(seed)
    scene = Scene(width=160, height=90, count=6, overscan=4)
    scene.write(folder / "shot")
    write_random_weights(folder / "weights")
    expected = _undisturbed(folder)
    service = Service(folder, folder / "weights", devices)
    jobs, figures = Jobs(folder / "bakes", folder / "shot"), Figures()
    started = time.monotonic()
    try:
        _kill_in_turn(service, jobs, figures, kills, chance)
    finally:
        jobs.stop()
        service.stop()
    figures.seconds = round(time.monotonic() - started, 1)
    figures.jobs, figures.clients_started_again = len(jobs.made), jobs.started_again
    _compare(jobs, service.log.read_text(), expected, figures)
    return figures


def _undisturbed(folder: Path) -> dict[int, Bake]:
    """One bake of each seed, whole, by a server that is left alone."""
    calm = folder / "calm"
    calm.mkdir()
    service, jobs = Service(calm, folder / "weights", "cpu"), Jobs(calm / "bakes", folder / "shot")
    try:
        made = [jobs.add(service.address) for _ in SEEDS]
        _wait(jobs, service, lambda: not jobs.running)
    finally:
        jobs.stop()
        service.stop()
    return {bake.settings["seed"]: bake for bake in made}


def _wait(jobs: Jobs, service: Service, true: Callable[[], bool]) -> None:
    """Let time pass until something is true. Raises TimeoutError."""
    ended, since = jobs.ended, time.monotonic()
    while not true():
        time.sleep(0.05)
        jobs.look_after(service.address)
        if jobs.ended != ended:
            ended, since = jobs.ended, time.monotonic()
        if time.monotonic() - since > CALM:
            raise TimeoutError(f"no job has ended for {CALM:.0f} s; {len(jobs.running)} are under way: {service.log}")


def _kill_in_turn(service: Service, jobs: Jobs, figures: Figures, kills: int, chance: random.Random) -> None:
    calm = 0  # as many jobs must have ended before a worker is killed
    while sum(figures.kills.values()) < kills or jobs.running:
        while sum(figures.kills.values()) < kills and len(jobs.running) < AT_ONCE:
            jobs.add(service.address)
        if service.process.poll() is not None:
            figures.ends_unasked += 1
            service.start()
        if sum(figures.kills.values()) >= kills:
            _wait(jobs, service, lambda: not jobs.running or service.process.poll() is not None)
            continue
        victim = VICTIMS[sum(figures.kills.values()) % len(VICTIMS)]
        if victim == "worker":
            # A job whose worker goes down twice is rightly set aside: two jobs a worker must have ended in between.
            # Where some have, others are to be begun first.
            _wait(jobs, service, functools.partial(_enough, jobs, calm))
            if jobs.ended < calm:
                continue
        time.sleep(chance.uniform(0.0, 3.0))
        jobs.look_after(service.address)
        if _kill(victim, service, jobs, chance):
            figures.kills[victim] += 1
            if victim == "worker":
                calm = jobs.ended + 2 * service.count


def _enough(jobs: Jobs, least: int) -> bool:
    return jobs.ended >= least or len(jobs.running) < AT_ONCE


def _kill(victim: str, service: Service, jobs: Jobs, chance: random.Random) -> bool:
    """Whether there was one to kill."""
    if victim == "front":
        service.process.kill()
        service.process.wait()
        service.start()
        return True
    if victim == "worker":
        pid = chance.choice(service.workers() or [None])
    else:
        pid = chance.choice([process.pid for process in jobs.running.values()] or [None])
    if pid is None:
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _compare(jobs: Jobs, log: str, expected: dict[int, Bake], figures: Figures) -> None:
    """Count what is lost, done twice or different. A result names its job, which is therefore put in its place."""
    for bake in jobs.made.values():
        calm = expected[bake.settings["seed"]]
        job, calm_job = (one.ids["main"] for one in (bake, calm))
        figures.twice += log.count(f"job {job}: done") > 1
        if not bake.whole("main"):
            figures.lost += 1
            continue
        for frame in bake.frames:
            data = bake.output("main").path(frame).read_bytes()
            same = calm.output("main").path(frame).read_bytes().replace(calm_job.encode(), job.encode())
            figures.different += data != same


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--devices", default="cpu", help="as of `void serve`: cpu,cpu is two workers")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="void-soak-"))
    figures = soak(folder, options.kills, options.seed, options.devices)
    print(json.dumps(asdict(figures)))
    if not figures.whole():
        sys.exit(f"what is left of it is in {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
