"""What Nuke tells, to whom, and when."""

from __future__ import annotations

from pathlib import Path

import pytest

import nuke
import stage

Output = pytest.CaptureFixture[str]


def test_opening_fires_oncreate_in_file_order_a_groups_after_its_children(capsys: Output, tmp_path: Path) -> None:
    log = "{print(nuke.thisNode().fullName())}"
    node = "NoOp {{\n name {}\n onCreate {}\n}}\n"
    group = f"Group {{\n name G\n onCreate {log}\n}}\n{node.format('inner', log)}end_group\n"
    (tmp_path / "x.nk").write_text(node.format("first", log) + group + node.format("last", log))
    nuke.addOnCreate(lambda: print("callback", nuke.thisNode().name()), nodeClass="Group")
    nuke.addOnScriptLoad(lambda: print("loaded", Path(nuke.scriptName()).name))
    nuke.scriptOpen(str(tmp_path / "x.nk"))
    assert _lines(capsys) == ["first", "G.inner", "G", "callback G", "last", "loaded x.nk"]
    nuke.toNode("G").selectOnly()
    nuke.nodeCopy("%clipboard%")
    pasted = nuke.nodePaste("%clipboard%")
    assert _lines(capsys) == ["G1.inner", "G1", "callback G1"]
    assert pasted.name() == "G1"
    assert pasted.input(0) is None
    assert nuke.toNode("G1.inner").parent() is pasted
    assert not nuke.toNode("G").isSelected()
    assert stage.undo_names() == ["Paste"]


def _lines(capsys: Output) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_pasted_node_takes_its_input_from_the_selected_one() -> None:
    above = nuke.nodes.Constant()
    below = nuke.nodes.NoOp(inputs=[above])
    below.selectOnly()
    nuke.nodeCopy("%clipboard%")
    above.selectOnly()
    assert nuke.nodePaste("%clipboard%").input(0) is above
    below.selectOnly()
    assert nuke.nodePaste("%clipboard%").input(0) is below


def test_knobchanged_tells_of_values_inputs_panels_and_moves_but_not_of_its_own_changes(capsys: Output) -> None:
    node = nuke.createNode("NoOp", inpanel=False)
    node["knobChanged"].setValue("print(nuke.thisKnob().name()); nuke.thisNode()['icon'].setValue('x')")
    capsys.readouterr()
    node["label"].setValue("x")
    node.setInput(0, nuke.nodes.Constant())
    node.showControlPanel()
    node.setXYpos(5, 6)
    assert _lines(capsys) == ["label", "inputChange", "showPanel", "xpos", "ypos"]
    stage.assert_no_script_errors()


def test_a_mistake_in_a_knob_script_is_recorded_and_stops_nobody() -> None:
    node = nuke.createNode("NoOp")
    node["knobChanged"].setValue("1 / 0")
    node["label"].setValue("x")
    assert node["label"].value() == "x"
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        stage.assert_no_script_errors()


def test_undo_takes_back_named_entries_and_disabled_undo_keeps_none() -> None:
    node = nuke.createNode("NoOp")
    with nuke.Undo("Two things"):
        node["label"].setValue("a")
        node.setInput(0, nuke.nodes.Constant())
    nuke.Undo.disable()
    node["note_font"].setValue("quiet")
    nuke.Undo.enable()
    assert stage.undo_names()[-1] == "Two things"
    nuke.undo()
    assert (node["label"].value(), node.input(0), len(nuke.allNodes())) == ("", None, 1)
    assert node["note_font"].value() == "quiet"
    nuke.redo()
    assert (node["label"].value(), node.input(0).Class()) == ("a", "Constant")
    size = nuke.Undo.undoSize()
    node["note_font"].setFlag(nuke.NO_UNDO)
    node["note_font"].setValue("quieter")
    assert nuke.Undo.undoSize() == size
    nuke.undo()
    node["icon"].setValue("new")
    assert nuke.Undo.redoSize() == 0
    node["onCreate"].setValue("nuke.thisNode()['label'].setValue('back')")
    nuke.delete(node)
    with pytest.raises(ValueError, match="not attached"):
        node.name()
    nuke.undo()
    assert (node.name(), node["label"].value()) == ("NoOp1", "back")


def test_questions_need_answers() -> None:
    with pytest.raises(AssertionError, match="Really"):
        nuke.ask("Really?")
    stage.answer(False)
    assert nuke.ask("Really?") is False
    nuke.message("Done")
    assert stage.messages()[-1] == "Done"


def test_progress_bars_are_seen_cancelled_and_gone_with_their_object() -> None:
    task = nuke.ProgressTask("VOID")
    task.setMessage("pass 1")
    task.setProgress(40)
    (bar,) = stage.progress_tasks()
    assert (bar.title, bar.message, bar.percent) == ("VOID", "pass 1", 40)
    stage.cancel_progress(bar)
    assert task.isCancelled()
    del task
    assert stage.progress_tasks() == []
