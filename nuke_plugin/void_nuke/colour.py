"""How the script manages colour, and what that makes of the pixels that a bake sends."""

from __future__ import annotations

import os
from pathlib import Path

import nuke
from void_client import ocio
from void_client.colour import Colour, linear_rec709
from void_client.errors import BadInput

KNOBS = ("colorManagement", "OCIO_config", "customOCIOConfigPath", "OCIOConfigPath", "workingSpaceLUT")

# Foundry's config of Nuke's own curves, which says as little of primaries as they do.
CURVES = "nuke-default"

# Where Nuke keeps the configs that it offers by name, in a folder of its plug-in path.
CONFIGS = "OCIOConfigs/configs"


def management() -> dict[str, str]:
    """The project's own settings, by the names of their knobs, and the environment's OCIO."""
    root = nuke.root()
    knobs = {name: str(knob.value()) for name in KNOBS if (knob := root.knob(name)) is not None}
    return {**knobs, "OCIO": os.environ.get("OCIO", "")}


def mark() -> str:
    """What a result depends on of these, without the paths, which differ between machines."""
    said = management()
    names = ("colorManagement", "OCIO_config", "workingSpaceLUT") if _by_ocio(said) else KNOBS[:1]
    return " ".join(said.get(name, "") for name in names)


def working_space() -> Colour:
    """The space that Nuke hands pixels on in, with its matrix. On the main thread.

    Nuke's own colour management knows curves alone and leaves primaries as they are, and so does the config of its
    curves: linear Rec.709. Raises BadInput where the space can't be told, or is not linear.
    """
    said = management()
    space = said.get("workingSpaceLUT", "")
    if not _by_ocio(said):
        if space not in ("", "linear", ocio.SCENE_LINEAR):
            raise BadInput(f"the script's working space is {space}: set it to linear in the Project Settings, Color")
        return linear_rec709()
    try:
        return ocio.working_space(_config(said), space or ocio.SCENE_LINEAR)
    except BadInput as error:
        raise BadInput(f"{error} (Project Settings, Color)") from error


def _by_ocio(said: dict[str, str]) -> bool:
    by_name = said.get("OCIO_config") != CURVES
    return said.get("colorManagement") == "OCIO" and (by_name or bool(said["OCIO"]))


def _config(said: dict[str, str]) -> str:
    """The config that Nuke has loaded: the environment's goes before the project's. Raises BadInput."""
    if said["OCIO"]:
        return said["OCIO"]
    name = said.get("OCIO_config", "")
    # Newer Nukes say where the one chosen by name is.
    path = _path("customOCIOConfigPath" if name == "custom" else "OCIOConfigPath")
    if not path and name == "custom":
        raise BadInput("the OCIO config is custom and names no file: choose one")
    return path or _shipped(name)


def _path(name: str) -> str:
    knob = nuke.root().knob(name)
    return str(knob.evaluate() or "") if isinstance(knob, nuke.EvalString_Knob) else ""


def _shipped(name: str) -> str:
    """The file of a config that Nuke offers by its name. Raises BadInput."""
    program = Path(str(nuke.env["ExecutablePath"])).parent
    folders = [*map(Path, nuke.pluginPath()), program / "plugins", program.parent / "Resources"]
    for folder in folders:
        for file in (f"{name}/config.ocio", f"{name}.ocio"):
            path = folder / CONFIGS / file
            if path.is_file():
                return path.as_posix()
    raise BadInput(
        f"the OCIO config {name} is in no {CONFIGS} of Nuke's plug-in path: choose custom and its file, or set OCIO"
    )
