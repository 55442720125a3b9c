"""What came back, to look at: a contact sheet, a looping picture, and a page around them."""

from __future__ import annotations

import html
import textwrap
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from void_client.sequences import FileSequence, FrameRange

from void_server.masks.quadmask import AFFECTED, KEEP, OVERLAP, PRIMARY, read_quadmask
from void_server.plates.colour import ModelCurve
from void_server.plates.exr import read_frame
from void_server.plates.frame import Frame

COLUMNS = 4
THUMBNAIL = 360  # pixels wide
GAP = 8
LOOPED, TITLE = 224, 24  # pixels: a looping picture's width, and the height of the titles above
RATE, STAYS = 10.0, 1200  # frames a second, slower than life; milliseconds for which the last one stays
LINE = 105  # letters of a notice across the sheet
COLOURS = {PRIMARY: (225, 60, 50), OVERLAP: (240, 160, 40), AFFECTED: (70, 130, 220), KEEP: (40, 40, 40)}
# Where a pixel is from.
PLATE, REAL, GENERATED = (np.array(colour, np.float32) for colour in ((40, 40, 40), (80, 200, 225), (240, 140, 40)))

Image8 = npt.NDArray[np.uint8]


@dataclass
class Compared:
    """Stored values (R, G, B, A) outside the matte: how many, and how many are not the plate's bit for bit.

    filled, real: pixels inside the matte, each by its share: all of them, and those from other frames.
    """

    values: int = 0
    different: int = 0
    filled: float = 0.0
    real: float = 0.0

    def add(self, plate: Frame, result: Frame) -> npt.NDArray[np.bool_]:
        """Count a frame; returns where it differs outside the matte, bool [h, w]."""
        self.filled += float(result.channel("void.matte").sum(dtype=np.float64))
        self.real += float(result.channel("provenance.real").sum(dtype=np.float64))
        outside = result.channel("void.matte") == 0
        different = np.zeros(outside.shape, bool)
        for name in "RGBA":
            changed = (plate.channel(name).view(np.uint16) != result.channel(name).view(np.uint16)) & outside
            self.values += int(outside.sum())
            self.different += int(changed.sum())
            different |= changed
        return different


def write_report(
    out: Path,
    shot: dict[str, FileSequence],
    first_pass: FileSequence,
    result: FileSequence,
    frames: FrameRange,
    notices: list[str],
    seconds: float,
) -> Compared:
    """Compare every frame of the result with the plate; write contact_sheet.png, loop.webp and report.html into `out`.

    shot: the plate, and the truth, which is the plate as it would be without the object. first_pass: pass 1 alone.
    """
    compared = Compared()
    loop: list[list[Image8]] = []
    shown = {frames.first + round(i * (len(frames) - 1) / (COLUMNS - 1)) for i in range(COLUMNS)}
    columns: list[tuple[str, list[Image8]]] = []
    peak = 0.0
    for frame in frames:
        plate, cleaned = read_frame(shot["plate"].path(frame)), read_frame(result.path(frame))
        one, truth = read_frame(first_pass.path(frame)), read_frame(shot["truth"].path(frame))
        quadmask = _false_colour(read_quadmask(cleaned.channel("void.quadmask"), str(frame)))
        side_by_side = [_view(plate), quadmask, _view(one), _view(cleaned), _view(truth)]
        loop.append([_thumbnail(view, LOOPED) for view in side_by_side])
        different = compared.add(plate, cleaned)
        peak = max(peak, float(cleaned.rgb().max()))
        if frame in shown:
            views = [*side_by_side, where_from(cleaned), _grey(different)]
            columns.append((str(frame), [_thumbnail(view, THUMBNAIL) for view in views]))
    changed = f"changed outside the matte: {compared.different} of {compared.values:,} values"
    came = "provenance: cyan from other frames, orange generated"
    rows = ["plate", "quadmask: red remove, blue affected", "pass 1", "pass 2: the result", "the truth", came, changed]
    _contact_sheet(columns, rows, notices).save(out / "contact_sheet.png")
    write_loop(out / "loop.webp", loop, ["plate", "quadmask", "pass 1", "pass 2", "truth"])
    (out / "report.html").write_text(_page(result, frames, compared, notices, seconds, peak), encoding="utf-8")
    return compared


def _view(frame: Frame) -> Image8:
    """Linear to what a screen shows, highlights rolled off by the model's own curve."""
    encoded = ModelCurve.for_shot(8.0).encode(frame.rgb())
    return np.rint(encoded * 255).astype(np.uint8)


def _false_colour(quadmask: Image8) -> Image8:
    picture = np.zeros((*quadmask.shape, 3), np.uint8)
    for level, colour in COLOURS.items():
        picture[quadmask == level] = colour
    return picture


