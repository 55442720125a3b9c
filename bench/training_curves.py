"""Draw the logs of a training: what each stage reached at each step, as a picture.

    .venv/bin/python -m bench.training_curves void_server/training/weights/tiny/log docs/images/training.png

Every line of a log is one batch; drawn are the medians of twelfths of a stage. Autoencoder and decoder: PSNR of what
comes back, in dB, of batches that are clips. Passes: the weighted error of the velocity at the first step of sampling.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

PANELS = {"autoencoder": "psnr", "decoder": "psnr", "pass1": "first_step", "pass2": "first_step"}
SIZE, MARGIN, GAP = (360, 260), (64, 44), 12
INK, PALE, LINE = (40, 40, 40), (220, 220, 220), (0, 110, 180)


@dataclass(frozen=True)
class Curve:
    """steps and values [N], in the order of the log."""

    name: str
    figure: str
    steps: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]

    @classmethod
    def read(cls, path: Path, figure: str) -> Curve:
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        kept = [line for line in lines if figure in line and line.get("frames", 2) > 1]
        pieces = np.array_split(np.array([(line["step"], line[figure]) for line in kept], np.float64), 12)
        medians = np.array([np.median(piece, axis=0) for piece in pieces if len(piece)])
        return cls(path.stem, figure, medians[:, 0], medians[:, 1])


def draw(curve: Curve) -> Image.Image:
    """One panel, with the range of both axes written out."""
    panel = Image.new("RGB", SIZE, "white")
    pen, font = ImageDraw.Draw(panel), ImageFont.load_default(13)
    left, top, right, bottom = MARGIN[0], 30, SIZE[0] - 14, SIZE[1] - MARGIN[1]
    low, high = float(curve.values.min()), float(curve.values.max())
    x = left + (right - left) * curve.steps / curve.steps.max()
    y = bottom - (bottom - top) * (curve.values - low) / max(high - low, 1e-9)
    pen.text((left, 8), f"{curve.name}: {curve.figure}", INK, font)
    for place, value in ((bottom, low), (top, high)):
        pen.line([(left, place), (right, place)], PALE)
        pen.text((left - 6, place), f"{value:.3g}", INK, font, anchor="rm")
    pen.text((left, bottom + 8), "0", INK, font)
    pen.text((right, bottom + 8), f"step {curve.steps.max():.0f}", INK, font, anchor="ra")
    pen.line(list(zip(x, y, strict=True)), LINE, width=2, joint="curve")
    return panel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path, help="folder of autoencoder.jsonl, decoder.jsonl, pass1.jsonl, pass2.jsonl")
    parser.add_argument("out", type=Path, help="the picture")
    given = parser.parse_args()
    paths = {given.log / f"{name}.jsonl": figure for name, figure in PANELS.items()}
    panels = [draw(Curve.read(path, figure)) for path, figure in paths.items() if path.is_file()]
    if not panels:
        parser.error(f"{given.log} has none of {', '.join(path.name for path in paths)}")
    sheet = Image.new("RGB", (len(panels) * (SIZE[0] + GAP) - GAP, SIZE[1]), "white")
    for index, panel in enumerate(panels):
        sheet.paste(panel, (index * (SIZE[0] + GAP), 0))
    sheet.save(given.out)


if __name__ == "__main__":
    main()
