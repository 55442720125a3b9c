"""What is piped in: refusals in words before anything is rendered, proxy, views, odd paths, groups."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import nuke
import OpenEXR
import pytest
import stage

from .conftest import Script, add_void, results, status, wait_for_status


def refusal(node: nuke.Node) -> str:
    """What Bake says, after which nothing has been started."""
    stage.press(node, "bake")
    assert not stage.progress_tasks()
    return stage.messages()[-1]


def no_plate(node: nuke.Group) -> None:
    node.setInput(0, None)


def no_roto(node: nuke.Group) -> None:
    node.setInput(1, None)


def roto_off(node: nuke.Group) -> None:
    node.input(1)["disable"].setValue(True)


def node_off(node: nuke.Group) -> None:
    node["disable"].setValue(True)


def backwards(node: nuke.Group) -> None:
    node["range"].setValue("custom")
    node["first"].setValue(1010)
    node["last"].setValue(1001)


def other_format(node: nuke.Group) -> None:
    node.setInput(1, nuke.nodes.Constant(format="64 64 0 0 64 64 1 square", color=1))


def no_name(node: nuke.Group) -> None:
    nuke.root()["name"].setValue("")


def broken_inside(node: nuke.Group) -> None:
    node["range"].setValue("custom")
    node.removeKnob(node["first"])


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (no_plate, ["plate input of VOID", "pipe the plate into it"]),
        (no_roto, ["roto input of VOID", "pipe a Roto into it"]),
        (roto_off, ["Read_roto, piped into roto, is disabled", "enable it"]),
        (node_off, ["is disabled", "enable it"]),
        (backwards, ["1010-1001", "runs backwards"]),
        (other_format, ["64x64", "160x90", "Reformat"]),
        (no_name, ["no name yet", "save it"]),
        (broken_inside, ["no knob 'first'", "create a new VOID node"]),
    ],
)
def test_what_cannot_be_baked_is_refused_in_words(
    script: Script, spoil: Callable[[nuke.Group], None], parts: list[str]
) -> None:
    node = script()
    spoil(node)
    said = refusal(node)
    for part in parts:
        assert part in said
    assert "Traceback" not in said


def test_a_missing_frame_names_the_input_and_leaves_nothing(script: Script, shot: Path, tmp_path: Path) -> None:
    node = script()
    copied = tmp_path / "plates"
    copied.mkdir()
    for frame in (1001, 1002, 1004, 1005, 1006):
        shutil.copy(shot / f"plate.{frame}.exr", copied)
    node.input(0)["file"].setValue(f"{copied.as_posix()}/plate.####.exr")
    stage.press(node, "bake")
    stage.wait_until(lambda: stage.messages())
    assert "the plate can't be rendered" in stage.messages()[-1]
    assert "1003" in stage.messages()[-1]
    assert list(results(tmp_path, node).iterdir()) == []


def test_stopping_the_render_of_the_inputs_cancels_the_bake(script: Script, tmp_path: Path) -> None:
    node = script()
    stage.cancel_next_execute()
    stage.press(node, "bake")
    wait_for_status(node, "cancelled")
    assert list(results(tmp_path, node).iterdir()) == []


def test_proxy_is_forced_off_for_the_bake_and_comes_back(script: Script, tmp_path: Path) -> None:
    node = script()
    nuke.root()["proxy"].setValue(True)
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames")
    assert nuke.root()["proxy"].value() is True
    header = OpenEXR.File(str(results(tmp_path, node) / "v001" / "plate.1001.exr"), header_only=True).header()
    assert [int(side) for side in header["displayWindow"][1]] == [159, 89]


def test_the_writes_are_put_back_as_they_were(script: Script) -> None:
    node = script()
    before = node.node("WritePlate").writeKnobs(nuke.WRITE_ALL | nuke.TO_SCRIPT)
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames")
    assert node.node("WritePlate").writeKnobs(nuke.WRITE_ALL | nuke.TO_SCRIPT) == before
    with pytest.raises(RuntimeError):
        nuke.execute(node.node("WritePlate"), 1001, 1001)


def test_each_view_is_baked_and_shown(script: Script, shot: Path, tmp_path: Path) -> None:
    nuke.addView("left")
    nuke.addView("right")
    nuke.deleteView("main")
    node = script()
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames")
    folder = results(tmp_path, node) / "v001"
    for view in ("left", "right"):
        assert (folder / view / "plate.1006.exr").is_file()
        assert (folder / view / "manifest.json").is_file()
    assert node.node("Result")["file"].value().endswith("/v001/%V/plate.%04d.exr")
    assert list(node["version"].values()) == ["v001"]


def test_a_script_in_a_folder_with_blanks_and_umlauts(script: Script, tmp_path: Path) -> None:
    folder = tmp_path / "Müllers shots [v2]" / "sh 010"
    node = script(folder=folder)
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames")
    assert (results(folder, node) / "v001" / "plate.1001.exr").is_file()
    nuke.scriptSave()
    name = node.fullName()
    nuke.scriptOpen(str(folder / "shot.nk"))
    assert (
        nuke.toNode(name).node("Result")["file"].evaluate(1001)
        == f"{results(folder, nuke.toNode(name)).as_posix()}/v001/plate.1001.exr"
    )


def test_a_folder_of_the_artists_choice(script: Script, tmp_path: Path) -> None:
    node = script(folder=tmp_path / "scripts")
    node["folder"].setValue((tmp_path / "renders").as_posix())
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames")
    assert (results(tmp_path / "renders", node) / "v001" / "plate.1001.exr").is_file()


def test_a_folder_that_cannot_be_written_is_said(script: Script, tmp_path: Path) -> None:
    node = script()
    (tmp_path / "void").write_text("a file is in the way")
    stage.press(node, "bake")
    stage.wait_until(lambda: stage.messages())
    assert "can't be written" in stage.messages()[-1]
    assert "Output tab" in stage.messages()[-1]


def test_a_node_inside_groups_bakes_like_any_other(gui: None, shot: Path, server: str, tmp_path: Path) -> None:
    outer = nuke.nodes.Group(name="Outer")
    with outer:
        inner = nuke.nodes.Group(name="Inner")
        with inner:
            node = add_void(shot, server)
    nuke.scriptSaveAs(str(tmp_path / "shot.nk"))
    assert node.fullName().startswith("Outer.Inner.VOID")
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames")
    assert (results(tmp_path, node) / "v001" / "plate.1001.exr").is_file()


def test_inside_a_live_group_it_refuses(gui: None, shot: Path, server: str, tmp_path: Path) -> None:
    live = nuke.nodes.LiveGroup(name="Live")
    with live:
        node = add_void(shot, server)
    nuke.scriptSaveAs(str(tmp_path / "shot.nk"))
    assert "LiveGroup Live" in refusal(node)
    assert "not baked yet" in status(node)


def test_a_painted_roto_is_what_goes(script: Script, tmp_path: Path) -> None:
    node = script()
    nuke.addFormat("160 90 0 0 160 90 1 shot")
    nuke.root()["format"].setValue("shot")
    roto = nuke.nodes.Roto()
    stage.paint_roto(roto, [(20, 20), (60, 20), (60, 50), (20, 50)])
    node.setInput(1, roto)
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames")
    pixels = OpenEXR.File(str(results(tmp_path, node) / "v001" / "plate.1001.exr"), separate_channels=True).channels()
    removed = pixels["void.quadmask"].pixels == 0
    assert 0.9 * 40 * 30 < removed.sum() < 1.1 * 40 * 30
