"""What each node class makes of its inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from . import _expr, _exr, _format, _image, _resolve, _roto, _substitute
from ._events import registered
from ._image import ORDER, Image, Plane
from ._knob_text import expanded
from ._node import Node
from ._session import session

Inputs = Callable[..., Image]


def file_name(node: Node, frame: float, view: str) -> str:
    """The file a Read or Write means at a frame and view, after its Tcl and the filename filters."""
    name = _substitute.tcl(str(node._knobs["file"]._value), node)
    for callback in registered("filenameFilter", node):
        name = callback.run(name) or name
    return expanded(name, frame, view)


def read(node: Node, inputs: Inputs, frame: float, view: str) -> Image:
    """A file of the sequence. RuntimeError where it is missing and on_error is error."""
    check_colour(node)
    wanted = _read_frame(node, frame)
    if wanted is None:
        return _black(node)
    try:
        path = Path(file_name(node, wanted, view))
        if not str(node._text("file")):
            raise RuntimeError("no file is given")
        if not path.is_file():
            raise RuntimeError(f"Error reading {path}: No such file or directory")
        return _exr.read(path)
    except RuntimeError as error:
        if node._text("on_error") == "black":
            return _black(node)
        if node._text("on_error") != "error":
            raise RuntimeError(f"{node._name}: on_error {node._text('on_error')} is not in the fake") from None
        raise RuntimeError(f"{node.fullName()}: {error}") from None


def check_colour(node: Node) -> None:
    """The fake converts no colours, so a Read or Write that Nuke would convert is refused: RuntimeError."""
    space = str(node._text("colorspace"))
    if not node._text("raw") and not space.startswith("default") and space not in ("linear", "scene_linear", "raw"):
        raise RuntimeError(f"{node.fullName()}: colorspace {space} is not in the fake; set raw")


def _black(node: Node) -> Image:
    chosen = node._text("format") or session().root._text("format")
    plane = np.zeros((1, 1), np.float32)
    return Image(chosen, (0, 0, 1, 1), dict.fromkeys(ORDER, plane))


def _read_frame(node: Node, frame: float) -> int | None:
    """The file's frame: frame_mode, then first and last with before and after. None: black."""
    mode, shift = node._text("frame_mode"), str(node._text("frame"))
    first, last = int(node._number("first")), int(node._number("last"))
    if shift:
        if mode == "expression":
            frame = _resolve.expression(shift, node)
        else:
            frame += float(shift) if mode == "offset" else first - float(shift)
    number = round(frame)
    if first <= number <= last:
        return number
    how = node._text("before" if number < first else "after")
    if how == "black":
        return None
    if how == "loop":
        return first + (number - first) % (last - first + 1)
    if how == "bounce":
        raise RuntimeError(f"{node._name}: bounce is not in the fake")
    return first if number < first else last


def constant(node: Node, inputs: Inputs, frame: float, view: str) -> Image:
    """One colour all over the format."""
    made = node._text("format") or session().root._text("format")
    shape = (made.height(), made.width())
    color = [node._knobs["color"]._channel(i) for i in range(4)]
    planes = {name: np.full(shape, value, np.float32) for name, value in zip(ORDER, color, strict=True)}
    return Image(made, _image.area(made), planes)


def roto(node: Node, inputs: Inputs, frame: float, view: str) -> Image:
    """Alpha 1 inside the shapes, over what comes in."""
    below = inputs(0)
    box = _image.area(below.format)
    if below.channels:
        box = _image.union(box, below.box)
    shapes = _roto.polygons(str(node._knobs["curves"]._value))
    drawn = _roto.filled(shapes, box)
    alpha = np.maximum(below.on("rgba.alpha", box), drawn)
    return below.fit(box).having({"rgba.alpha": alpha})


