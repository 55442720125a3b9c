"""Damaged EXRs as frames of real jobs: each job fails in words that name the frame, or its pixels are right.

    .venv/bin/python -m bench.mutated_frames --count 2000

A real `void serve` with the tests' stand-in engine. Each damaged file (tests/plates/mutations.py) is the plate, or
every fourth time the roto, of a job of its own; eight at a time. Right is what another reader, OpenImageIO, sees in
the very same file: outside the matte every channel of the result has to be that, to the bit, and the matte has to be
where the roto's alpha is. Prints JSON. Exit status 1 where anything else came of a file, or where the worker died.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from void_client.client import Client, Job
from void_client.errors import JobFailed
from void_client.follow import follow
from void_client.sequences import FileSequence, FrameRange

from tests.plates.mutations import mutations, originals
from tests.servers import Server
from void_server.masks.roto import ALPHA_FLOOR
from void_server.plates.exr import read_frame
from void_server.plates.frame import Frame
from void_server.service.watch import own_memory

Pixels = npt.NDArray[Any]
AT_ONCE = 8
SETTINGS = {"height": 32, "width": 48, "window": 13, "overlap": 8, "passes": 1}


@dataclass
class Figures:
    """What came of the files.

    refused: the job failed, and its message names the file. right: its pixels are what OpenImageIO sees. unseen:
    OpenImageIO reads nothing, and the pixels are what it sees in the undamaged file. growth: of the memory that front
    and worker hold, in MiB, over all files but the first tenth. The last two must be empty.
    """

    seconds: float = 0.0
    refused: int = 0
    right: int = 0
    unseen: int = 0
    growth: dict[str, float] = field(default_factory=dict)
    worker_deaths: int = 0
    wrong: dict[int, str] = field(default_factory=dict)

    def clean(self) -> bool:
        """Whether every file did what it may do."""
        return not (self.wrong or self.worker_deaths)


def seen_by_another(path: Path) -> dict[str, Pixels] | None:
    """Every channel [h, w] of an EXR's first part as OpenImageIO reads it; None where it reads none."""
    import OpenImageIO

    image = OpenImageIO.ImageInput.open(str(path))
    if image is None:
        OpenImageIO.geterror()
        return None
    spec = image.spec()
    found = {}
    for index, name in enumerate(spec.channelnames):
        kind = spec.channelformats[index] if spec.channelformats else spec.format
        pixels = image.read_image(0, 0, index, index + 1, kind)
        if pixels is None or image.has_error:
            image.geterror()
            return None
        found[name.split(".")[-1]] = np.asarray(pixels)[..., 0]
    return found


class OtherReader:
    """`seen_by_another` in a process of its own, which a damaged file may bring down."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))

    def read(self, path: Path) -> dict[str, Pixels] | None:
        """Where that process dies, or can't put what is wrong into words, there is nothing that it sees."""
        try:
            return self._pool.submit(seen_by_another, path).result(timeout=120)
        except BrokenProcessPool:
            self._start()
            return None
        except UnicodeDecodeError:  # of OpenImageIO's own message, which quotes the file
            return None

    def stop(self) -> None:
        """End the process."""
        self._pool.shutdown()


class Files:
    """The damaged files on disk, what each was before, and a whole one to go with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.whole = folder / "whole.exr"
        self.whole.write_bytes(originals()[0])

    def job(self, number: int, before: bytes, data: bytes) -> Job:
        """A job of one frame with damaged data."""
        damaged, other = ("roto", "plate") if self.is_roto(number) else ("plate", "roto")
        path = self.path(number)
        path.write_bytes(data)
        self.before(number).write_bytes(before)
        inputs = {damaged: FileSequence(self.folder, path.name), other: FileSequence(self.folder, self.whole.name)}
        return Job(FrameRange(1, 1), inputs, "", SETTINGS)

    def is_roto(self, number: int) -> bool:
        """Whether the damaged file is the roto, not the plate."""
        return number % 8 in (1, 6)

    def path(self, number: int) -> Path:
        """Where a damaged file lies."""
        return self.folder / f"damaged{number}.exr"

    def before(self, number: int) -> Path:
        """Where it lies as it was before."""
        return self.folder / f"before{number}.exr"


def _outcome(address: str, job: Job) -> bytes | JobFailed:
    """The one frame of a job's result, or how it failed. What the server has is then released."""
    frames: dict[int, bytes] = {}
    with Client(address, timeout=60.0) as client:
        job_id = client.submit(job)
        try:
            follow(client, job_id, on_frame=lambda number, data, _: frames.__setitem__(number, data), inputs=job.inputs)
        except JobFailed as failed:
            return failed
        finally:
            client.release(job_id)
    return frames[1]


