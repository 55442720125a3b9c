r"""Makes the batch of docs/batch.md: `python docs/draw_batch.py /tmp/batch`, some minutes on two cores.

Six shots of the demo's scene, two of them broken on purpose, go through a server with untrained weights. Then, with any
browser of the Chromium family:

    chromium --headless --disable-lcd-text --hide-scrollbars --window-size=1180,1095 \
        --screenshot=/tmp/batch.png file:///tmp/batch/out/report.html
    python -c "from PIL import Image; Image.open('/tmp/batch.png').convert('RGB').save('docs/images/batch.jpg')"
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import opentimelineio as otio

from void_server.demo import SETTINGS
from void_server.demo.scene import Scene
from void_server.serving import own_server
from void_server.training.tiny import write_random_weights

RATE = 24000 / 1001
HOUR = 86400  # 01:00:00:00


def span(first: int, count: int) -> otio.opentime.TimeRange:
    """Frames from `first` on."""
    return otio.opentime.TimeRange(otio.opentime.RationalTime(first, RATE), otio.opentime.RationalTime(count, RATE))


def clip(name: str, start: int, count: int, **mark: Any) -> otio.schema.Clip:
    """A clip of the plate, which begins at one hour; `start` is in frames from there."""
    plate = otio.schema.ImageSequenceReference(
        "plates", "plate.", ".exr", 1001, 1, RATE, 4, available_range=span(HOUR, 24)
    )
    given = {"roto": "plates/roto.%04d.exr", "affected": "plates/affected.%04d.exr", "settings": SETTINGS, **mark}
    return otio.schema.Clip(name, plate, span(HOUR + start, count), metadata={"void": given})


def write_edit(folder: Path) -> Path:
    """The timeline."""
    retimed = clip("sh040", 4, 8)
    retimed.effects.append(otio.schema.LinearTimeWarp(time_scalar=0.5))
    clips = [
        clip("sh010", 4, 5, prompt="An empty floor in front of a wall with two lamps."),
        clip("sh020", 2, 12, roto="plates/rota.%04d.exr"),
        clip("sh030", 9, 5),
        retimed,
        clip("sh050", 14, 5),
        clip("sh060", 17, 4),
    ]
    timeline = otio.schema.Timeline("cut")
    timeline.tracks.append(otio.schema.Track("V1", clips))
    otio.adapters.write_to_file(timeline, str(folder / "cut.otio"))
    return folder / "cut.otio"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    Scene(width=480, height=270).write(folder / "plates")
    write_random_weights(folder / "weights")
    with own_server(weights=folder / "weights", log=folder / "log") as address:
        command = ["batch", write_edit(folder), "--out", folder / "out", "--handles", 4, "--server", address]
        sys.exit(subprocess.run([sys.executable, "-m", "void_server", *map(str, command)], check=False).returncode)
