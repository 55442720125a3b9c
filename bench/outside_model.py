"""Wall time of a shot outside the model, over the time its EXR files alone take to decode and encode.

Both are measured in the same run, on the same frames, with the same two threads. The engine returns the clip as it is.
The denominator reads each plate and matte once and writes each result once: what no implementation can do without.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from void_server.demo.scene import Scene
from void_server.engine import RemovalRequest
from void_server.footage import Footage
from void_server.mattes import Mattes
from void_server.plates.exr import read_frame, write_frame
from void_server.plates.stream import ordered_map
from void_server.settings import ShotSettings
from void_server.shot import remove_object
from void_server.stages import AHEAD, THREADS


class Through:
    """An engine that takes no time."""

    name = "through"
    notice = ""

    def remove(self, request: RemovalRequest) -> npt.NDArray[np.float32]:
        """The clip as it is."""
        return request.clip


class Silent:
    """A progress that says nothing."""

    def step(self, stage: str, step: int, steps: int) -> None:
        """Nothing."""

    def part(self, number: int, count: int) -> None:
        """Nothing."""

    def notice(self, text: str) -> None:
        """Nothing."""

    def hints(self, text: str) -> None:
        """Nothing."""


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=3840)
    parser.add_argument("--height", type=int, default=2160)
    parser.add_argument("--frames", type=int, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(options.width, options.height, options.frames)
        scene.write(Path(folder))
        plate, roto, affected = (
            Footage(name, {frame: Path(folder) / f"{name}.{frame}.exr" for frame in scene.frames})
            for name in ("plate", "roto", "affected")
        )
        settings = ShotSettings()
        started = time.perf_counter()
        removed = remove_object(plate, Mattes(roto, affected), settings, Through(), Silent())
        results = list(ordered_map(write_frame, removed, threads=THREADS, ahead=AHEAD))
        ours = time.perf_counter() - started

        frames = [read_frame(data) for data in results]
        started = time.perf_counter()
        for footage in (plate, roto, affected):
            for _ in ordered_map(footage.read, footage.frames, threads=THREADS, ahead=AHEAD):
                pass
        for _ in ordered_map(write_frame, frames, threads=THREADS, ahead=AHEAD):
            pass
        codec = time.perf_counter() - started
    print(f"{options.frames} frames of {options.width}x{options.height}, half, ZIP, {THREADS} threads")
    print(f"outside the model {ours:.2f} s, codec alone {codec:.2f} s, ratio {ours / codec:.2f}")


if __name__ == "__main__":
    main()
