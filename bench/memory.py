"""Peak memory of a shot outside the model, for two lengths of the same plates.

Each length runs in a process of its own with an engine that returns the clip as it is; every result is encoded and
thrown away. Counted is the peak of that process and all its children together (proportional set sizes, so that shared
pages count once), sampled twenty times a second; for the process itself the kernel's own mark, which misses nothing.
What the model is given at its own size (clip and quadmask) is subtracted: it grows with the shot by design. Goals: at
most 2 GiB for 200 frames of 4K, and at most 1.1 times the peak of 25.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from bench.outside_model import Silent, Through
from bench.scenes import TruthScene
from void_server.footage import Footage
from void_server.mattes import Mattes
from void_server.plates.exr import write_frame
from void_server.plates.stream import ordered_map
from void_server.settings import ShotSettings
from void_server.shot import remove_object
from void_server.stages import AHEAD, THREADS

DISTINCT = 5  # frames that are written; longer shots go through them to and fro
MIB = 1 << 20
ROOT = Path(__file__).parents[1]


def shot(folder: Path, count: int) -> dict[str, Footage]:
    """`count` frames made of the DISTINCT ones in the folder, to and fro, so that neighbours stay neighbours."""
    to_and_fro = [*range(DISTINCT), *range(DISTINCT - 2, 0, -1)]
    return {
        name: Footage(
            f"{name}.####.exr",
            {1001 + i: folder / f"{name}.{1001 + to_and_fro[i % len(to_and_fro)]}.exr" for i in range(count)},
        )
        for name in ("plate", "roto", "affected")
    }


def run(folder: Path, count: int) -> None:
    """The child: one shot; prints its own peak in bytes."""
    footage = shot(folder, count)
    mattes = Mattes(footage["roto"], footage["affected"])
    results = remove_object(footage["plate"], mattes, ShotSettings(), Through(), Silent())
    for _ in ordered_map(write_frame, results, threads=THREADS, ahead=AHEAD):
        pass
    # Not getrusage's: that of a process just started begins with its parent's.
    print(1024 * _kibibytes("/proc/self/status", "VmHWM:"))


def given(count: int) -> int:
    """Bytes of what the model is given for `count` frames: a float32 clip and a quadmask."""
    settings = ShotSettings()
    return count * settings.width * settings.height * (3 * 4 + 1)


def measured(folder: Path, count: int) -> tuple[int, int]:
    """Bytes: the peak of a process that makes the shot, and that of it and its children together."""
    command = [sys.executable, "-m", "bench.memory", "--child", str(folder.resolve()), str(count)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        ended, peak = threading.Event(), 0

        def sample() -> None:
            nonlocal peak
            while not ended.wait(0.05):
                peak = max(peak, sum(_proportional(pid) for pid in _family(child.pid)))

        sampler = threading.Thread(target=sample)
        sampler.start()
        printed, _ = child.communicate()
        ended.set()
        sampler.join()
    if child.returncode:
        raise SystemExit(f"the shot ended with {child.returncode}")
    own = int(printed.splitlines()[-1])
    return own, max(own, peak)


def _family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # it has just ended
        return []
    return [pid, *(one for child in children for one in _family(child))]


def _proportional(pid: int) -> int:
    """Its proportional set size in bytes; 0 when it has just ended."""
    try:
        return 1024 * _kibibytes(f"/proc/{pid}/smaps_rollup", "Pss:")
    except OSError:
        return 0


def _kibibytes(path: str, field: str) -> int:
    """One field of a file of /proc; 0 where there is none."""
    lines = (line.split() for line in Path(path).read_text().splitlines())
    return next((int(words[1]) for words in lines if words[0] == field), 0)


def main() -> None:
    """Print both peaks, what is subtracted, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=3840)
    parser.add_argument("--height", type=int, default=2160)
    parser.add_argument("--frames", type=int, nargs=2, default=[25, 200])
    parser.add_argument("--child", nargs=2, metavar=("FOLDER", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        run(Path(options.child[0]), int(options.child[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        TruthScene(options.width, options.height, DISTINCT, "handheld", drop=0.02).write(Path(folder))
        net = []
        for count in options.frames:
            own, together = measured(Path(folder), count)
            net.append(together - given(count))
            peaks = f"peak {together / MIB:.0f} MiB with children, {own / MIB:.0f} without"
            print(f"{count} frames of {options.width}x{options.height}: {peaks}", flush=True)
            print(
                f"  less the model's clip and quadmask, {given(count) / MIB:.0f}: {net[-1] / MIB:.0f} MiB", flush=True
            )
    print(f"{options.frames[1]} over {options.frames[0]} frames, outside the model: {net[1] / net[0]:.2f}")


if __name__ == "__main__":
    main()
