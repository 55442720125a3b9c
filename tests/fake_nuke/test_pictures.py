"""Pictures come from files, through nodes, into files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nuke
import stage
from exr_files import read_exr, window, write_exr


def _write(above: Any, file: Path, **knobs: Any) -> Any:
    return nuke.nodes.Write(inputs=[above], file=str(file), file_type="exr", **{"channels": "all", **knobs})


def test_every_half_overscan_layers_and_aspect_pass_from_read_to_write(tmp_path: Path) -> None:
    bits = np.arange(65536, dtype=np.uint16).reshape(256, 256).view(np.float16)
    header = {
        "displayWindow": window(0, 0, 199, 99),
        "dataWindow": window(-20, -100, 235, 155),
        "pixelAspectRatio": 2.0,
        "owner": "us",
    }
    write_exr(tmp_path / "in.1001.exr", header, R=bits, G=bits, B=bits, A=bits, void__matte=bits)
    read = nuke.nodes.Read(file=str(tmp_path / "in.%04d.exr"), first=1001, last=1001)
    assert read.channels()[3:] == ["rgba.alpha", "void.matte"]
    # Nuke's y goes up: the lowest row is 99 - 155 = -56.
    assert [read.bbox().x(), read.bbox().y(), read.bbox().w(), read.bbox().h()] == [-20, -56, 256, 256]
    assert (read.format().width(), read.pixelAspect(), read.metadata("exr/owner")) == (200, 2.0, "us")
    top_left = float(bits[0, 0])
    assert nuke.sample(read, "red", -20, 199) == nuke.sample(read, "rgba.red", -20, 199) == top_left
    nuke.execute(_write(read, tmp_path / "out.%04d.exr", metadata="all metadata"), 1001, 1001)
    written, planes = read_exr(tmp_path / "out.1001.exr")
    assert sorted(planes) == ["A", "B", "G", "R", "void.matte"]
    nuke.execute(_write(read, tmp_path / "layer.exr", channels="void"), 1001, 1001)
    assert list(read_exr(tmp_path / "layer.exr")[1]) == ["void.matte"]
    for plane in planes.values():
        np.testing.assert_array_equal(plane.view(np.uint16), bits.view(np.uint16))
    for key in ("displayWindow", "dataWindow", "pixelAspectRatio"):
        np.testing.assert_array_equal(written[key], header[key])
    assert (written["owner"], written["input/filename"]) == ("us", str(tmp_path / "in.1001.exr"))


def test_a_roto_is_one_inside_its_polygons_and_survives_saving(tmp_path: Path) -> None:
    nuke.root()["format"].setValue("square_256")
    roto = nuke.nodes.Roto()
    stage.paint_roto(roto, [(10, 20), (50, 20), (50, 60), (10, 60)], [(100, 100), (110, 100), (110, 110), (100, 110)])
    nuke.scriptSaveAs(str(tmp_path / "x.nk"))
    nuke.scriptOpen(str(tmp_path / "x.nk"))
    nuke.execute(_write(nuke.toNode("Roto1"), tmp_path / "m.exr", channels="alpha", autocrop=True), 1, 1)
    header, planes = read_exr(tmp_path / "m.exr")
    assert list(planes) == ["A"]
    assert planes["A"].sum() == 40 * 40 + 10 * 10
    np.testing.assert_array_equal(header["dataWindow"], window(10, 256 - 110, 109, 255 - 20))


def test_a_write_refuses_what_nuke_refuses(tmp_path: Path) -> None:
    write = _write(nuke.nodes.Constant(), tmp_path / "new" / "a.%04d.exr")
    with pytest.raises(RuntimeError, match="No such file"):
        nuke.execute(write, 1, 1)
    write["create_directories"].setValue(True)
    write["disable"].setValue(True)
    with pytest.raises(RuntimeError, match="disabled"):
        nuke.execute(write, 1, 1)
    write["disable"].setValue(False)
    write["channels"].setValue("void.matte")
    with pytest.raises(RuntimeError, match=r"void\.matte"):
        nuke.execute(write, 1, 1)
    write["channels"].setValue("rgb")
    write["beforeFrameRender"].setValue("nuke.execute(nuke.thisNode(), 1, 1)")
    with pytest.raises(RuntimeError, match="I'm already executing something else"):
        nuke.execute(write, 1, 1)
    write["beforeFrameRender"].setValue("")
    stage.cancel_next_execute()
    with pytest.raises(RuntimeError, match="Cancelled"):
        nuke.execute(write, 1, 4)
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["a.0001.exr", "a.0002.exr"]
    nuke.execute(write, 1, 5, 2)
    assert sorted(p.name for p in (tmp_path / "new").iterdir())[2:] == ["a.0003.exr", "a.0005.exr"]
    assert sorted(read_exr(tmp_path / "new" / "a.0005.exr")[1]) == ["B", "G", "R"]
    assert "datatype" in write.knobs()
    write["file_type"].setValue("png")
    assert "datatype" not in write.knobs()  # as in Nuke, only an exr has one
    with pytest.raises(RuntimeError, match="exr alone"):
        nuke.execute(write, 1, 1)


def test_file_names_are_tcl() -> None:
    nuke.root()["project_directory"].setValue("/shots/a.b")
    read = nuke.nodes.Read(file=r"[file dirname [value root.project_directory]]/x\[1\]/[value last].%03d.exr", last=9)
    assert read["file"].evaluate(7) == "/shots/x[1]/9.007.exr"
    read["file"].setValue("/shots/x[1]/a.exr")
    with pytest.raises(RuntimeError, match="invalid command name"):
        read["file"].evaluate()
    read["label"].setValue(r"[value first]-\[value last] \$5")
    assert stage.label(read) == "1-[value last] $5"


def test_a_missing_frame_is_an_error_or_black_as_the_read_says(tmp_path: Path) -> None:
    write_exr(tmp_path / "a.0001.exr", R=np.ones((4, 4), np.float32))
    read = nuke.nodes.Read(file=str(tmp_path / "a.####.exr"), first=1, last=3)
    write = _write(read, tmp_path / "b.%04d.exr", datatype="32 bit float")
    with pytest.raises(RuntimeError, match=r"Read1: Error reading .*a\.0002\.exr: No such file"):
        nuke.execute(write, 2, 2)
    read["on_error"].setValue("black")
    nuke.execute(write, 2, 2)
    assert not read_exr(tmp_path / "b.0002.exr")[1]["R"].any()
    read["before"].setValue("hold")
    nuke.execute(write, 0, 0)
    assert read_exr(tmp_path / "b.0000.exr")[1]["R"].dtype == np.float32
    assert read_exr(tmp_path / "b.0000.exr")[1]["R"].all()


def test_views_go_to_files_of_their_own_and_proxy_halves_them(tmp_path: Path) -> None:
    nuke.root()["views"].fromScript("left #f00\nright #0f0\n")
    for view, value in (("left", 1.0), ("right", 2.0)):
        write_exr(tmp_path / f"{view}.exr", R=np.full((8, 8), value, np.float32))
    read = nuke.nodes.Read(file=str(tmp_path / "%V.exr"), first=1, last=1)
    write = _write(read, tmp_path / "out.%v.exr")
    nuke.execute(write, 1, 1, views=["right"])
    assert not (tmp_path / "out.l.exr").exists()
    assert (read_exr(tmp_path / "out.r.exr")[1]["R"] == 2).all()
    assert (read.width(), read.bbox().w()) == (8, 8)
    nuke.root().setProxy(True)
    assert (read.width(), read.bbox().w()) == (4, 4)
    nuke.execute(write, 1, 1, 1, ["left", "right"])
    assert read_exr(tmp_path / "out.l.exr")[1]["R"].shape == (4, 4)
    write["file"].setValue(str(tmp_path / "both.exr"))
    with pytest.raises(RuntimeError, match="%V"):
        nuke.execute(write, 1, 1)


def test_a_group_switches_by_expression_and_passes_its_input_when_disabled(tmp_path: Path) -> None:
    red, blue = (nuke.nodes.Constant(color=value, format="square_256") for value in (0.25, 0.5))
    group = nuke.nodes.Group(name="VOID1")
    group.addKnob(nuke.Boolean_Knob("baked", "Baked"))
    with group:
        roto, plate = nuke.nodes.Input(name="roto", number=1), nuke.nodes.Input(name="plate", number=0)
        inputs = [plate, roto]
        switch = nuke.nodes.Switch(inputs=inputs)
        assert nuke.toNode("plate") is plate
        switch["which"].fromScript('{{"$gui ? parent.baked : 1"}}')
        nuke.nodes.Output(inputs=[switch])
    assert group.maxInputs() == 2
    group.setInput(0, red)
    group.setInput(1, blue)
    assert nuke.sample(group, "rgba.green", 0, 0) == 0.25
    hashes = group.opHashes()
    group["baked"].setValue(True)
    assert nuke.sample(group, "rgba.green", 0, 0) == 0.5
    assert group.opHashes() != hashes
    group["disable"].setValue(True)
    assert nuke.sample(group, "rgba.green", 0, 0) == 0.25
    assert nuke.toNode("VOID1.plate") is inputs[0]
    assert nuke.toNode("plate") is None


def test_nodes_do_their_sums() -> None:
    nuke.root()["format"].setValue("square_256")
    a = nuke.nodes.Constant(color=[0.5, 0.25, 0, 0.5])
    b = nuke.nodes.Constant(color=[1, 1, 1, 1])
    over = nuke.nodes.Merge2(inputs=[b, a])
    assert nuke.sample(over, "rgba.green", 3, 3) == 0.25 + 1 * 0.5
    expression = nuke.nodes.Expression(inputs=[over], channel0="void.quadmask", expr0="x >= 2 && y < 1 ? g : 0")
    grade = nuke.nodes.Grade(inputs=[expression], channels="void", multiply=4.0)
    assert [nuke.sample(grade, "void.quadmask", x, y) for x, y in ((1, 0), (2, 0), (2, 1))] == [0, 3.0, 0]
    grade["disable"].setValue(True)
    assert nuke.sample(grade, "void.quadmask", 2, 0) == 0.75
    grade["disable"].setValue(False)
    copy = nuke.nodes.Copy(inputs=[a, grade], from0="void.quadmask", to0="rgba.alpha")
    assert nuke.sample(copy, "rgba.alpha", 2, 0) == 3.0
    shuffle = nuke.nodes.Shuffle(inputs=[copy], red="alpha", green="white")
    assert [nuke.sample(shuffle, f"rgba.{c}", 2, 0) for c in ("red", "green", "blue")] == [3.0, 1.0, 0.0]
    crop = nuke.nodes.Crop(inputs=[shuffle], box=[2, 0, 10, 4], reformat=True)
    assert (crop.width(), nuke.sample(crop, "rgba.red", 0, 0), nuke.sample(crop, "rgba.red", 8, 0)) == (8, 3.0, 0)
    small = nuke.nodes.Reformat(inputs=[crop], type="scale", scale=0.5)
    assert (small.width(), small.height()) == (4, 2)
