"""A bake's layers as an artist uses them, on a shot large enough for real pixels and for its grain to be seen."""

from __future__ import annotations

from pathlib import Path

import nuke
import numpy as np
import pytest
import stage

from void_server.demo.scene import Scene

from .conftest import Script, channels, render, results, wait_for_status


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the tests' shot, at twice its size."""
    folder = tmp_path_factory.mktemp("large_shot")
    Scene(width=320, height=180, count=6, overscan=4).write(folder)
    return folder


def test_in_nuke_the_layers_tell_which_frame_real_pixels_are_from(script: Script, tmp_path: Path) -> None:
    node = script()
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames")
    folder = render(node, tmp_path / "comp")
    for frame in range(1001, 1007):
        ours = channels(folder / f"out.{frame}.exr")
        real, offset = ours["provenance.real"], ours["provenance.offset"]
        assert np.count_nonzero(real) > 100
        assert (real <= ours["void.matte"]).all()
        assert not offset[real == 0].any()
        assert np.isin(frame + offset[real > 0].astype(int), range(1001, 1007)).all()
        assert offset[real > 0].all()


def test_the_artists_expression_for_less_grain_gives_what_a_bake_with_less_grain_gives(
    script: Script, tmp_path: Path
) -> None:
    node = script(patch=True)
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames")
    less = "{} - 0.5 * void.matte * void_grain.{}"
    half = nuke.nodes.Expression(
        expr0=less.format("r", "red"), expr1=less.format("g", "green"), expr2=less.format("b", "blue")
    )
    half.setInput(0, node)
    by_hand = channels(render(half, tmp_path / "by_hand") / "out.1004.exr")
    node["grain"].setValue(0.5)
    stage.press(node, "bake")
    wait_for_status(node, "v002: frames")
    baked = channels(results(tmp_path, node) / "v002" / "plate.1004.exr")
    assert np.abs(baked["void.matte"] * baked["void.grain.G"]).max() > 0.005
    for name in "RGB":
        np.testing.assert_allclose(by_hand[name], baked[name], rtol=2e-3, atol=2e-4)
