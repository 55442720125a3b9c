"""`void demo`: a shot made on the spot goes through a server of its own, and a report shows what came back."""

from __future__ import annotations

import time
from pathlib import Path

from void_client.client import Client, Job
from void_client.delivery import Delivery
from void_client.errors import BadInput
from void_client.sequences import FileSequence, FrameRange

from void_server.display import Display
from void_server.run import run_shot
from void_server.serving import own_server

from .report import write_report
from .scene import Scene

SETTINGS = {"height": 96, "width": 160, "window": 21, "overlap": 8, "pass1": {"steps": 3}, "pass2": {"steps": 3}}


def run_demo(out: Path) -> str:
    """Write the shot, tiny weights, the result and the report into `out`; returns what to say of it.

    Raises BadInput where `out` has something else in it, and the errors of void_client.
    """
    from void_server.training.tiny import write_random_weights  # torch

    if out.exists() and any(out.iterdir()) and not (out / "weights").is_dir():
        raise BadInput(f"{out} has something else in it: name a new folder with --out")
    display = Display()
    scene = Scene()
    display.say(f"making a shot of {scene.count} frames, {scene.width}x{scene.height}, in {out / 'shot'}")
    scene.write(out / "shot")
    if not (out / "weights").is_dir():
        write_random_weights(out / "weights")
    display.say("starting a server and loading its weights")
    frames = FrameRange(scene.frames[0], scene.frames[-1])
    inputs = {name: FileSequence(out / "shot", f"{name}.%04d.exr") for name in ("plate", "roto", "affected")}
    result = FileSequence(out / "result", "plate.%04d.exr")
    started = time.monotonic()
    with own_server(weights=out / "weights", log=out / "server.log") as address, Client(address) as client:
        job = Job(frames, inputs, "An empty floor in front of a wall with two lamps.", SETTINGS, "demo")
        finished = run_shot(client, job, Delivery(result, frames, overwrite=True), display)
    seconds = time.monotonic() - started
    compared = write_report(out, inputs, result, frames, finished.notices, seconds)
    return (
        f"plates:        {result.folder / result.pattern} ({len(frames)} frames, layers void and provenance)\n"
        f"report:        {out / 'report.html'}\n"
        f"contact sheet: {out / 'contact_sheet.png'}\n"
        f"outside the matte {compared.different} of {compared.values:,} values differ from the plate\n"
        + "\n".join(f"note: {notice}" for notice in finished.notices)
    )
