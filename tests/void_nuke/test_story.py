"""An afternoon with the node, against a real server with (tiny, untrained) weights in the real layout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nuke
import numpy as np
import OpenEXR
import stage

from .conftest import PLUGIN, SMALL, read, results, wait_for_status


def test_from_the_toolbar_to_the_farm(gui: None, shot: Path, tiny_server: str, tmp_path: Path) -> None:
    # A new script; the node from the toolbar; a Read and a painted Roto piped in.
    nuke.addFormat("160 90 0 0 160 90 1 shot")
    nuke.root()["format"].setValue("shot")
    nuke.scriptSaveAs(str(tmp_path / "shot.nk"))
    nuke.menu("Nodes").findItem("VOID/VOID").invoke()
    node = nuke.selectedNode()
    roto = nuke.nodes.Roto()
    stage.paint_roto(roto, [(60, 30), (100, 30), (100, 60), (60, 60)])
    node.setInput(0, read(shot, "plate"))
    node.setInput(1, roto)
    for name, wish in {**SMALL, "passes": "both", "server": tiny_server, "prompt": "An empty table."}.items():
        node[name].setValue(wish)

    # A bake; another one, cancelled.
    stage.press(node, "bake")
    stage.wait_until(lambda: node["version"].value() == "v001", 120)
    wait_for_status(node, "v001: frames 1001-1006")
    assert "untrained" in node["status"].value()
    node["steps1"].setValue(400)
    stage.press(node, "bake")
    stage.wait_until(lambda: any("pass 1, step" in bar.message for bar in stage.progress_tasks()), 60)
    stage.press(node, "cancel")
    wait_for_status(node, "cancelled")
    assert node["version"].value() == "v001"
    node["steps1"].setValue(1)

    # Saved, closed, opened again: the result is there, and nothing is out of date.
    write = nuke.nodes.Write(
        file=f"{tmp_path.as_posix()}/comp.%04d.exr", file_type="exr", raw=True, channels="all", name="Comp"
    )
    write.setInput(0, node)
    nuke.scriptSave()
    nuke.scriptClear()
    nuke.scriptOpen(str(tmp_path / "shot.nk"))
    again = nuke.toNode("Comp").input(0)
    assert stage.label(again) == "v001"
    assert len(list((results(tmp_path, again) / "v001").glob("plate.*.exr"))) == 6

    # Rendered on the farm.
    fake = PLUGIN.parent / "tests" / "fake_nuke" / "fake_nuke.py"
    done = subprocess.run(
        [sys.executable, str(fake), "-X", "Comp", "-F", "1001-1006", str(tmp_path / "shot.nk")],
        env={**os.environ, "NUKE_PATH": str(PLUGIN)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for frame in (1001, 1006):
        comp, plate = (
            OpenEXR.File(str(path), separate_channels=True).channels()
            for path in (tmp_path / f"comp.{frame}.exr", shot / f"plate.{frame}.exr")
        )
        outside = comp["void.matte"].pixels == 0
        assert 0.5 < outside.mean() < 0.95
        assert np.array_equal(comp["G"].pixels[outside].view(np.uint16), plate["G"].pixels[outside].view(np.uint16))
        assert not np.array_equal(comp["G"].pixels, plate["G"].pixels)
