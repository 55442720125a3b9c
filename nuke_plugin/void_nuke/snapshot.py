"""What a bake is made from, taken from the script at once, on the main thread: after this no knob is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nuke
from void_client.client import label_of
from void_client.colour import Colour
from void_client.errors import BadInput
from void_client.hints import read_hints_file
from void_client.sequences import FrameRange

from .colour import management, working_space
from .fingerprint import fingerprint
from .node import WRITES, asked_range, ensure_identity, value


@dataclass(frozen=True)
class Snapshot:
    """One node, as it is now. `inputs` are those that are sent, plate first; `facts` are for the manifest."""

    node: str
    identity: str
    root: Path
    frames: FrameRange
    views: tuple[str, ...]
    inputs: tuple[str, ...]
    prompt: str
    settings: dict[str, Any]
    label: str
    channels: str
    datatype: str
    hints: str
    roto_keys: tuple[int, ...] | None
    colour: Colour
    facts: dict[str, Any]


def take(node: nuke.Group) -> Snapshot:
    """Look at everything a bake needs. Raises BadInput with what is missing and where."""
    refuse_live_group(node)
    if value(node, "disable"):
        raise BadInput(f"{node.fullName()} is disabled: enable it (D), then bake")
    connected = connected_inputs(node)
    frames = frame_range(node)
    identity = ensure_identity(node)
    settings = settings_of(node)
    prompt = str(value(node, "prompt")).strip()
    plate = connected["plate"]
    facts = {
        "script": nuke.root().name(),
        "node": node.fullName(),
        "nuke": nuke.NUKE_VERSION_STRING,
        "format": format_of(plate),
        "bbox": _bbox(plate),
        "metadata": {key: str(item) for key, item in (plate.metadata() or {}).items()},
        "colour": management(),
        "fingerprint": fingerprint(node),
    }
    return Snapshot(
        node=node.fullName(),
        identity=identity,
        root=results_root(node),
        frames=frames,
        views=tuple(nuke.views()),
        inputs=tuple(connected),
        prompt=prompt,
        settings=settings,
        label=label_of(f"{Path(nuke.root().name()).name} {node.fullName()}"),
        channels=str(value(node, "layers")),
        datatype=str(value(node, "datatype")),
        hints=hints_of(node),
        roto_keys=roto_keys_of(node, frames) if "roto" in connected else None,
        colour=working_space(),
        facts=facts,
    )


def refuse_live_group(node: nuke.Node) -> None:
    """Raise BadInput inside a LiveGroup, whose knobs are not kept in this script."""
    parent: nuke.Node | None = node.parent()
    while parent is not None and parent.Class() != "Root":
        if parent.Class() == "LiveGroup":
            raise BadInput(
                f"{node.fullName()} is inside the LiveGroup {parent.fullName()}, which keeps its knobs in another "
                "file: make it local (Convert to Group), or put the VOID node outside"
            )
        parent = parent.parent()


def connected_inputs(node: nuke.Group) -> dict[str, nuke.Node]:
    """The inputs a bake sends, by name. Raises BadInput where one is missing, disabled or of another format."""
    given = {name: source for index, name in enumerate(WRITES) if (source := node.input(index)) is not None}
    if "plate" not in given:
        raise BadInput(f"nothing is connected to the plate input of {node.fullName()}: pipe the plate into it")
    if "quadmask" in given:
        given = {name: given[name] for name in ("plate", "quadmask")}
    elif "roto" not in given:
        raise BadInput(
            f"nothing is connected to the roto input of {node.fullName()}: pipe a Roto into it whose alpha is what "
            "is to be removed, or a finished quadmask into quadmask"
        )
    width, height, _ = format_of(given["plate"])
    for name, source in given.items():
        off = source.knob("disable")
        if name != "plate" and off is not None and off.value():
            raise BadInput(f"{source.name()}, piped into {name}, is disabled: enable it, or disconnect that input")
        if format_of(source)[:2] != [width, height]:
            raise BadInput(
                f"the {name} ({source.name()}) is {source.width()}x{source.height()}, the plate {width}x{height}: "
                "put a Reformat before it, or set the project's format"
            )
    return given


def frame_range(node: nuke.Group) -> FrameRange:
    """The frames that the panel asks for. Raises BadInput."""
    asked = asked_range(node)
    assert asked is not None
    first, last = asked
    if last < first:
        raise BadInput(f"the frame range {first}-{last} of {node.fullName()} runs backwards: set it on the VOID tab")
    return FrameRange(first, last)


def results_root(node: nuke.Group) -> Path:
    """The folder that holds `void/`. Raises BadInput for a script without a name."""
    knob = node["folder"]
    assert isinstance(knob, nuke.File_Knob)
    folder = str(knob.evaluate() or "")
    script = nuke.root().name()
    if not folder and script in ("", "Root"):
        raise BadInput(
            "the script has no name yet, and results go beside it: save it, or set a folder on the Output tab"
        )
    return Path(folder) if folder else Path(script).parent


def settings_of(node: nuke.Group) -> dict[str, Any]:
    """The panel's settings as the server takes them (docs/settings.md)."""
    return {
        "width": int(value(node, "model_width")),
        "height": int(value(node, "model_height")),
        "window": int(value(node, "model_window")),
        "overlap": int(value(node, "overlap")),
        "seed": int(value(node, "seed")),
        "every": int(value(node, "every")),
        "mask_levels": str(value(node, "mask_levels")),
        "passes": 2 if value(node, "passes") == "both" else 1,
        "feather": float(value(node, "feather")),
        "crop": str(value(node, "crop")),
        "grow": int(value(node, "grow")),
        "real_pixels": bool(value(node, "real_pixels")),
        "grain": float(value(node, "grain")),
        "patch": bool(value(node, "patch")),
        "ask": {"ask, else stop": "require", "ask, else go on": "try"}.get(value(node, "ask"), "never"),
        "subject": str(value(node, "subject")).strip(),
        "pass1": {"steps": int(value(node, "steps1")), "guidance_scale": float(value(node, "guidance1"))},
        "pass2": {"steps": int(value(node, "steps2")), "guidance_scale": float(value(node, "guidance2"))},
    }


def hints_of(node: nuke.Group) -> str:
    """The hints file's text, if one is to be used. Raises BadInput."""
    if value(node, "ask") != "from a file":
        return ""
    knob = node["hints_file"]
    assert isinstance(knob, nuke.File_Knob)
    return read_hints_file(Path(str(knob.evaluate() or "")))


def roto_keys_of(node: nuke.Group, frames: FrameRange) -> tuple[int, ...] | None:
    """The frames that the roto is painted on, None for all. Raises BadInput."""
    text = str(value(node, "roto_keys")).replace(",", " ").split()
    try:
        keys = tuple(sorted({int(number) for number in text}))
    except ValueError as error:
        raise BadInput(f"painted frames ({' '.join(text)}) are numbers with commas: 1001, 1020") from error
    outside = [str(key) for key in keys if key not in frames]
    if outside:
        raise BadInput(f"painted frames {', '.join(outside)} are outside the range {frames}: name frames in it")
    return keys or None


def format_of(node: nuke.Node) -> list[float]:
    """Width and height in pixels, and the pixel's aspect."""
    return [node.width(), node.height(), node.pixelAspect()]


def _bbox(node: nuke.Node) -> list[int]:
    """The data window: x, y, width, height in pixels."""
    box: Any = node.bbox()
    return [int(box.x()), int(box.y()), int(box.w()), int(box.h())]
