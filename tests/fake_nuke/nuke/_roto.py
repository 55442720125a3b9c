"""Shapes in a Roto's `curves` knob. Of that text only the points of `px` lists are understood: the first key of each
shape, straight lines between the points; tangents, feather, transforms and animation are kept as text and ignored."""

from __future__ import annotations

import struct

import numpy as np

from . import _tcl
from ._image import Area, Plane

Polygon = list[tuple[float, float]]


def _hex(value: float) -> str:
    """A float32 as Nuke writes it here: x and its bits."""
    return "x" + struct.pack(">f", value).hex()


def _float(text: str) -> float:
    if text.startswith("x"):
        return float(struct.unpack(">f", bytes.fromhex(text[1:].zfill(8)))[0])
    return float(text)


def curves(shapes: list[Polygon], frame: float = 1) -> str:
    """The text of a `curves` knob that holds these polygons: each point between its two (zero) tangents."""
    drawn = "".join(_shape(number + 1, shape, frame) for number, shape in enumerate(shapes))
    return (
        "{{v x3f99999a}\n  {f 0}\n  {n\n   {layer Root\n    {f 2097152}\n    {t x44800000 x44428000}\n"
        "    {a pt1x 0 pt1y 0 pt2x 0 pt2y 0 pt3x 0 pt3y 0 pt4x 0 pt4y 0 ptex00 0 ptex01 0 ptex02 0 ptex03 0}\n"
        f"{drawn}}}}}}}"
    )


def _shape(number: int, shape: Polygon, frame: float) -> str:
    points = "".join(f"\n        {{0 0}}\n        {{{_hex(x)} {_hex(y)}}}\n        {{0 0}}" for x, y in shape)
    key = f"{{px {_hex(frame)}{points}}}"
    head = f"    {{curvegroup Bezier{number} 512 bezier\n     {{{{cc\n       {{f 8192}}\n       {key}}}}}\n"
    tail = "     {tx x3f800000 x0 x0}\n     {a osbe 0 osee 0 osew x3f800000 osne 0 str 1 tt x41200000}}\n"
    return head + tail


def polygons(text: str) -> list[Polygon]:
    """The polygons in a `curves` text."""
    found: list[Polygon] = []
    try:
        words = _tcl.split(text)
    except RuntimeError:
        return found
    if words and words[0].text == "px" and len(words) > 2:
        points = [tuple(_float(part.text) for part in _tcl.split(word.text)[:2]) for word in words[2:] if word.braced]
        return [[(p[0], p[1]) for p in points[1::3]]]
    for word in words:
        if word.braced:
            found += polygons(word.text)
    return found


def filled(shapes: list[Polygon], box: Area) -> Plane:
    """1 at pixels whose centre lies in any of the polygons."""
    x, y, r, t = box
    out = np.zeros((t - y, r - x), np.float32)
    ys, xs = np.mgrid[y:t, x:r] + 0.5
    for shape in shapes:
        inside = np.zeros(out.shape, bool)
        for (x0, y0), (x1, y1) in zip(shape, shape[1:] + shape[:1], strict=True):
            if y0 != y1:
                crosses = (ys >= min(y0, y1)) & (ys < max(y0, y1))
                inside ^= crosses & (xs < x0 + (ys - y0) * (x1 - x0) / (y1 - y0))
        out[inside] = 1
    return out
