"""A node's bake on a farm: the bundle is run by `openjd run` with the fake `nuke`, in real processes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import nuke
import numpy as np
import pytest
import stage
from conftest import Void
from farm_machines import Worker
from void_client.bundle import commands

from void_server.plates.exr import read_frame

from .conftest import Script, results, saved, status, wait_for_status


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


def test_the_farm_is_reached_by_the_studios_own_command(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = script()
    monkeypatch.setenv("VOID_FARM_SUBMIT", "sh -c 'echo job 17: \"$@\"' farm {script} {node} {first} {last}")
    stage.press(node, "submit_farm")
    stage.wait_until(lambda: len(stage.messages()) == 1)
    assert f"job 17: {tmp_path}/shot.nk {node.fullName()} 1001 1006" in stage.messages()[-1]
    monkeypatch.setenv("VOID_FARM_SUBMIT", "sh -c 'echo the queue is full >&2; exit 3'")
    stage.press(node, "submit_farm")
    stage.wait_until(lambda: len(stage.messages()) == 2)
    assert "status 3" in stage.messages()[-1]
    assert "the queue is full" in stage.messages()[-1]
    node["seed"].setValue(1)
    stage.press(node, "submit_farm")
    assert "save it, then submit" in stage.messages()[-1]
    assert not list(tmp_path.glob("*.farm*")), "a command that says nothing of a bundle has its own way to bake"


def test_the_studios_command_is_given_the_bundle(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = script()
    monkeypatch.setenv("VOID_FARM_SUBMIT", "sh -c 'echo job 17: \"$@\"' farm {bundle} {node}")
    monkeypatch.setenv("VOID_FARM_GPU_MEMORY", "24")
    bundle = handed_over(node, tmp_path)
    stage.wait_until(lambda: stage.messages())
    assert f"job 17: {bundle} {node.fullName()}" in stage.messages()[-1]
    assert '"min": 24576' in (bundle / "template.json").read_text()


def test_a_bundle_that_the_farm_refuses_can_be_sent_by_hand(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = script()
    monkeypatch.setenv("VOID_FARM_SUBMIT", "sh -c 'echo the queue is full >&2; exit 3' {bundle}")
    bundle = handed_over(node, tmp_path)
    stage.wait_until(lambda: stage.messages())
    assert "status 3" in stage.messages()[-1]
    assert "the queue is full" in stage.messages()[-1]
    assert f"deadline bundle submit {bundle}" in stage.messages()[-1]


def test_a_command_that_cant_be_filled_in_leaves_no_bundle(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = script()
    monkeypatch.setenv("VOID_FARM_SUBMIT", "farm {bundle} {shot}")
    stage.press(node, "submit_farm")
    assert "can't be filled in" in stage.messages()[-1]
    assert not list(tmp_path.glob("*.farm*"))
    assert not results(tmp_path, node).exists()


def test_one_node_made_from_another_is_refused(script: Script, worker: Worker, void: Void, tmp_path: Path) -> None:
    first = script()
    second = nuke.createNode("VOID", inpanel=False)
    second.setInput(0, first)
    second.setInput(1, first.input(1))
    done = void("farm", "bundle", saved(second, tmp_path), "--out", tmp_path / "bundle", env=worker.environment)
    assert done.returncode == 2
    assert f"{second.fullName()} is made from the result of {first.fullName()}" in done.stderr
    assert not (tmp_path / "bundle").exists()
    assert not results(tmp_path, first).exists()


def test_what_is_on_the_farm_is_not_taken_up_here(script: Script, tmp_path: Path) -> None:
    node = script()
    handed_over(node, tmp_path)
    nuke.scriptOpen(str(tmp_path / "shot.nk"))
    (again,) = [found for found in nuke.allNodes("Group") if found.knob("void_id")]
    stage.press(again, "cancel")
    assert "nothing of" in stage.messages()[-1]
    stage.press(again, "bake")
    wait_for_status(again, "v002: frames")
    assert (results(tmp_path, again) / "v001" / "job.json").is_file()


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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_failed_bake_is_kept_and_a_retry_does_what_is_missing(script: Script, worker: Worker, tmp_path: Path) -> None:
    node = script(prompt="memory")
    bundle = handed_over(node, tmp_path)
    code, said = worker.run(bundle, "Void", "--run-dependencies")
    assert code != 0
    assert f"openjd_fail: {node.fullName()}: pass 1 ran out of memory" in said
    record = results(tmp_path, node) / "v001" / "job.json"
    record.write_text(record.read_text().replace('"memory"', '"an empty room"'))  # a card with more of it
    code, said = worker.run(bundle, "Void", "--run-dependencies")
    assert code == 0, said
    assert f"{node.fullName()} 1001-1006 was rendered before" in said
    assert f"openjd_status: {node.fullName()}: done" in said
    code, said = worker.run(bundle, "Void", "--run-dependencies")
    assert code == 0, said
    assert "openjd_status: nothing to render" in said
    assert f"openjd_status: {node.fullName()}: was done before" in said


def test_a_script_that_has_changed_since_is_refused(script: Script, worker: Worker, tmp_path: Path) -> None:
    node = script()
    bundle = handed_over(node, tmp_path)
    node["seed"].setValue(7)
    nuke.scriptSave()
    code, said = worker.run(bundle, "RenderInputs")
    assert code != 0
    assert f"openjd_fail: {node.fullName()}: seed has changed since the bundle was written" in said
    assert not list(results(tmp_path, node).glob("**/*.exr"))


@pytest.mark.slow
def test_paths_are_mapped_for_nuke_too(script: Script, worker: Worker, shot: Path, void: Void, tmp_path: Path) -> None:
    """The submitter's folder has another name on the worker: script, plates, versions and comp are under that one."""
    here, there = tmp_path / "here", tmp_path / "there"
    shutil.copytree(shot, here / "plates")
    node = script(here)
    for index, name in enumerate(("plate", "roto")):
        node.input(index)["file"].setValue(f"{here}/plates/{name}.####.exr")
    done = void("farm", "bundle", saved(node, here), "--out", tmp_path / "bundle", env=worker.environment)
    assert done.returncode == 0, done.stderr
    here.rename(there)
    rule = {"source_path_format": "POSIX", "source_path": str(here), "destination_path": str(there)}
    rules = json.dumps({"version": "pathmapping-1.0", "path_mapping_rules": [rule]})
    code, said = worker.run(tmp_path / "bundle", "Comp", "--run-dependencies", "--path-mapping-rules", rules)
    assert code == 0, said
    assert len(list((there / "comp").glob("out.*.exr"))) == 6
    assert not here.exists()