def grade(node: Node, inputs: Inputs, frame: float, view: str) -> Image:
    """x * multiply * white + add, on the channels chosen; mask and mix are not in the fake."""
    image = inputs(0)
    names = _image.matching(str(node._knobs["channels"]._value), list(image.channels))
    planes = {}
    for name in names:
        if name in image.channels:
            i = ORDER.index(name) if name in ORDER else 0
            white, multiply, add = (node._knobs[k]._channel(i) for k in ("white", "multiply", "add"))
            planes[name] = (image.channels[name] * np.float32(multiply * white) + np.float32(add)).astype(np.float32)
    return image.having(planes)


def merge(node: Node, inputs: Inputs, frame: float, view: str) -> Image:
    """A over B in rgba; the other channels are B's."""
    b, a = inputs(0), inputs(1)
    if node._text("operation") != "over":
        raise RuntimeError(f"{node._name}: operation {node._text('operation')} is not in the fake")
    if not a.channels or not b.channels:
        return b if b.channels else a
    box = _image.union(a.box, b.box)
    alpha = a.on("rgba.alpha", box)
    return b.fit(box).having({name: a.on(name, box) + b.on(name, box) * (1 - alpha) for name in ORDER})


def copy(node: Node, inputs: Inputs, frame: float, view: str) -> Image:
    """Channels of A, input 1, put into B, input 0."""
    b, a = inputs(0), inputs(1)
    box = _image.union(a.box, b.box) if a.channels and b.channels else (b if b.channels else a).box
    pairs = [(node._text(f"from{i}"), node._text(f"to{i}")) for i in range(4)]
    planes = {to: a.on(source, box) for source, to in pairs if source != "none" and to != "none"}
    return (b if b.channels else replace(b, format=a.format)).fit(box).having(planes)


def _source(image: Image, name: str) -> Plane:
    if name.endswith(("black", "white")):
        value = float(name.endswith("white"))
        return np.full((image.box[3] - image.box[1], image.box[2] - image.box[0]), value, np.float32)
    return image.on(name, image.box)


def shuffle(node: Node, inputs: Inputs, frame: float, view: str) -> Image:
    """The old Shuffle: each channel of layer `out` from a channel of layer `in`."""
    image = inputs(0)
    layer, out = node._text("in"), node._text("out")
    layer, out = ("rgba" if each in ("rgb", "alpha") else each for each in (layer, out))
    names = ("red", "green", "blue", "alpha")
    return image.having({f"{out}.{name}": _source(image, f"{layer}.{node._text(name)}") for name in names})


def shuffle2(node: Node, inputs: Inputs, frame: float, view: str) -> Image:
    """The Shuffle of Nuke 12 on: `mappings "N source input place target output place ..."`."""
    image = inputs(0)
    words = str(node._knobs["mappings"]._value).split()[1:]
    planes = {}
    for start in range(0, len(words) - 5, 6):
        source, _, _, target = words[start : start + 4]
        planes[target] = _source(image, source)
    return image.having(planes)


def switch(node: Node, inputs: Inputs, frame: float, view: str) -> Image:
    """The input that `which` names; beyond the last one, the last."""
    return inputs(min(max(int(node._number("which")), 0), max(len(node._inputs) - 1, 0)))


def expression(node: Node, inputs: Inputs, frame: float, view: str) -> Image:
    """Each channel from its expression of r, g, b, a, x, y, frame, layer.channel; pixels outside the box count as 0."""
    image = inputs(0)
    box = image.box if image.channels else _image.area(image.format)
    ys, xs = np.mgrid[box[1] : box[3], box[0] : box[2]].astype(np.float32)
    short = dict(zip("rgba", ORDER, strict=True))

    def value(name: str) -> Any:
        if name in ("x", "y"):
            return xs if name == "x" else ys
        channel = short.get(name, name)
        if channel in image.channels or channel in ORDER:
            return image.on(channel, box)
        return frame if name in ("frame", "t") else _resolve._named(name, node)

    planes = {}
    for index in range(4):
        text = str(node._text(f"expr{index}")).strip()
        for channel in _image.matching(str(node._text(f"channel{index}")), list(image.channels)) if text else []:
            result = np.asarray(_expr.evaluate(text, value), np.float32)
            planes[channel] = np.array(np.broadcast_to(result, xs.shape))
    return image.fit(box).having(planes)


