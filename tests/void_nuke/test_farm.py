"""A node's bake on a farm: the bundle is run by `openjd run` with the fake `nuke`, in real processes."""

from __future__ import annotations

import re
from pathlib import Path

import nuke
import numpy as np
import stage
from conftest import Void
from farm_machines import Worker
from void_client.bundle import commands

from void_server.plates.exr import read_frame

from .conftest import Script, results, saved, status


def handed_over(node: nuke.Group, tmp_path: Path) -> Path:
    """The bundle that Submit to farm has written."""
    stage.press(node, "submit_farm")
    (folder,) = tmp_path.glob("*.farm*")
    return folder


def test_the_button_writes_a_bundle_and_says_what_to_type(script: Script, tmp_path: Path) -> None:
    node = script()
    bundle = handed_over(node, tmp_path)
    said = stage.messages()[-1]
    assert bundle == tmp_path / f"shot.{node.fullName()}.farm001"
    assert f"deadline bundle submit {bundle}" in said
    assert f"openjd run {bundle}/template.json --step Void --run-dependencies -p Script={tmp_path}/shot.nk" in said
    assert bundle.name in status(node)
    assert str(tmp_path) not in (bundle / "template.json").read_text()


def test_a_bundle_bakes_the_node(script: Script, worker: Worker, tmp_path: Path) -> None:
    node = script()
    bundle = handed_over(node, tmp_path)
    code, said = worker.run(bundle, "Void", "--run-dependencies")
    assert code == 0, said
    folder = results(tmp_path, node) / "v001"
    assert len(list(folder.glob("plate.*.exr"))) == 6
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".exr") == ["manifest.json"]
    progress = [int(number) for number in re.findall(r"openjd_progress: (\d+)", said)]
    assert progress == sorted(progress)
    assert progress[-1] == 100
    assert worker.processes() == []


def test_the_comp_shows_what_was_baked(script: Script, worker: Worker, void: Void, tmp_path: Path) -> None:
    node = script()
    path = saved(node, tmp_path)
    before = path.read_text()
    bundle = tmp_path / "bundle"
    done = void("farm", "bundle", path, "--out", bundle, env=worker.environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout == commands(bundle) + "\n"
    code, said = worker.run(bundle, "Comp", "--run-dependencies", "-p", "ChunkSize=4")
    assert code == 0, said
    for frame in range(1001, 1007):
        baked = read_frame(results(tmp_path, node) / "v001" / f"plate.{frame}.exr")
        comp = read_frame(tmp_path / "comp" / f"out.{frame}.exr")
        assert np.array_equal(comp.parts[0].channels["R"], baked.parts[0].channels["R"])
    assert path.read_text() == before, "the artist's script is left alone"
