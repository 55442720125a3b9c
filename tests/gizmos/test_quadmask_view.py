"""What VOID_QuadmaskView shows: colours by arithmetic done here."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nuke
import numpy as np
import numpy.typing as npt
import OpenEXR
import pytest

from void_server.plates.exr import read_frame, write_frame
from void_server.plates.frame import Frame, Part

from .conftest import Make

Pixels = npt.NDArray[np.float32]
Show = Callable[..., Pixels]

REMOVE, BOTH, AFFECTED, NONE = (0.6, 0.01, 0.01), (1, 0.6, 0.02), (0, 0.06, 0.9), (1, 0.1, 0.6)
COLOURS = {0: REMOVE, 63: BOTH, 127: AFFECTED, 190: NONE}
ROW = np.array([0, 63, 127, 255, 190], np.float32)  # 190 is a slip
LEVELS = np.repeat(ROW[None], 3, axis=0)
PLATE = np.stack([np.full((3, 5), value, np.float32) for value in (0.18, 12.5, -0.25)], axis=2)


def write(path: Path, channels: dict[str, Pixels]) -> str:
    """An EXR of these float32 channels."""
    path.write_bytes(write_frame(Frame((Part({"compression": OpenEXR.ZIP_COMPRESSION}, channels),))))
    return path.as_posix()


def rgb(pixels: Pixels) -> dict[str, Pixels]:
    return {name: np.ascontiguousarray(pixels[..., index]) for index, name in enumerate("RGB")}


@pytest.fixture
def show(make: Make, tmp_path: Path) -> Show:
    """Render the view of levels (0..255, [h, w]) over a plate [h, w, 3], legend off; float32 [h, w, 3]."""

    def render(levels: Pixels = LEVELS, plate: Pixels | None = PLATE, layer: str = "", **knobs: object) -> Pixels:
        stored = np.asarray(levels / 255, np.float32)
        channels = {layer: stored} if layer else {"R": stored, "G": 0 * stored, "B": 0 * stored}
        inputs = [write(tmp_path / "quadmask.exr", channels)]
        if plate is not None:
            inputs.append(write(tmp_path / "plate.exr", rgb(plate)))
        view = make("VOID_QuadmaskView")
        for index, file in enumerate(inputs):
            view.setInput(index, nuke.nodes.Read(file=file, raw=True))
        for name, value in {"legend": False, **knobs}.items():
            knob = view[name]
            (knob.getLinkedKnob() if isinstance(knob, nuke.Link_Knob) else knob).setValue(value)
        out = tmp_path / "view.exr"
        writer: Any = nuke.nodes.Write(file=out.as_posix(), file_type="exr", channels="rgb", datatype="32 bit float")
        writer.setInput(0, view)
        nuke.execute(writer, 1, 1, 1)
        return np.asarray(read_frame(out).rgb(), np.float32)

    return render


def test_each_level_has_its_colour_over_the_plate(show: Show) -> None:
    shown = show(mix=0.25)
    for column, level in enumerate((0, 63, 127)):
        wanted = 0.75 * PLATE[:, column] + 0.25 * np.array(COLOURS[level])
        np.testing.assert_allclose(shown[:, column], wanted, atol=1e-6)
    np.testing.assert_allclose(shown[:, 4], 0.75 * PLATE[:, 4] + 0.25 * np.array(NONE), atol=1e-6)


def test_where_the_plate_is_kept_it_is_untouched_to_the_bit(show: Show) -> None:
    np.testing.assert_array_equal(show(mix=1.0)[:, 3], PLATE[:, 3])


def test_mix_0_is_the_plate_and_mix_1_the_colours_alone(show: Show) -> None:
    np.testing.assert_array_equal(show(mix=0.0), PLATE)
    shown = show(mix=1.0)
    for column, level in enumerate((0, 63, 127)):
        np.testing.assert_allclose(shown[0, column], COLOURS[level], atol=1e-6)


@pytest.mark.parametrize(("choice", "hidden"), [("remove", 2), ("affected", 0)])
def test_one_side_may_be_looked_at_alone_and_slips_still_show(show: Show, choice: str, hidden: int) -> None:
    alone, everything = show(show=choice), show(show="all")
    np.testing.assert_array_equal(alone[:, hidden], PLATE[:, hidden])
    others = [column for column in range(5) if column != hidden]
    np.testing.assert_array_equal(alone[:, others], everything[:, others])


@pytest.mark.parametrize("level", [0, 63, 127, 255])
def test_a_level_may_be_off_by_12_and_not_by_13(show: Show, level: int) -> None:
    levels = np.array([[level - 11.9, level + 11.9, level - 13, level + 13]], np.float32)
    shown = show(levels, np.zeros((1, 4, 3), np.float32), mix=1.0)
    wanted = COLOURS.get(level, (0, 0, 0))
    np.testing.assert_allclose(shown[0], [wanted, wanted, NONE, NONE], atol=1e-6)


def test_nan_is_a_slip(show: Show) -> None:
    shown = show(np.full((1, 1), np.nan, np.float32), np.zeros((1, 1, 3), np.float32), mix=1.0)
    np.testing.assert_allclose(shown[0, 0], NONE, atol=1e-6)


def test_without_a_plate_the_colours_lie_on_black(show: Show) -> None:
    shown = show(plate=None, mix=0.5)
    assert shown.shape == (3, 5, 3)
    wanted = [0.5 * np.array(COLOURS.get(int(level), (0, 0, 0))) for level in ROW]
    np.testing.assert_allclose(shown[0], wanted, atol=1e-6)


def test_the_layer_of_a_result_may_be_looked_at(show: Show) -> None:
    np.testing.assert_array_equal(show(layer="void.quadmask", channel="void.quadmask"), show())


def test_the_legend_has_the_same_colours_and_names_the_levels_to_paint(make: Make) -> None:
    view = make("VOID_QuadmaskView")
    for kind, word, colour in (
        ("Remove", "remove  0", REMOVE),
        ("Both", "both  0.247", BOTH),
        ("Affected", "affected  0.498", AFFECTED),
        ("None", "none of the four", NONE),
    ):
        swatch, text = view.node(f"Swatch{kind}"), view.node(f"Word{kind}")
        assert swatch is not None
        assert text is not None
        assert [float(part) for part in str(swatch["color"].value()).split()] == [*colour, 1]
        assert text["message"].value() == word


# Linear Rec.709 as it is seen, severity 1: Machado, Oliveira, Fernandes, "A Physiologically-based Model for
# Simulation of Color Vision Deficiency", 2009.
SEEN_BY = {
    "all": np.eye(3),
    "protanopes": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopes": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopes": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def lab(linear: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """CIE L*a*b* (D65) of linear Rec.709."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(
        linear, 0, 1
    )
    x, y, z = np.cbrt(xyz / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eyes", SEEN_BY)
def test_no_two_colours_look_alike_to_anyone(eyes: str) -> None:
    seen = [lab(np.array(SEEN_BY[eyes]) @ np.array(colour)) for colour in COLOURS.values()]
    apart = [np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)]
    assert min(apart) > 40, "2 is the least that a trained eye tells"