def reformat(node: Node, inputs: Inputs, frame: float, view: str) -> Image:
    """Another format, stretched to it by the nearest pixel; with resize none only the format changes."""
    image = inputs(0)
    target = _reformat_target(node, image)
    if node._text("resize") == "none":
        return replace(image, format=target)
    sx, sy = target.width() / image.format.width(), target.height() / image.format.height()
    return _scaled(image, target, sx, sy)


def _reformat_target(node: Node, image: Image) -> _format.Format:
    kind = node._text("type")
    if kind == "to format":
        return node._text("format") or session().root._text("format")
    if kind == "to box":
        return _format.Format(int(node._number("box_width")), int(node._number("box_height")))
    scale = node._number("scale")
    return _format.Format(round(image.format.width() * scale), round(image.format.height() * scale))


def _scaled(image: Image, target: _format.Format, sx: float, sy: float) -> Image:
    x, y, r, t = image.box
    box = (int(np.floor(x * sx)), int(np.floor(y * sy)), int(np.ceil(r * sx)), int(np.ceil(t * sy)))
    columns = np.clip(np.floor((np.arange(box[0], box[2]) + 0.5) / sx).astype(int), x, r - 1) - x
    rows = np.clip(np.floor((np.arange(box[1], box[3]) + 0.5) / sy).astype(int), y, t - 1) - y
    planes = {name: np.ascontiguousarray(plane[rows][:, columns]) for name, plane in image.channels.items()}
    return Image(target, box, planes, image.metadata)


def proxied(image: Image) -> Image:
    """What proxy mode makes of a picture: format and pixels at half the size, or at the root's proxy_scale."""
    root, old = session().root, image.format
    if not root._text("proxy"):
        return image
    scale = root._number("proxy_scale") if root._text("proxy_type") == "scale" else 0.5
    size = (max(round(old.width() * scale), 1), max(round(old.height() * scale), 1))
    target = _format.Format(*size, 0, 0, *size, old.pixelAspect())
    return _scaled(image, target, size[0] / old.width(), size[1] / old.height())


def crop(node: Node, inputs: Inputs, frame: float, view: str) -> Image:
    """The box cut; with reformat it becomes the format."""
    image = inputs(0)
    cut = tuple(round(node._knobs["box"]._channel(i)) for i in range(4))
    x, y, r, t = _image.shared(image.box, cut)
    made = image.fit((x, y, max(r, x + 1), max(t, y + 1)))
    if not node._text("reformat"):
        return made
    shifted = (made.box[0] - cut[0], made.box[1] - cut[1], made.box[2] - cut[0], made.box[3] - cut[1])
    size = (cut[2] - cut[0], cut[3] - cut[1])
    return replace(made, box=shifted, format=_format.Format(*size, 0, 0, *size, image.format.pixelAspect()))


def one_view(node: Node, inputs: Inputs, frame: float, view: str) -> Image:
    """One view's picture for all."""
    return inputs(0, view=node._text("view"))


def join_views(node: Node, inputs: Inputs, frame: float, view: str) -> Image:
    """Each view from an input of its own, in the root's order."""
    return inputs(session().root._views().index(view))


OPS: dict[str, Callable[[Node, Inputs, float, str], Image]] = {
    "Read": read,
    "Constant": constant,
    "Roto": roto,
    "RotoPaint": roto,
    "Grade": grade,
    "Merge2": merge,
    "Copy": copy,
    "Shuffle": shuffle,
    "Shuffle2": shuffle2,
    "Switch": switch,
    "Expression": expression,
    "Reformat": reformat,
    "Crop": crop,
    "OneView": one_view,
    "JoinViews": join_views,
}
