"""How fast frames go to a server and results come back, beside a raw TCP connection over loopback in the same run.

    .venv/bin/python -m bench.wire --width 2048 --height 1152 --frames 24

Ours: `void_client` and a real `void serve`. Up: from `submit` until the server says that it has every frame: read,
hashed, sent, hashed again, on the server's disk (fsync), under its name. Down: every frame of a finished job, hashed by
the client, on its disk, under its name, and the manifest.

Two raw connections between two processes, the same files, a mebibyte at a time: `memory` reads them and drops what
comes; `disk` writes each frame, brings it to the same disk by a thread of its own (fsync) and renames it. Neither
hashes. A round has one of each, and the ratios are taken round by round, then their median. Beside ours stand the
seconds of CPU that the client and the server's front took a GiB, which a busy machine disturbs less. They need Linux.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from void_client import keys
from void_client.client import Client, Job, Message
from void_client.delivery import Delivery
from void_client.errors import JobCancelled
from void_client.follow import follow
from void_client.sequences import FileSequence, FrameRange

from bench.outside_model import Through
from void_server.plates.exr import write_frame
from void_server.plates.frame import Frame, Part

PIECE = 1 << 20
# The model's own size does not matter here; real pixels and grain are other benchmarks' business.
SETTINGS = {"height": 32, "width": 48, "window": 13, "overlap": 8, "passes": 1, "real_pixels": False, "grain": 0.0}


def engine(weights: Path | None) -> Through:
    """For `void serve --engine bench.wire:engine`: no model."""
    return Through()


def write_shot(folder: Path, width: int, height: int, count: int) -> Job:
    """A job of grainy half float plates (ZIP) and a small roto."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0.05, 0.9, width, dtype=np.float32)[None]
    folder.mkdir()
    for number in range(1, count + 1):
        channels = {
            name: (ramp + 0.02 * rng.standard_normal((height, width), np.float32)).astype(np.float16) for name in "RGB"
        }
        (folder / f"plate.{number:04d}.exr").write_bytes(write_frame(Frame((Part({}, channels),))))
        matte = np.zeros((height, width), np.float16)
        matte[height // 2 : height // 2 + 64, width // 2 : width // 2 + 64] = 1
        (folder / f"roto.{number:04d}.exr").write_bytes(write_frame(Frame((Part({}, {"A": matte}),))))
    inputs = {name: FileSequence(folder, f"{name}.%04d.exr") for name in ("plate", "roto")}
    return Job(FrameRange(1, count), inputs, "", SETTINGS)


class Served(NamedTuple):
    """A `void serve`: where it is, and its process."""

    address: str
    pid: int


@contextmanager
def served(folder: Path, *options: str) -> Iterator[Served]:
    """A `void serve` with a spool in this folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "void_server", "serve", "--json", "--until-eof", "--engine", "bench.wire:engine"]
    command += ["--bind", address, "--spool", str(folder / "spool"), *options]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        try:
            assert process.stdout
            assert process.stdout.readline(), f"see {folder / 'log'}"
            yield Served(address, process.pid)
        finally:
            process.terminate()
            process.wait(60)


class Sent(Exception):
    """The server has every frame."""


def upload(address: str, job: Job) -> float:
    """Seconds until a new job's frames are all at the server."""

    def look(state: Message) -> None:
        if state["state"] != "receiving":
            raise Sent

    with Client(address) as client:
        started = time.perf_counter()
        job_id = client.submit(job)
        try:
            follow(client, job_id, on_frame=lambda *_: None, on_state=look, inputs=job.inputs)
        except Sent:
            seconds = time.perf_counter() - started
        try:
            follow(client, job_id, on_frame=lambda *_: None, cancelled=lambda: True)
        except JobCancelled:
            client.release(job_id)
    return seconds


def make(address: str, job: Job) -> str:
    """A finished job whose results wait at the server."""
    with Client(address) as client:
        job_id = client.submit(job)
        follow(client, job_id, on_frame=lambda *_: None, inputs=job.inputs)
    return job_id


def download(address: str, job: Job, job_id: str, folder: Path) -> float:
    """Seconds until every frame of a finished job is on our disk, and the manifest."""
    delivery = Delivery(FileSequence(folder, "plate.%04d.exr"), job.frames, overwrite=True)
    with Client(address) as client:
        started = time.perf_counter()
        follow(client, job_id, on_frame=delivery.write)
        delivery.finish({})
        return time.perf_counter() - started


def raw(files: list[Path], into: Path | None) -> float:
    """Seconds until a child process has all files, on its disk if `into` names a folder there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-m", "bench.wire", "--receive", str(listener.getsockname()[1])]
        child = subprocess.Popen([*command, "--into", str(into or "")])
        connection, _ = listener.accept()
    with connection:
        started = time.perf_counter()
        for file in files:
            data = file.read_bytes()
            connection.sendall(struct.pack("<Q", len(data)))
            connection.sendall(data)
        connection.sendall(struct.pack("<Q", 0))
        assert connection.recv(1) == b"!"
        seconds = time.perf_counter() - started
    child.wait()
    return seconds


def receive(port: int, into: Path | None) -> None:
    """The other end of `raw`."""
    buffer = memoryview(bytearray(PIECE))
    with socket.create_connection(("127.0.0.1", port)) as connection, ThreadPoolExecutor(1) as syncing:
        number = 0
        while size := struct.unpack("<Q", connection.recv(8, socket.MSG_WAITALL))[0]:
            number += 1
            file = (into / f"{number}.part").open("wb", buffering=0) if into else None
            while size:
                count = connection.recv_into(buffer, min(size, PIECE), socket.MSG_WAITALL)
                size -= count
                if file:
                    file.write(buffer[:count])
            if file:
                syncing.submit(_bring_to_disk, file.fileno(), file, into / f"{number}.part")  # type: ignore[operator]
        syncing.shutdown()
        connection.sendall(b"!")


def _bring_to_disk(number: int, file: object, path: Path) -> None:
    os.fsync(number)
    path.replace(path.with_suffix(".exr"))


def spent(server: int) -> tuple[float, float]:
    """Seconds of CPU that this process and the server's (0: there is none) have taken so far; see proc(5)."""
    if not server:
        return time.process_time(), 0.0
    fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
    return time.process_time(), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Run(NamedTuple):
    """A way to bring the frames over. go: returns seconds. server: process id of a `void serve`, or 0."""

    go: Callable[[], float]
    server: int = 0


def compare(way: str, job_bytes: int, rounds: int, runs: dict[str, Run]) -> None:
    """Time each in turn, `rounds` times; print the median speed of each, ratios to the raw connections, and CPU."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    cpu: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            before = spent(run.server)
            seconds[name].append(run.go())
            after = spent(run.server)
            cpu[name].append((after[0] - before[0], after[1] - before[1]))
    for name, taken in seconds.items():
        line = f"{way:5} {name:15} {job_bytes / 1e6 / statistics.median(taken):6.0f} MB/s"
        for other in ("raw to memory", "raw to disk"):
            ratios = [theirs / ours for theirs, ours in zip(seconds[other], taken, strict=True)]
            line += f"   {statistics.median(ratios):.2f} of {other} ({min(ratios):.2f}-{max(ratios):.2f})"
        if runs[name].server:
            client, server = (statistics.median(each) / job_bytes * 2**30 for each in zip(*cpu[name], strict=True))
            line += f"   CPU s/GiB: client {client:.2f}, server {server:.2f}"
        print(line, flush=True)


def main() -> None:
    """Print speeds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--height", type=int, default=1152)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--receive", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--into", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.receive:
        receive(options.receive, Path(options.into) if options.into else None)
        return
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name), options.width, options.height, options.frames, options.rounds)


