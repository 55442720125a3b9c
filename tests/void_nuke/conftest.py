"""A fake Nuke with the plugin loaded as Nuke loads it, and a script with a plate, a roto and a VOID node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import nuke
import numpy as np
import OpenEXR
import pytest
import stage

PLUGIN = Path(__file__).parents[2] / "nuke_plugin"

# Small enough that the tiny weights take a second.
SMALL = {
    "model_width": 48,
    "model_height": 32,
    "model_window": 13,
    "overlap": 8,
    "steps1": 1,
    "steps2": 1,
    "passes": "first only",
}


@pytest.fixture
def gui(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fake Nuke with a GUI, started with the plugin on NUKE_PATH. What scripts raised fails the test at its end."""
    for variable in ("VOID_SERVER", "VOID_SERVE_COMMAND", "VOID_FARM_SUBMIT"):
        monkeypatch.delenv(variable, raising=False)
    stage.start(gui=True, nuke_path=[PLUGIN])
    yield
    errors = stage.script_errors()
    stage.stop()
    assert not errors, "\n".join(errors)


def read(folder: Path, name: str) -> nuke.Node:
    """A Read of the shot's plate or roto, 1001-1006."""
    return nuke.nodes.Read(
        file=f"{folder.as_posix()}/{name}.####.exr", first=1001, last=1006, raw=True, name=f"Read_{name}"
    )


def add_void(shot: Path, server: str, **knobs: object) -> nuke.Group:
    """A VOID node with plate and roto piped in, set up small."""
    node = nuke.createNode("VOID", inpanel=False)
    node.setInput(0, read(shot, "plate"))
    node.setInput(1, read(shot, "roto"))
    for name, wish in {**SMALL, "server": server, **knobs}.items():
        node[name].setValue(wish)
    return node


Script = Callable[..., nuke.Group]


@pytest.fixture
def script(gui: None, shot: Path, server: str, tmp_path: Path) -> Script:
    """Make a saved script with one VOID node, talking to the server with the stand-in engine."""

    def make(folder: Path = tmp_path, address: str = server, **knobs: object) -> nuke.Group:
        folder.mkdir(exist_ok=True, parents=True)
        node = add_void(shot, address, **knobs)
        nuke.scriptSaveAs(str(folder / "shot.nk"))
        return node

    return make


def status(node: nuke.Node) -> str:
    return str(node["status"].value())


def wait_for_status(node: nuke.Node, part: str) -> None:
    """Let Nuke run until the panel says so and the progress windows are gone."""
    stage.wait_until(lambda: part in status(node) and not stage.progress_tasks())


def wait_for_pass1() -> None:
    """Let Nuke run until some bake's progress says that the model is at work."""
    stage.wait_until(lambda: any("pass 1" in bar.message for bar in stage.progress_tasks()))


def results(folder: Path, node: nuke.Node) -> Path:
    """The folder of a node's versions."""
    return folder / "void" / str(node["void_id"].value())


def saved(node: nuke.Node, tmp_path: Path) -> Path:
    """The script on disk, with a Write behind the node; the GUI is done with it."""
    write = nuke.nodes.Write(
        file=f"{tmp_path.as_posix()}/comp/out.%04d.exr", file_type="exr", raw=True, create_directories=True
    )
    write.setInput(0, node)
    nuke.root()["first_frame"].setValue(1001)
    nuke.root()["last_frame"].setValue(1006)
    nuke.scriptSave()
    return tmp_path / "shot.nk"


def channels(path: Path) -> dict[str, np.ndarray]:
    return {
        name: channel.pixels for name, channel in OpenEXR.File(str(path), separate_channels=True).channels().items()
    }


def render(node: nuke.Node, folder: Path) -> Path:
    """What comes out of a node, 1001-1006, as a downstream Write renders it."""
    write = nuke.nodes.Write(
        file=f"{folder.as_posix()}/out.%04d.exr", file_type="exr", raw=True, channels="all", create_directories=True
    )
    write.setInput(0, node)
    nuke.execute(write, 1001, 1006, 1)
    nuke.delete(write)
    return folder