def where_from(result: Frame) -> Image8:
    """Where a result's pixels are from, uint8 [h, w, 3]: PLATE, REAL and GENERATED, mixed by their shares."""
    matte, real = (result.channel(name).astype(np.float32)[..., None] for name in ("void.matte", "provenance.real"))
    mixed = (1 - matte) * PLATE + real * REAL + (matte - real) * GENERATED
    return np.asarray(np.rint(mixed), np.uint8)


def _grey(mask: npt.NDArray[np.bool_]) -> Image8:
    return np.repeat(mask[..., None], 3, axis=2).astype(np.uint8) * 255


def _thumbnail(picture: Image8, width: int) -> Image8:
    height = round(picture.shape[0] * width / picture.shape[1])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def write_loop(path: Path, frames: list[list[Image8]], titles: list[str]) -> None:
    """A looping WebP: the pictures of each frame side by side under their titles, at RATE; the last frame stays."""
    height, width = frames[0][0].shape[:2]
    sheets = []
    for pictures in frames:
        sheet = Image.new("RGB", (len(titles) * (width + GAP) - GAP, height + TITLE), (24, 24, 24))
        draw = ImageDraw.Draw(sheet)
        for index, (title, picture) in enumerate(zip(titles, pictures, strict=True)):
            x = index * (width + GAP)
            draw.text((x + 4, 3), title, font=ImageFont.load_default(15), fill=(160, 200, 255))
            sheet.paste(Image.fromarray(picture), (x, TITLE))
        sheets.append(sheet)
    shown = [round(1000 / RATE)] * (len(sheets) - 1) + [STAYS]
    sheets[0].save(path, save_all=True, append_images=sheets[1:], duration=shown, loop=0, quality=70, method=4)


def _contact_sheet(columns: list[tuple[str, list[Image8]]], rows: list[str], notices: list[str]) -> Image.Image:
    height = columns[0][1][0].shape[0]
    font, label = ImageFont.load_default(22), 34
    lines = [line for notice in notices for line in textwrap.wrap(notice, LINE)]
    top = 44 + 34 * len(lines)
    size = (GAP + len(columns) * (THUMBNAIL + GAP), top + len(rows) * (height + label + GAP))
    sheet = Image.new("RGB", size, (24, 24, 24))
    draw = ImageDraw.Draw(sheet)
    for index, line in enumerate(lines):
        draw.text((GAP, 6 + 34 * index), line, font=ImageFont.load_default(26), fill=(255, 190, 60))
    for column, (title, views) in enumerate(columns):
        x = GAP + column * (THUMBNAIL + GAP)
        draw.text((x, top - 34), f"frame {title}", font=font, fill=(220, 220, 220))
        for row, view in enumerate(views):
            y = top + row * (height + label + GAP)
            sheet.paste(Image.fromarray(view), (x, y + label))
            if column == 0:
                draw.text((x, y + 4), rows[row], font=font, fill=(160, 200, 255))
    return sheet


def _page(
    result: FileSequence, frames: FrameRange, compared: Compared, notices: list[str], seconds: float, peak: float
) -> str:
    facts = {
        "Frames": f"{frames} ({len(frames)})",
        "Plates": str(result.folder / result.pattern),
        "Layers": "rgba, void.quadmask, void.matte, provenance.real, provenance.offset",
        "Values outside the matte that differ from the plate": f"{compared.different} of {compared.values:,}",
        "Of what was filled, from other frames": f"{compared.real / compared.filled:.0%}; the rest is generated",
        "Brightest value in the result": f"{peak:.1f} (scene-linear)",
        "Time, server start and weights included": f"{seconds:.0f} s",
    }
    table = "\n".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in facts.items())
    banner = "\n".join(f'<p class="notice">{html.escape(notice)}</p>' for notice in notices)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>VOID demo</title>
<style>
body {{ background: #181818; color: #ddd; font: 16px/1.5 system-ui, sans-serif }}
body {{ margin: 2em auto; max-width: 1500px; padding: 0 1em }}
.notice {{ background: #ffbe3c; color: #222; font-weight: bold; padding: .5em 1em }}
th {{ text-align: left; font-weight: normal; color: #9ac; padding-right: 2em }}
img {{ max-width: 100% }}
</style>
<h1>VOID demo</h1>
{banner}
<table>{table}</table>
<p>A block holds up a ball; the roto marks the block, a second roto where the ball is and where it will fall. The shot
went to a server as EXRs, through both diffusion passes of a tiny model that was trained on such scenes (not on this
one), and came back as EXRs. Open the plates in Nuke: outside <code>void.matte</code> every bit is the plate's. Where
other frames show what stands behind the block, the pixels are theirs; <code>provenance</code> says where. Generated
pixels carry grain as measured on the plate.</p>
<p><img src="loop.webp" alt="Plate, quadmask, pass 1, pass 2 and the truth side by side"></p>
<img src="contact_sheet.png" alt="The same, provenance, and the difference outside the matte, for four frames">
</html>
"""