def hammer(server: Server, folder: Path, count: int, seed: int) -> Figures:
    """Send so many damaged files through a server, and judge what comes back."""
    figures, files, other = Figures(), Files(folder), OtherReader()
    started = time.monotonic()
    with Client(server.address) as client:
        worker = client.status()["workers"][0]["pid"]
    before: dict[str, int] = {}

    def one(given: tuple[int, tuple[bytes, bytes]]) -> bytes | JobFailed:
        number, (before, data) = given
        return _outcome(server.address, files.job(number, before, data))

    with ThreadPoolExecutor(AT_ONCE) as clients:
        for number, outcome in enumerate(clients.map(one, enumerate(mutations(seed, count)))):
            if number == count // 10:
                before = {"front": own_memory(server.pid), "worker": own_memory(worker)}
            _judge(number, outcome, files, other, figures)
    with Client(server.address) as client:
        figures.worker_deaths += client.status()["workers"][0]["pid"] != worker
    after = {"front": own_memory(server.pid), "worker": own_memory(worker)}
    figures.growth = {name: round((after[name] - before[name]) / 2**20, 1) for name in before}
    figures.seconds = round(time.monotonic() - started, 1)
    other.stop()
    return figures


def _judge(number: int, outcome: bytes | JobFailed, files: Files, other: OtherReader, figures: Figures) -> None:
    if isinstance(outcome, JobFailed):
        # A window that has moved may leave nothing of the other, whole file: then that one is named.
        named = any(f"{name}.exr" in str(outcome) for name in (f"damaged{number}", "whole"))
        if outcome.code == "bad_input" and named and ": " in str(outcome):
            figures.refused += 1
        else:
            figures.wrong[number] = f"{outcome.code}: {outcome}"
        return
    seen, whole = other.read(files.path(number)), other.read(files.whole)
    assert whole, "a file that nobody has touched"
    if seen:
        figures.right += 1
    else:
        seen = other.read(files.before(number))
        assert seen, "a file that nobody has touched"
        figures.unseen += 1
    result = read_frame(outcome)
    fault = _matte_fault(result, seen) if files.is_roto(number) else ""
    fault = fault or _plate_fault(result, whole if files.is_roto(number) else seen)
    if fault:
        figures.wrong[number] = fault


def _plate_fault(result: Frame, plate: dict[str, Pixels]) -> str:
    """What differs from the plate outside the matte."""
    outside = result.channel("void.matte") == 0
    for name, pixels in plate.items():
        made = result.channel(name)
        if made.shape != pixels.shape:
            return f"channel {name} is {made.shape}, not {pixels.shape}"
        if made.dtype != pixels.dtype:
            return f"channel {name} is {made.dtype}, not {pixels.dtype}"
        if made[outside].tobytes() != pixels[outside].tobytes():
            return f"channel {name} has other pixels outside the matte"
    return ""


def _matte_fault(result: Frame, roto: dict[str, Pixels]) -> str:
    """Whether what is to go is where the roto's alpha is."""
    shown = np.rint(result.channel("void.quadmask").astype(np.float32) * 255)
    if shown.shape != roto["A"].shape:
        return f"the quadmask is {shown.shape}, the roto {roto['A'].shape}"
    with np.errstate(invalid="ignore"):
        return "" if np.array_equal(shown == 0, roto["A"] >= ALPHA_FLOOR) else "the matte is not where the roto is"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1] / "tests")  # the stand-in engine
    folder = Path(tempfile.mkdtemp(prefix="void-mutated-"))
    server = Server(folder / "spool", "--frame-limit", 60)
    try:
        figures = hammer(server, folder / "files", options.count, options.seed)
    finally:
        server.stop()
    print(json.dumps(asdict(figures), indent=1))
    if not figures.clean():
        sys.exit(f"what is left of it is in {folder}")


if __name__ == "__main__":
    main()
