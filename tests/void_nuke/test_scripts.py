"""A script's life: saved, closed, opened, copied, undone; what the node remembers, and what it says is out of date."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import nuke
import pytest
import stage
from void_client.client import Client

from .conftest import Script, read, results, status, wait_for_pass1, wait_for_status


def bake(node: nuke.Node, version: str = "v001") -> None:
    stage.press(node, "bake")
    wait_for_status(node, f"{version}: frames")


def reopen(path: Path) -> nuke.Node:
    """Open the script as in a new Nuke; returns its VOID node."""
    nuke.scriptOpen(str(path))
    (node,) = [node for node in nuke.allNodes("Group") if node.knob("void_id")]
    return node


def let_time_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Badges are looked at a few times a minute only; look now."""
    monkeypatch.setattr("void_nuke.events.BADGES_EVERY", 0.0)
    stage.update_ui()


def test_a_saved_script_finds_its_result_again(script: Script, tmp_path: Path) -> None:
    node = script()
    bake(node)
    nuke.scriptSave()
    again = reopen(tmp_path / "shot.nk")
    assert again["version"].value() == "v001"
    assert stage.label(again) == "v001"
    assert again.node("Result")["file"].value().endswith("/v001/plate.%04d.exr")
    assert again.node("Result")["first"].value() == 1001
    assert not nuke.modified(), "opening has changed nothing"


def test_a_bake_that_goes_on_is_taken_up_by_the_reopened_script(script: Script, tmp_path: Path) -> None:
    node = script(prompt=f"until {tmp_path / 'go'}")
    stage.press(node, "bake")
    wait_for_pass1()
    nuke.scriptSave()
    nuke.scriptClear()
    (tmp_path / "go").touch()
    again = reopen(tmp_path / "shot.nk")
    stage.wait_until(lambda: again["version"].value() == "v001")
    wait_for_status(again, "v001: frames")


def test_a_bake_that_ended_while_the_script_was_closed_is_shown(script: Script, tmp_path: Path) -> None:
    node = script(prompt=f"until {tmp_path / 'go'}")
    folder = results(tmp_path, node)
    stage.press(node, "bake")
    wait_for_pass1()
    nuke.scriptSave()
    nuke.scriptClear()
    (tmp_path / "go").touch()
    stage.wait_until(lambda: (folder / "v001" / "manifest.json").exists() and not stage.progress_tasks())
    again = reopen(tmp_path / "shot.nk")
    assert again["version"].value() == "v001"
    assert "v001: frames" in status(again)


def test_a_bake_whose_server_is_gone_is_said_quietly_on_opening(script: Script, tmp_path: Path) -> None:
    node = script(prompt=f"until {tmp_path / 'never'}")
    stage.press(node, "bake")
    wait_for_pass1()
    stage.press(node, "cancel")
    job, address = node["void_job"].value(), node["server"].value()
    record = (results(tmp_path, node) / "v001" / "job.json").read_bytes()
    wait_for_status(node, "cancelled")
    with Client(address) as client:
        assert job not in [held["job"] for held in client.jobs()]
    node["server"].setValue("tcp://127.0.0.1:9")
    nuke.scriptSave()
    folder = results(tmp_path, node) / "v001"
    folder.mkdir()
    (folder / "job.json").write_bytes(record)
    again = reopen(tmp_path / "shot.nk")
    wait_for_status(again, "tcp://127.0.0.1:9")
    assert "press Bake to go on" in status(again)
    assert not stage.messages(), "a script that opens must not pop up windows"
    stage.press(again, "cancel")
    assert "v001 given up" in status(again)
    assert not folder.exists()


def test_a_copy_shows_the_same_and_bakes_into_a_folder_of_its_own(script: Script, tmp_path: Path) -> None:
    node = script()
    bake(node)
    node.selectOnly()
    nuke.nodeCopy("%clipboard%")
    copy = nuke.nodePaste("%clipboard%")
    assert copy["void_id"].value() != node["void_id"].value()
    assert copy.node("Result")["file"].value() == node.node("Result")["file"].value()
    assert copy["version"].value() == "v001"
    for index in (0, 1):
        copy.setInput(index, node.input(index))
    bake(copy)
    assert copy.node("Result")["file"].value() != node.node("Result")["file"].value()
    assert (results(tmp_path, copy) / "v001" / "manifest.json").is_file()


def test_a_script_autosaved_in_the_middle_of_a_render_has_its_writes_put_to_rest(
    script: Script, tmp_path: Path
) -> None:
    script().node("WritePlate")["disable"].setValue(False)
    nuke.scriptSave()
    assert reopen(tmp_path / "shot.nk").node("WritePlate")["disable"].value()


def test_opening_twice_keeps_identities(script: Script, tmp_path: Path) -> None:
    node = script()
    identity = node["void_id"].value()
    assert re.fullmatch("[0-9a-f]{12}", identity)
    nuke.scriptSave()
    assert reopen(tmp_path / "shot.nk")["void_id"].value() == identity


