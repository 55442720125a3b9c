"""Scripts are read and written as Nuke does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nuke
import stage

STACK = r"""#! /usr/local/Nuke14.0v5/libnuke-14.0.5.so -nx
version 14.0 v5
define_window_layout_xml {<?xml version="1.0"?> <layout a="{}"/>}
Root {
 inputs 0
 first_frame 1001
 views "left #ff0000\nright #00ff00\n"
}
Read {
 inputs 0
 file /shots/pl\ ate.%04d.exr
 name A
}
set Nabc [stack 0]
Dot {
 name D
}
Read {
 inputs 0
 name B
}
push $Nabc
Merge2 {
 inputs 2
 name M
}
push 0
push $Nabc
Switch {
 inputs 2
 which {{"$gui ? parent.void : 1"}}
 name S
}
push $Nabc
Grade {
 inputs 1+1
 white {1 2 {frame*2 i} 1}
 name G
}
Frobnicate {
 wibble "a \"b\" \[c] \{d\} \\ \$e\nf"
 curves {{x {1 2}} y}
 name F
}
"""


def test_connections_come_off_the_stack() -> None:
    nuke.scriptReadText(STACK)
    a, d, b, m, s, g, f = (nuke.toNode(name) for name in "ADBMSGF")
    # Every line worked out by hand: the last pushed is input 0.
    assert [m.input(0), m.input(1)] == [a, b]
    assert d.input(0) is a
    assert (s.inputs(), s.input(0), s.input(1)) == (1, a, None)
    assert [g.input(0), g.input(1)] == [a, s]  # the mask comes off last
    assert f.input(0) is g
    assert a["file"].value() == "/shots/pl ate.%04d.exr"
    assert f["wibble"].value() == 'a "b" [c] {d} \\ $e\nf'
    assert nuke.views() == ["left", "right"]
    assert g["white"].value(2) == 2.0
    with pytest.raises(RuntimeError, match="clones"):
        nuke.scriptReadText("clone $Nabc {\n}\n")
    with pytest.raises(RuntimeError, match="end_group"):
        nuke.scriptReadText("Group {\n inputs 0\n}\n")


KNOBS = r"""Group {
 inputs 0
 name VOID1
 addUserKnob {20 void l VOID}
 addUserKnob {1 prompt l Prompt t "what is {left} \[there]"}
 prompt "A lime"
 addUserKnob {2 out l Folder}
 addUserKnob {3 seed l Seed}
 seed 7
 addUserKnob {4 mode l Mode M {fast good "very good" ""}}
 mode "very good"
 addUserKnob {6 raw l Raw +STARTLINE}
 raw true
 addUserKnob {7 gain l Gain R 0 100}
 gain {{parent.VOID1.seed*2}}
 addUserKnob {20 more l More n 1}
 addUserKnob {22 bake l Bake t go T "nuke.thisNode()\[\"seed\"].setValue(9)\n" +STARTLINE}
 addUserKnob {26 "" +STARTLINE}
 addUserKnob {26 "" l "a line"}
 addUserKnob {26 status l Status T "not \"baked\""}
 addUserKnob {41 type l Type T Write1.datatype}
 addUserKnob {43 notes l Notes}
 addUserKnob {20 endMore l "" n -1}
 addUserKnob {1 void_version l INVISIBLE +INVISIBLE}
 void_version 1
}
 Input {
  inputs 0
  name plate
 }
 Write {
  file_type exr
  datatype "32 bit float"
  name Write1
  disable true
 }
 Output {
  name Output1
 }
end_group
"""


def test_user_knobs_have_nukes_classes_and_values() -> None:
    nuke.scriptReadText(KNOBS)
    node = nuke.toNode("VOID1")
    kinds = {name: knob.Class() for name, knob in node.knobs().items()}
    assert kinds["void"] == "Tab_Knob"
    assert kinds["prompt"] == "String_Knob"
    assert kinds["out"] == "File_Knob"
    assert kinds["bake"] == "PyScript_Knob"
    assert kinds["notes"] == "Multiline_Eval_String_Knob"
    values = [node[name].value() for name in ("prompt", "seed", "mode", "raw", "gain", "status", "type")]
    assert values == ["A lime", 7, "very good", True, 14.0, 'not "baked"', "32 bit float"]
    assert node["prompt"].tooltip() == "what is {left} [there]"
    assert node["gain"].hasExpression()
    assert not node["void_version"].visible()
    stage.press(node, "bake")
    stage.assert_no_script_errors()
    assert node["gain"].value() == 18.0
    for name, wrong in (("seed", "7"), ("raw", "no"), ("gain", "x"), ("prompt", 3), ("mode", None)):
        with pytest.raises(TypeError):
            node[name].setValue(wrong)
    with pytest.raises(NameError):
        node["nothing"]


@pytest.mark.parametrize("text", [STACK, KNOBS])
def test_a_script_saved_and_opened_is_the_same_script(text: str, tmp_path: Path) -> None:
    nuke.scriptReadText(text)
    first = _saved_and_opened(tmp_path)
    assert _saved_and_opened(tmp_path) == first
    graph, knobs = _graph(nuke.root()), _knobs(nuke.root())
    stage.start()
    nuke.scriptReadText(text)
    assert (_graph(nuke.root()), _knobs(nuke.root())) == (graph, knobs)


def _saved_and_opened(folder: Path) -> str:
    nuke.scriptSaveAs(str(folder / "x.nk"), overwrite=1)
    nuke.scriptOpen(str(folder / "x.nk"))
    return (folder / "x.nk").read_text()


def _graph(group: Any) -> dict[str, list[str]]:
    nodes = nuke.allNodes(group=group, recurseGroups=True)
    inputs = {node: [node.input(i) for i in range(node.inputs())] for node in nodes}
    return {node.fullName(): [each.name() if each else "" for each in inputs[node]] for node in nodes}


def _knobs(group: Any) -> dict[str, str]:
    nodes = nuke.allNodes(group=group, recurseGroups=True)
    return {k.fullyQualifiedName(): k.toScript() for node in nodes for k in node.allKnobs()}


STRINGS = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(' {}[]"\\$\n\t;#')), max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_graph_survives_saving(data: st.DataObject, tmp_path: Path) -> None:
    stage.start()
    classes = data.draw(st.lists(st.sampled_from(["NoOp", "Merge2", "Grade", "Switch", "Group", "Read"]), max_size=8))
    for name in classes:
        node = getattr(nuke.nodes, name)()
        others = nuke.allNodes()
        for i in range(data.draw(st.integers(0, 4))):
            node.setInput(i, data.draw(st.sampled_from([None, *others])))
        node["label"].setValue(data.draw(STRINGS))
        knob = nuke.String_Knob("note", data.draw(STRINGS))
        knob.setTooltip(data.draw(STRINGS))
        node.addKnob(knob)
        knob.setValue(data.draw(STRINGS))
    graph, knobs = _graph(nuke.root()), _knobs(nuke.root())
    notes = {n.name(): (n["note"].value(), n["note"].label(), n["note"].tooltip()) for n in nuke.allNodes()}
    first = _saved_and_opened(tmp_path)
    assert (_graph(nuke.root()), _knobs(nuke.root())) == (graph, knobs)
    assert {n.name(): (n["note"].value(), n["note"].label(), n["note"].tooltip()) for n in nuke.allNodes()} == notes
    assert _saved_and_opened(tmp_path) == first
