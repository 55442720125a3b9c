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
from void_server.training.shipped import FOLDER, PROMPT, settings_of

from .report import write_report
from .scene import Scene

# A ball on a block, from the scenes that the tiny model has never seen; 21 frames are its window.
SCENE = Scene(768, 432, count=21, kind="support", seed=1_000_051)


def run_demo(out: Path) -> str:
    """Write the shot, both passes' results and the report into `out`; returns what to say of it.

    Raises BadInput where `out` has something else in it, and the errors of void_client.
    """
    if out.exists() and any(out.iterdir()) and not (out / "shot").is_dir():
        raise BadInput(f"{out} has something else in it: name a new folder with --out")
    display = Display()
    display.say(f"making a shot of {SCENE.count} frames, {SCENE.width}x{SCENE.height}, in {out / 'shot'}")
    SCENE.write(out / "shot")
    frames = FrameRange(SCENE.frames[0], SCENE.frames[-1])
    shot = {name: FileSequence(out / "shot", f"{name}.%04d.exr") for name in ("plate", "roto", "affected", "truth")}
    inputs = {name: shot[name] for name in ("plate", "roto", "affected")}
    settings = settings_of(FOLDER)
    results = {}
    started = time.monotonic()
    display.say("starting a server and loading the tiny demo weights")
    with own_server(weights=None, log=out / "server.log") as address, Client(address) as client:
        for passes in (1, 2):
            results[passes] = FileSequence(out / f"pass{passes}", "plate.%04d.exr")
            display.say(f"removing the block, {'pass 1 alone' if passes == 1 else 'both passes'}")
            job = Job(frames, inputs, PROMPT, settings | {"passes": passes}, f"demo, pass {passes}")
            finished = run_shot(client, job, Delivery(results[passes], frames, overwrite=True), display)
    seconds = time.monotonic() - started
    compared = write_report(out, shot, results[1], results[2], frames, finished.notices, seconds)
    result = results[2]
    return (
        f"plates:        {result.folder / result.pattern} ({len(frames)} frames, layers void and provenance)\n"
        f"report:        {out / 'report.html'}\n"
        f"contact sheet: {out / 'contact_sheet.png'}\n"
        f"loop:          {out / 'loop.webp'}\n"
        f"outside the matte {compared.different} of {compared.values:,} values differ from the plate\n"
        + "\n".join(f"note: {notice}" for notice in finished.notices)
    )
