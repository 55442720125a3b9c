"""Baking from the panel: a real server, real EXRs, a fake Nuke that refuses calls off its main thread."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import nuke
import numpy as np
import pytest
import stage
from servers import Server

from void_server.settings import ShotSettings

from .conftest import Script, channels, render, results, status, wait_for_pass1, wait_for_status


@pytest.fixture
def killable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("killable") / "spool")
    yield server
    server.stop()


def test_a_bake_comes_back_as_the_first_version(script: Script, tmp_path: Path) -> None:
    node = script()
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames 1001-1006")
    folder = results(tmp_path, node) / "v001"
    assert {path.name for path in folder.iterdir()} == {
        "manifest.json",
        *(f"plate.{frame}.exr" for frame in range(1001, 1007)),
    }
    assert node["version"].value() == "v001"
    assert stage.label(node) == "v001"
    assert "a stand-in for tests" in status(node), "what the server says of its weights"


def test_outside_the_matte_the_comp_shows_the_plates_own_bits(script: Script, shot: Path, tmp_path: Path) -> None:
    node = script()
    stage.press(node, "bake")
    wait_for_status(node, "v001")
    folder = render(node, tmp_path / "comp")
    for frame in range(1001, 1007):
        ours, source = channels(folder / f"out.{frame}.exr"), channels(shot / f"plate.{frame}.exr")
        outside = ours["void.matte"] == 0
        assert 0 < outside.mean() < 1
        for name in "RGBA":
            assert np.array_equal(ours[name][outside].view(np.uint16), source[name][outside].view(np.uint16))
        assert not np.array_equal(ours["R"][~outside], source["R"][~outside]), "inside something has been done"


def test_the_panels_settings_reach_the_result(script: Script, tmp_path: Path) -> None:
    node = script(
        seed=7,
        feather=3.5,
        guidance2=2,
        mask_levels="quad",
        real_pixels=False,
        grain=0.5,
        prompt="An empty room.",
        range="custom",
        first=1002,
    )
    node["last"].setValue(1003)
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames 1002-1003")
    manifest = json.loads((results(tmp_path, node) / "v001" / "manifest.json").read_text())
    assert manifest["prompt"] == "An empty room."
    assert manifest["settings"]["seed"] == 7
    assert manifest["settings"]["feather"] == 3.5
    assert manifest["settings"]["mask_levels"] == "quad"
    assert manifest["settings"]["real_pixels"] is False
    assert manifest["settings"]["grain"] == 0.5
    assert manifest["settings"]["patch"] is False
    assert manifest["settings"]["passes"] == 1
    assert manifest["settings"]["pass2"] == {"steps": 1, "guidance_scale": 2.0}
    assert manifest["format"] == [160, 90, 1.0]
    assert manifest["colour"]["colorManagement"]
    assert manifest["node"] == node.fullName()


def test_a_node_that_nobody_touched_asks_for_the_servers_own_defaults(script: Script) -> None:
    from void_nuke.snapshot import settings_of

    script()
    assert ShotSettings.from_dict(settings_of(nuke.createNode("VOID", inpanel=False))) == ShotSettings()


def test_in_nuke_the_layers_redo_the_last_step(script: Script, shot: Path, tmp_path: Path) -> None:
    node = script(patch=True, real_pixels=False)
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames")
    folder = render(node, tmp_path / "comp")
    for frame in range(1001, 1007):
        ours = {name: pixels.astype(np.float32) for name, pixels in channels(folder / f"out.{frame}.exr").items()}
        source = channels(shot / f"plate.{frame}.exr")
        matte = ours["void.matte"]
        assert np.count_nonzero(matte) > 100
        for name, colour in zip("RGB", ("red", "green", "blue"), strict=True):
            patch, grain = ours[f"void_patch.{colour}"], ours[f"void_grain.{colour}"]
            redone = source[name].astype(np.float32) * (1 - matte) + (patch + grain) * matte
            np.testing.assert_allclose(ours[name], redone, rtol=2e-3, atol=2e-3)


def test_every_bake_is_a_new_version_and_the_dropdown_goes_back(script: Script, tmp_path: Path) -> None:
    node = script()
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames")
    first = (results(tmp_path, node) / "v001" / "plate.1003.exr").read_bytes()
    node["seed"].setValue(43)
    stage.press(node, "bake")
    wait_for_status(node, "v002: frames")
    assert list(node["version"].values()) == ["v002", "v001"]
    assert "v002/plate" in node.node("Result")["file"].value()
    assert (results(tmp_path, node) / "v001" / "plate.1003.exr").read_bytes() == first
    node["version"].setValue("v001")
    assert "v001/plate" in node.node("Result")["file"].value()
    assert stage.label(node) == "v001 out of date: seed has changed"


def test_progress_tells_stage_and_step(script: Script, tmp_path: Path) -> None:
    node = script(prompt=f"until {tmp_path / 'go'}")
    stage.press(node, "bake")
    stage.wait_until(lambda: any("pass 1, step 1 of 200" in bar.message for bar in stage.progress_tasks()))
    (bar,) = stage.progress_tasks()
    assert "left" in bar.message
    assert 8 <= bar.percent <= 35
    assert "a stand-in for tests" in status(node), "a notice is said as it comes, not at the end"
    (tmp_path / "go").touch()
    wait_for_status(node, "v001: frames")


@pytest.mark.parametrize("how", ["button", "window"])
def test_cancel_stops_the_job_and_leaves_nothing(script: Script, tmp_path: Path, how: str) -> None:
    node = script(prompt=f"until {tmp_path / 'never'}")
    stage.press(node, "bake")
    wait_for_pass1()
    if how == "button":
        stage.press(node, "cancel")
    else:
        stage.cancel_progress(stage.progress_tasks()[0])
    wait_for_status(node, "cancelled")
    assert list(results(tmp_path, node).iterdir()) == []
    assert not stage.messages(), "nothing to be told twice"


def test_a_second_bake_of_a_node_that_is_baked_is_refused_in_words(script: Script, tmp_path: Path) -> None:
    node = script(prompt=f"until {tmp_path / 'go'}")
    stage.press(node, "bake")
    stage.press(node, "bake")
    assert "press Cancel first" in stage.messages()[-1]
    (tmp_path / "go").touch()
    wait_for_status(node, "v001: frames")


def test_two_nodes_bake_and_one_is_cancelled(script: Script, tmp_path: Path) -> None:
    first = script(prompt=f"until {tmp_path / 'go'}")
    second = nuke.createNode("VOID", inpanel=False)
    for index in (0, 1):
        second.setInput(index, first.input(index))
    for name in ("server", "model_width", "model_height", "model_window", "overlap", "passes"):
        second[name].setValue(first[name].value())
    assert first["void_id"].value() != second["void_id"].value()
    stage.press(first, "bake")
    stage.press(second, "bake")
    stage.wait_until(lambda: any("waiting for its turn" in bar.message for bar in stage.progress_tasks()))
    stage.press(second, "cancel")
    stage.wait_until(lambda: status(second) == "cancelled")
    (tmp_path / "go").touch()
    wait_for_status(first, "v001: frames")


def test_killing_the_server_in_the_middle_leaves_nuke_alive_and_the_bake_resumable(
    script: Script, killable: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("void_client.protocol.PATIENCE", 4.0)
    node = script(address=killable.address, prompt=f"until {tmp_path / 'go'}")
    stage.press(node, "bake")
    wait_for_pass1()
    job = node["void_job"].value()
    killable.kill()
    node["seed"].setValue(5)  # the comp can be worked in meanwhile
    node["seed"].setValue(42)
    stage.wait_until(lambda: stage.messages())
    assert killable.address in stage.messages()[-1]
    assert "press Bake to go on" in stage.messages()[-1]
    assert not stage.progress_tasks()
    killable.start()
    (tmp_path / "go").touch()
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames 1001-1006")
    assert node["void_job"].value() == job, "it is the same job that went on"
    assert [path.name for path in results(tmp_path, node).iterdir()] == ["v001"]


def test_a_bake_waits_for_a_server_that_is_restarted_and_says_so(
    script: Script, killable: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("void_client.protocol.SILENCE", 1.5)
    node = script(address=killable.address, prompt=f"until {tmp_path / 'go'}")
    stage.press(node, "bake")
    wait_for_pass1()
    killable.kill()
    stage.wait_until(lambda: any("waiting for it to come back" in bar.message for bar in stage.progress_tasks()))
    killable.start()
    (tmp_path / "go").touch()
    wait_for_status(node, "v001: frames 1001-1006")
    assert not stage.messages()


def test_an_interrupted_bake_of_other_inputs_is_given_up_only_if_the_artist_agrees(
    script: Script, killable: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("void_client.protocol.PATIENCE", 4.0)
    node = script(address=killable.address, prompt=f"until {tmp_path / 'go'}")
    stage.press(node, "bake")
    wait_for_pass1()
    killable.kill()
    stage.wait_until(lambda: stage.messages())
    killable.start()
    (tmp_path / "go").touch()
    node["seed"].setValue(5)
    stage.answer(True)
    stage.press(node, "bake")
    assert "seed has changed since" in stage.messages()[-1]
    wait_for_status(node, "v001: frames")
    manifest = json.loads((results(tmp_path, node) / "v001" / "manifest.json").read_text())
    assert manifest["settings"]["seed"] == 5


def test_a_failed_job_says_why_and_leaves_nothing(script: Script, tmp_path: Path) -> None:
    node = script(prompt="memory")
    stage.press(node, "bake")
    stage.wait_until(lambda: stage.messages())
    assert "smaller window" in stage.messages()[-1]
    assert "smaller window" in status(node)
    assert list(results(tmp_path, node).iterdir()) == []


def test_a_node_deleted_meanwhile_disturbs_nothing(script: Script, tmp_path: Path) -> None:
    node = script(prompt=f"until {tmp_path / 'go'}")
    folder = results(tmp_path, node)
    stage.press(node, "bake")
    wait_for_pass1()
    nuke.delete(node)
    (tmp_path / "go").touch()
    stage.wait_until(lambda: (folder / "v001" / "manifest.json").exists() and not stage.progress_tasks())
    stage.process_events()
