"""Draws docs/images/provenance.png: `python docs/draw_provenance.py docs/images/provenance.png`.

Part of a frame of the demo's shot: the plate, the result, and where its pixels are from. In the model's place stands an
engine that answers with the scene's true background, as small as the demo's model: this shows what is done at plate
resolution, not what the model can do.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from void_server.demo.report import GENERATED, PLATE, REAL, where_from
from void_server.demo.scene import Scene
from void_server.engine import RemovalRequest
from void_server.footage import Footage
from void_server.mattes import Mattes
from void_server.plates.colour import ModelCurve
from void_server.plates.frame import Frame
from void_server.plates.resize import shrink
from void_server.settings import ShotSettings
from void_server.shot import remove_object

SETTINGS = {"height": 96, "width": 160, "window": 21, "overlap": 8}
FRAME = 1012
PART = slice(268, 532), slice(440, 750)  # rows and columns of the data window: the ball, its shadow and some floor
ENLARGED = 2
LEGEND = ((REAL, "from another frame"), (GENERATED, "generated"), (PLATE, "the plate's own"))
GAP, STRIP = 8, 44  # pixels

Picture = npt.NDArray[np.uint8]


class Background:
    """An engine that answers with the scene's true background, without grain, as the model would see it."""

    name = "background"
    notice = ""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def remove(self, request: RemovalRequest) -> npt.NDArray[np.float32]:
        """The background as it lies in each frame's window."""
        size = request.settings.width, request.settings.height
        outer = self.scene.data_window
        shown = [
            shrink(self.scene.truth(frame)[window.slices_in(outer)], *size)
            for frame, window in zip(request.frames, request.windows, strict=True)
        ]
        return np.stack([request.curve.encode(picture) for picture in shown])


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


def plate_and_result(scene: Scene, folder: Path) -> tuple[Frame, Frame]:
    """FRAME as shot, and without the ball and its shadow."""
    scene.write(folder)
    plate, roto, affected = (
        Footage(name, {frame: folder / f"{name}.{frame}.exr" for frame in scene.frames})
        for name in ("plate", "roto", "affected")
    )
    settings = ShotSettings.from_dict(SETTINGS)
    results = remove_object(plate, Mattes(roto, affected), settings, Background(scene), Silent())
    result = next(image for frame, image in zip(scene.frames, results, strict=True) if frame == FRAME)
    return plate.read(FRAME), result


def as_shown(frame: Frame) -> Picture:
    """Scene-linear to sRGB in bytes; what is above 1 is white."""
    return np.rint(255 * ModelCurve.for_shot(1.0).encode(frame.rgb())).astype(np.uint8)


def tile(picture: Picture, words: str) -> Image.Image:
    """The part, enlarged pixel by pixel, with words in its corner."""
    shown = Image.fromarray(np.ascontiguousarray(picture[PART]))
    shown = shown.resize((shown.width * ENLARGED, shown.height * ENLARGED), Image.Resampling.NEAREST)
    font = ImageFont.load_default(24)
    ImageDraw.Draw(shown).text((12, 8), words, "white", font, stroke_width=2, stroke_fill="black")
    return shown


def draw_legend(sheet: Image.Image, top: int, left: int) -> None:
    """What the three colours mean, from `left` on below `top`."""
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(20)
    for colour, words in LEGEND:
        draw.rectangle((left, top + 12, left + 24, top + 32), fill=tuple(map(int, colour)))
        draw.text((left + 34, top + 22), words, "black", font, anchor="lm")
        left += 34 + round(draw.textlength(words, font)) + 28


def main(out: Path) -> None:
    """Draw it. In 256 colours the file is a third of the size."""
    with tempfile.TemporaryDirectory() as folder:
        plate, result = plate_and_result(Scene(), Path(folder))
    tiles = [tile(as_shown(plate), "plate"), tile(as_shown(result), "result"), tile(where_from(result), "provenance")]
    width, height = tiles[0].size
    sheet = Image.new("RGB", (3 * width + 2 * GAP, height + STRIP), "white")
    for index, picture in enumerate(tiles):
        sheet.paste(picture, (index * (width + GAP), 0))
    draw_legend(sheet, height, width + GAP)
    sheet.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(out, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