def overhead(folder: Path, address: str, count: int, rounds: int) -> None:
    """Print what a job of small frames takes from submit to its last frame, and when it enters each stage."""
    job = write_shot(folder / f"small{count}", 160, 90, count)
    told: list[dict[str, float]] = []
    for _ in range(rounds):
        entered: dict[str, float] = {}
        started = time.perf_counter()
        with Client(address) as client:
            job_id = client.submit(job)
            entered["accepted"] = time.perf_counter() - started

            def look(state: Message, entered: dict[str, float] = entered, started: float = started) -> None:
                entered.setdefault(state["state"], time.perf_counter() - started)

            follow(client, job_id, on_frame=lambda *_: None, on_state=look, inputs=job.inputs)
            entered["fetched"] = time.perf_counter() - started
            client.release(job_id)
        told.append(entered)
    names = [name for name in told[0] if all(name in entered for entered in told)]
    stages = ", ".join(f"{name} {statistics.median(one[name] for one in told) * 1000:.0f}" for name in names)
    print(f"a job of {count} small frames, ms after submit: {stages}", flush=True)


def measure(folder: Path, width: int, height: int, count: int, rounds: int) -> None:
    """Both ways, with and without keys."""
    job = write_shot(folder / "shot", width, height, count)
    files = [sequence.path(frame) for frame in job.frames for sequence in job.inputs.values()]
    (folder / "raw").mkdir()
    (folder / "plain").mkdir()
    (folder / "curve").mkdir()
    own = folder / "keys"
    public = keys.new_pair(own).public.decode()
    keys.allow(own, "me", keys.new_pair(folder / "me").public.decode())
    os.environ["VOID_KEYS"] = str(folder / "me")

    def keyed(run: Callable[[], float]) -> float:
        os.environ["VOID_SERVER_KEY"] = public
        try:
            return run()
        finally:
            del os.environ["VOID_SERVER_KEY"]

    with served(folder / "plain") as plain, served(folder / "curve", "--keys", str(own)) as curve:
        size = sum(file.stat().st_size for file in files)
        print(f"{count} frames of {width}x{height}, {size / len(job.frames) / 1e6:.1f} MB each; {rounds} rounds")
        runs = {
            "raw to memory": Run(lambda: raw(files, None)),
            "raw to disk": Run(lambda: raw(files, folder / "raw")),
            "ours": Run(lambda: upload(plain.address, job), plain.pid),
            "ours with CURVE": Run(lambda: keyed(lambda: upload(curve.address, job)), curve.pid),
        }
        for frames in (1, 10):
            overhead(folder, plain.address, frames, rounds)
        compare("up", size, rounds, runs)
        made = make(plain.address, job)
        results = sorted((folder / "plain" / "spool" / made).glob("result.*.exr"))
        size = sum(file.stat().st_size for file in results)
        runs = {
            "raw to memory": Run(lambda: raw(results, None)),
            "raw to disk": Run(lambda: raw(results, folder / "raw")),
            "ours": Run(lambda: download(plain.address, job, made, folder / "taken"), plain.pid),
        }
        compare("down", size, rounds, runs)


if __name__ == "__main__":
    main()
