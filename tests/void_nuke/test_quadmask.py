"""The quadmask's round trip: built, looked at, painted over, piped back."""

from __future__ import annotations

import json
from pathlib import Path

import nuke
import numpy as np
import OpenEXR
import stage

from .conftest import Script, read, results, wait_for_status


def levels(path: Path, channel: str) -> np.ndarray:
    pixels = OpenEXR.File(str(path), separate_channels=True).channels()[channel].pixels
    return np.rint(np.asarray(pixels, np.float32) * 255).astype(np.uint8)


def test_built_painted_over_and_piped_back_it_is_what_the_bake_uses(script: Script, shot: Path, tmp_path: Path) -> None:
    node = script(prompt="crash")  # would kill a worker that ran the model
    node.setInput(2, read(shot, "affected"))
    stage.press(node, "build_quadmask")
    wait_for_status(node, "quadmask_v001 is in")
    assert not node["void_baked"].value()
    (made,) = [found for found in nuke.allNodes("Read") if "quadmask" in found.name()]
    built = levels(results(tmp_path, node) / "quadmask_v001" / "quadmask.1003.exr", "R")
    assert set(np.unique(built)) == {0, 63, 127, 255}

    # Grey is painted over to "keep": what an artist does where the shadow is not to be touched.
    paint = nuke.nodes.Expression(expr0="r>0.3 ? 1 : r", expr1="g>0.3 ? 1 : g", expr2="b>0.3 ? 1 : b")
    paint.setInput(0, made)
    node.setInput(3, paint)
    node.input(1)["file"].setValue("/nowhere/roto.####.exr")  # replaced by the quadmask: not even rendered
    node["prompt"].setValue("")
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames")
    used = levels(results(tmp_path, node) / "v001" / "plate.1003.exr", "void.quadmask")
    assert np.array_equal(used, np.where(built == 127, 255, built))


def test_it_is_read_raw_and_undone_in_one_go(script: Script) -> None:
    node = script()
    stage.press(node, "build_quadmask")
    wait_for_status(node, "quadmask_v001 is in")
    (made,) = [found for found in nuke.allNodes("Read") if "quadmask" in found.name()]
    assert made["raw"].value()
    assert made["first"].value() == 1001
    assert made.input(0) is None


def test_painted_frames_are_all_that_is_rendered_of_the_roto_and_the_server_says_what_it_lacks(script: Script) -> None:
    node = script(roto_keys="1001, 1004")
    stage.press(node, "bake")
    stage.wait_until(lambda: stage.messages())
    assert "not painted on frames 1002, 1003, 1005, 1006" in stage.messages()[-1]
    assert "SAM 2" in stage.messages()[-1]
    node["roto_keys"].setValue("1001, 2000")
    stage.press(node, "bake")
    assert "painted frames 2000 are outside the range 1001-1006" in stage.messages()[-1]
    node["roto_keys"].setValue("first")
    stage.press(node, "bake")
    assert "numbers with commas" in stage.messages()[-1]


def test_hints_from_a_file_and_grow_widen_what_is_affected(script: Script, tmp_path: Path) -> None:
    cells = [{"frame": 1001, "grid_regions": [{"row": 0, "col": 0}]}]
    shadow = {"noun": "shadow", "category": "visual_artifact", "grid_localizations": cells}
    path = tmp_path / "hints.json"
    path.write_text(json.dumps({"grid": {"rows": 8, "cols": 14}, "scene": "A wall.", "affected": [shadow]}))
    node = script(ask="from a file", hints_file=path.as_posix(), grow=1)
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames")
    folder = results(tmp_path, node) / "v001"
    used = levels(folder / "plate.1002.exr", "void.quadmask")
    height, width = used.shape
    corner = np.zeros((height, width), bool)
    corner[: 2 * height // 8, : 2 * width // 14] = True
    assert np.isin(used[corner], (63, 127)).all(), "cell 0, 0 and its neighbours"
    assert (used[0, 2 * width // 14 :] == 255).all()
    assert "the prompt is the hints': A wall." in node["status"].value()
    node["hints_file"].setValue("/nowhere.json")
    stage.press(node, "bake")
    assert "/nowhere.json can't be read" in stage.messages()[-1]


def test_whom_the_server_asks_is_the_servers_to_know(script: Script) -> None:
    node = script(ask="ask, else stop", subject="the ball")
    stage.press(node, "bake")
    stage.wait_until(lambda: stage.messages())
    assert "--reasoner" in stage.messages()[-1]
    node["ask"].setValue("ask, else go on")
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames")
    assert "no hints" in node["status"].value()
