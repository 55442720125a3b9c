"""Draws docs/images/grain.png: `python docs/draw_grain.py docs/images/grain.png`.

Part of the demo's plate four times as large and of twice the contrast, so that grain shows on the page; then with the
true background, which has no grain, where the ball was; and with grain on that, measured on four frames where nothing
is removed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from void_server.demo.scene import Scene
from void_server.plates.colour import ModelCurve
from void_server.plates.composite import composite, matte_ramp
from void_server.plates.grain import Grain, sample_grain

FRAME = 1012
PART = slice(370, 500), slice(590, 720)  # rows and columns of the data window: the ball and some floor
ENLARGED = 4
CONTRAST, MIDDLE = 2.0, 0.42  # about this value, as displayed

Pixels = npt.NDArray[np.float32]


def changed(scene: Scene, frame: int) -> npt.NDArray[np.bool_]:
    """Where the ball is or its shadow falls."""
    return (scene.object_matte(frame) > 0) | (scene.affected_matte(frame) > 0)


def filled(plate: Pixels, fill: Pixels, matte: Pixels) -> Pixels:
    """The fill over the plate by the matte."""
    channels = [composite(plate[..., c], np.ascontiguousarray(fill[..., c]), matte) for c in range(3)]
    return np.stack(channels, axis=2)


def tile(linear: Pixels, words: str) -> Image.Image:
    """The part, enlarged pixel by pixel, as a display shows it, with words in its corner."""
    encoded = ModelCurve.for_shot(1.0).encode(linear[PART])
    stretched = np.clip((encoded - MIDDLE) * CONTRAST + 0.5, 0, 1)
    shown = Image.fromarray(np.rint(255 * stretched).astype(np.uint8))
    shown = shown.resize((shown.width * ENLARGED, shown.height * ENLARGED), Image.Resampling.NEAREST)
    font = ImageFont.load_default(26)
    ImageDraw.Draw(shown).text((14, 10), words, "white", font, stroke_width=2, stroke_fill="black")
    return shown


def main(out: Path) -> None:
    """Draw it."""
    scene = Scene()
    frames = (1001, 1008, 1016, 1024)
    grain = Grain.of(sample_grain(np.moveaxis(scene.plate(frame), -1, 0), ~changed(scene, frame)) for frame in frames)
    plate, clean = scene.plate(FRAME), scene.truth(FRAME)
    matte = matte_ramp(changed(scene, FRAME), 4)
    tiles = [
        tile(plate, "plate"),
        tile(filled(plate, clean, matte), "ball removed, no grain"),
        tile(filled(plate, clean + grain.lay(clean, (42, FRAME)), matte), "with grain"),
    ]
    width, height = tiles[0].size
    sheet = Image.new("RGB", (3 * width + 2 * 8, height), "white")
    for index, picture in enumerate(tiles):
        sheet.paste(picture, (index * (width + 8), 0))
    sheet.save(out, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