def test_undo_is_the_artists_alone_and_a_status_changes_no_script(script: Script) -> None:
    node = script()
    node["seed"].setValue(7)
    before = stage.undo_names()
    bake(node)
    nuke.scriptSave()
    stage.press(node, "diagnose")
    node.showControlPanel()
    assert stage.undo_names() == before
    assert not nuke.modified()
    nuke.undo()
    assert node["seed"].value() == 42
    assert node["version"].value() == "v001", "the result stays"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda node: node["prompt"].setValue("Another."), "prompt has changed"),
        (lambda node: node["real_pixels"].setValue(False), "real_pixels has changed"),
        (lambda node: node["grain"].setValue(0.5), "grain has changed"),
        (lambda node: node["patch"].setValue(True), "patch has changed"),
        (lambda node: nuke.toNode("Grade1")["white"].setValue(2), "Grade1 has changed"),
        (lambda node: node.setInput(0, node.input(0).input(0)), "Dot1 is gone"),
        (lambda node: nuke.toNode("Control")["white"].setValue(3), "Control has changed"),
        (lambda node: nuke.toNode("Look.Inner")["white"].setValue(3), "Inner has changed"),
        (lambda node: node.setInput(2, read(Path("/nowhere"), "affected")), "Read_affected is new"),
        (lambda node: node.input(1)["disable"].setValue(True), "Read_roto has changed"),
        (lambda node: node["last"].setValue(1002), ""),  # the range is the input's: the custom numbers do not count
        (lambda node: node.input(0).setXYpos(5, 5), ""),
        (lambda node: nuke.toNode("Grade1").setName("Other"), ""),
        (lambda node: node.input(0)["note_font_size"].setValue(30), ""),
        (lambda node: node["server"].setValue("tcp://127.0.0.1:1"), ""),
    ],
)
def test_the_badge_says_that_the_result_is_out_of_date_and_why(
    script: Script, monkeypatch: pytest.MonkeyPatch, change: object, reason: str
) -> None:
    node = script()
    grade = nuke.nodes.Grade(name="Grade1")
    grade.setInput(0, node.input(0))
    dot = nuke.nodes.Dot(name="Dot1")
    look = nuke.nodes.Group(name="Look")
    with look:
        inside = nuke.nodes.Grade(name="Inner")
        inside.setInput(0, nuke.nodes.Input())
        nuke.nodes.Output().setInput(0, inside)
    look.setInput(0, grade)
    dot.setInput(0, look)
    node.setInput(0, dot)
    nuke.nodes.Grade(name="Control")
    grade["multiply"].setExpression("Control.white")
    bake(node)
    change(node)
    let_time_pass(monkeypatch)
    expected = f"v001 out of date: .*{reason}" if reason else "v001$"
    assert re.match(expected, stage.label(node)), stage.label(node)


def test_a_node_from_before_real_pixels_and_grain_is_up_to_date_and_bakes_with_them(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = ("real_pixels", "grain", "patch")
    node = script()
    for name in later:
        node.removeKnob(node[name])
    bake(node)
    made_from = json.loads(node["void_made_from"].value())
    old = {mark: found for mark, found in made_from.items() if mark not in {f"setting {name}" for name in later}}
    assert len(old) == len(made_from) - 3
    node["void_made_from"].setValue(json.dumps(old))
    nuke.scriptSave()
    again = reopen(tmp_path / "shot.nk")
    let_time_pass(monkeypatch)
    assert stage.label(again) == "v001"
    assert [name for name in later if again.knob(name)] == []
    bake(again, "v002")
    manifest = json.loads((results(tmp_path, again) / "v002" / "manifest.json").read_text())
    assert [manifest["settings"][name] for name in later] == [True, 1.0, False]


def test_a_plate_rendered_anew_under_the_same_name_is_noticed(script: Script, shot: Path, tmp_path: Path) -> None:
    node = script()
    for frame in range(1001, 1007):
        (tmp_path / f"plate.{frame}.exr").write_bytes((shot / f"plate.{frame}.exr").read_bytes())
    node.input(0)["file"].setValue(f"{tmp_path.as_posix()}/plate.####.exr")
    bake(node)
    os.utime(tmp_path / "plate.1006.exr", (1, 1))
    node.showControlPanel()
    assert stage.label(node) == "v001 out of date: plate.1006.exr on disk has changed"


def test_export_as_read_makes_a_read_of_the_shown_version(script: Script) -> None:
    node = script()
    stage.press(node, "export_read")
    assert "bake it" in stage.messages()[-1]
    bake(node)
    stage.press(node, "export_read")
    (made,) = [found for found in nuke.allNodes("Read") if "v001" in found.name()]
    assert made["file"].value() == node.node("Result")["file"].value()
    assert made.input(0) is None
    assert "Read" in " ".join(stage.undo_names()), "the artist can undo it"


def test_without_the_plugin_the_script_opens_renders_and_says_so(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = script()
    bake(node)
    nuke.scriptSave()
    stage.stop()
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if not Path(entry, "void_nuke").exists()])
    stage.start(gui=True, nuke_path=[])
    again = reopen(tmp_path / "shot.nk")
    for button in ("bake", "cancel", "build_quadmask", "export_read", "check_server", "start_server", "diagnose"):
        stage.press(again, button)
        assert "plugin is not installed here" in stage.messages()[-1]
    write = nuke.nodes.Write(file=f"{tmp_path.as_posix()}/out.%04d.exr", file_type="exr", raw=True)
    write.setInput(0, again)
    nuke.execute(write, 1001, 1002)
    assert (tmp_path / "out.1002.exr").is_file()
