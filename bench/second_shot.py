"""Time to the first denoising step: a second shot on a resident server, over a cold process.

Cold: from starting `void serve` to the first step of pass 1. Second: from submitting the next shot to the same. Same
run, same shot, same machine. With the tiny random weights loading is mostly Python's imports; with the real ones it is
33 GB from disk, so the true ratio is smaller.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from void_client.client import Client, Job
from void_client.follow import follow
from void_client.sequences import FileSequence, FrameRange

from void_server.demo.scene import Scene
from void_server.serving import own_server
from void_server.training.tiny import write_random_weights

SETTINGS = {"height": 96, "width": 160, "window": 21, "overlap": 8, "passes": 1, "pass1": {"steps": 2}}


class FirstStepDone(Exception):
    """Pass 1 has made its first step."""


def until_first_step(client: Client, job: Job) -> None:
    """Submit a job, wait for the first denoising step, cancel it."""

    def look(state: dict[str, Any]) -> None:
        if state["state"] == "pass1" and state["step"] >= 1:
            raise FirstStepDone

    job_id = client.submit(job)
    try:
        follow(client, job_id, on_frame=lambda *_: None, on_state=look, inputs=job.inputs)
    except FirstStepDone:
        client.cancel(job_id)


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, help="a weights folder; small random ones without it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = options.weights or folder / "weights"
        if not options.weights:
            write_random_weights(weights)
        scene = Scene(count=13)
        scene.write(folder / "shot")
        frames = FrameRange(scene.frames[0], scene.frames[-1])
        inputs = {kind: FileSequence(folder / "shot", f"{kind}.%04d.exr") for kind in ("plate", "roto")}
        job = Job(frames, inputs, "", SETTINGS)
        started = time.perf_counter()
        with own_server(weights=weights, log=folder / "log") as address:
            with Client(address) as client:
                until_first_step(client, job)
            cold = time.perf_counter() - started
            started = time.perf_counter()
            with Client(address) as client:
                until_first_step(client, job)
            second = time.perf_counter() - started
    print(f"first denoising step: cold process {cold:.2f} s, second shot {second:.2f} s, ratio {second / cold:.2f}")


if __name__ == "__main__":
    main()
