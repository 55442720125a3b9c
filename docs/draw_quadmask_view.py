"""Draws docs/images/quadmask-view.png: `python docs/draw_quadmask_view.py docs/images/quadmask-view.png`.

The demo's shot, the quadmask that the masks code builds for it, a dab of a soft brush on it (a slip), all rendered by
gizmos/VOID_QuadmaskView.gizmo in the fake Nuke of the tests. That one draws no Rectangle and no Text2, so the legend
is drawn here, from the same nodes' knobs.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenEXR
from PIL import Image, ImageDraw, ImageFont

from void_server.demo.scene import Scene
from void_server.masks.grid import grid_shape, gridify
from void_server.masks.quadmask import combine
from void_server.plates.colour import ModelCurve

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "fake_nuke"))

import nuke  # noqa: E402  the fake one
from nuke import _expr  # noqa: E402

FRAME = 1014
Pixels = npt.NDArray[np.float32]


def painted_quadmask(scene: Scene) -> Pixels:
    """The levels / 255 over the data window, with a dab of the level for affected by a soft brush."""
    matte, shadow = scene.object_matte(FRAME) > 1 / 32, scene.affected_matte(FRAME) > 0
    levels = combine(matte, gridify(shadow, *grid_shape(*shadow.shape))) / np.float32(255)
    y, x = np.mgrid[: levels.shape[0], : levels.shape[1]]
    dab = np.clip((64 - np.hypot(x - 0.78 * levels.shape[1], y - 0.80 * levels.shape[0])) / 24, 0, 1)
    return np.asarray(levels * (1 - dab) + 127 / 255 * dab, np.float32)


def write_exr(path: Path, scene: Scene, rgb: Pixels) -> Path:
    """Three channels with the scene's windows."""
    corners = [np.array(corner, np.int32) for corner in scene.data_window.box]
    header = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "dataWindow": tuple(corners),
        "displayWindow": (np.array([0, 0], np.int32), np.array([scene.width - 1, scene.height - 1], np.int32)),
    }
    OpenEXR.File(header, {name: np.ascontiguousarray(rgb[..., i]) for i, name in enumerate("RGB")}).write(str(path))
    return path


def render(view: Any, folder: Path, scene: Scene) -> Pixels:
    """The view's picture over the format, linear, from the top."""
    levels = painted_quadmask(scene)
    quadmask = write_exr(folder / "quadmask.exr", scene, np.repeat(levels[..., None], 3, axis=2))
    plate = write_exr(folder / "plate.exr", scene, scene.plate(FRAME))
    for index, path in enumerate((quadmask, plate)):
        view.setInput(index, nuke.nodes.Read(file=path.as_posix(), raw=True))
    out = folder / "view.exr"
    write = nuke.nodes.Write(file=out.as_posix(), file_type="exr", channels="rgb", datatype="32 bit float")
    write.setInput(0, view)
    nuke.execute(write, 1, 1, 1)
    pixels = OpenEXR.File(str(out), separate_channels=True).parts[0].channels
    edge = scene.overscan
    rgb = np.stack([pixels[name].pixels for name in "RGB"], axis=2)
    return np.asarray(rgb[edge : edge + scene.height, edge : edge + scene.width], np.float32)


def as_shown(linear: Pixels) -> npt.NDArray[np.uint8]:
    """Scene-linear to sRGB in bytes; what is above 1 is white."""
    return np.rint(255 * ModelCurve.for_shot(1.0).encode(linear)).astype(np.uint8)


def view_node() -> Any:
    """A new VOID_QuadmaskView."""
    nuke.scriptReadFile(str(ROOT / "gizmos" / "VOID_QuadmaskView.gizmo"))
    return nuke.toNode("VOID_QuadmaskView")


def numbers(knob: Any, height: int) -> list[float]:
    """A knob of numbers or of expressions of input.height."""
    words = re.findall(r"\{([^{}]+)\}|([\d.]+)", str(knob.value()))
    return [float(_expr.evaluate(one or other, lambda name: float(height))) for one, other in words]


def draw_legend(picture: Image.Image, view: Any) -> Image.Image:
    """The legend's Rectangles and words, from the first in the pipe to the last."""
    height = picture.height
    pipe = [view.node("Legend").input(1)]
    while pipe[-1].Class() in ("Rectangle", "Text2"):
        pipe.append(pipe[-1].input(0))
    for node in reversed(pipe):
        if node.Class() == "Rectangle":
            x, y, r, t = numbers(node["area"], height)
            alpha = numbers(node["opacity"], height)[0] if node.knob("opacity") else 1.0
            colour = as_shown(np.array(numbers(node["color"], height)[:3], np.float32))
            over = Image.new("RGB", (round(r - x), round(t - y)), tuple(map(int, colour)))
            place = (round(x), round(height - t))
            under = picture.crop((*place, place[0] + over.width, place[1] + over.height))
            picture.paste(Image.blend(under, over, alpha), place)
        elif node.Class() == "Text2":
            x, y, _, t = numbers(node["box"], height)
            size = 100 * numbers(node["global_font_scale"], height)[0]
            draw = ImageDraw.Draw(picture)
            middle = (x, height - (y + t) / 2)
            draw.text(middle, node["message"].value(), "white", ImageFont.load_default(size), anchor="lm")
    return picture


def main(out: Path) -> None:
    """Draw it. In 256 colours the file is a quarter of the size; "max coverage" keeps the few that matter here."""
    scene, view = Scene(), view_node()
    with tempfile.TemporaryDirectory() as folder:
        linear = render(view, Path(folder), scene)
    picture = draw_legend(Image.fromarray(as_shown(linear)), view)
    small = picture.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small.save(out, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
