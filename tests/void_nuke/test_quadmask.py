"""The quadmask's round trip: built, looked at, painted over, piped back."""

from __future__ import annotations

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
