"""Draw the logs of a training: what each stage reached at each step, as a picture.

    .venv/bin/python -m bench.training_curves void_server/training/weights/tiny/log docs/images/training.png

Every line of a log is one batch; drawn are the medians of twelfths of a stage. Autoencoder and decoder: PSNR of what
comes back, in dB, of batches that are clips. Passes: the weighted error of the velocity at the first step of sampling,
and in red that of pairs that are held out, by the averaged weights.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

PASS = ("first_step", "held_out")
PANELS = {"autoencoder": ("psnr",), "decoder": ("psnr",), "pass1": PASS, "pass2": PASS}
SIZE, MARGIN, GAP = (360, 260), (64, 44), 12
INK, PALE = (40, 40, 40), (220, 220, 220)
BLUE, RED = (0, 110, 180), (200, 40, 40)
COLOURS = {"psnr": BLUE, "first_step": BLUE, "held_out": RED}


@dataclass(frozen=True)
class Curve:
    """steps and values [N], in the order of the log; empty where no line has the figure."""

    figure: str
    steps: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]

    @classmethod
    def of(cls, lines: list[dict[str, float]], figure: str) -> Curve:
        kept = [line for line in lines if figure in line and line.get("frames", 2) > 1]
        pieces = np.array_split(np.array([(line["step"], line[figure]) for line in kept]).reshape(-1, 2), 12)
        medians = np.array([np.median(piece, axis=0) for piece in pieces if len(piece)]).reshape(-1, 2)
        return cls(figure, medians[:, 0], medians[:, 1])


def draw(name: str, curves: list[Curve]) -> Image.Image:
    """One panel, with the range of both axes written out."""
    panel = Image.new("RGB", SIZE, "white")
    pen, font = ImageDraw.Draw(panel), ImageFont.load_default(13)
    left, top, right, bottom = MARGIN[0], 30, SIZE[0] - 14, SIZE[1] - MARGIN[1]
    values = np.concatenate([curve.values for curve in curves])
    low, high = float(values.min()), float(values.max())
    last = max(curve.steps.max() for curve in curves)
    pen.text((left, 8), f"{name}:", INK, font)
    place = left + pen.textlength(f"{name}: ", font)
    for curve in curves:
        colour = COLOURS[curve.figure]
        across = left + (right - left) * curve.steps / last
        up = bottom - (bottom - top) * (curve.values - low) / max(high - low, 1e-9)
        pen.line(list(zip(across, up, strict=True)), colour, width=2, joint="curve")
        pen.text((place, 8), curve.figure, colour, font)
        place += pen.textlength(f"{curve.figure}  ", font)
    for y, value in ((bottom, low), (top, high)):
        pen.line([(left, y), (right, y)], PALE)
        pen.text((left - 6, y), f"{value:.3g}", INK, font, anchor="rm")
    pen.text((left, bottom + 8), "0", INK, font)
    pen.text((right, bottom + 8), f"step {last:.0f}", INK, font, anchor="ra")
    return panel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path, help="folder of autoencoder.jsonl, decoder.jsonl, pass1.jsonl, pass2.jsonl")
    parser.add_argument("out", type=Path, help="the picture")
    given = parser.parse_args()
    panels = []
    for name, figures in PANELS.items():
        path = given.log / f"{name}.jsonl"
        if path.is_file():
            lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
            curves = [Curve.of(lines, figure) for figure in figures]
            panels.append(draw(name, [curve for curve in curves if len(curve.steps)]))
    if not panels:
        parser.error(f"{given.log} has none of {', '.join(f'{name}.jsonl' for name in PANELS)}")
    sheet = Image.new("RGB", (len(panels) * (SIZE[0] + GAP) - GAP, SIZE[1]), "white")
    for index, panel in enumerate(panels):
        sheet.paste(panel, (index * (SIZE[0] + GAP), 0))
    sheet.save(given.out)


if __name__ == "__main__":
    main()
