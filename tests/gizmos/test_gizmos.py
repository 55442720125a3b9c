"""The gizmos as files: that they load, keep, explain themselves, and bear a Nuke without the plugin."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import nuke
import pytest
import stage

from .conftest import Make

BOTH = pytest.mark.parametrize("name", ["VOID", "VOID_QuadmaskView"])
INPUTS = {
    "VOID": ["plate", "roto", "affected", "quadmask"],
    "VOID_QuadmaskView": ["quadmask", "plate"],
}

# What a real Group has of itself; `mapsize` and `window` belong to its node graph.
BUILT_IN = {
    *("name", "help", "onCreate", "onDestroy", "knobChanged", "updateUI", "autolabel", "panel", "tile_color"),
    *("gl_color", "label", "note_font", "note_font_size", "note_font_color", "selected", "xpos", "ypos", "icon"),
    *("indicators", "hide_input", "cached", "disable", "dope_sheet", "bookmark", "postage_stamp"),
    *("postage_stamp_frame", "lifetimeStart", "lifetimeEnd", "useLifetime", "lock_connections", "mapsize", "window"),
}


def of_the_user(node: nuke.Node) -> list[nuke.Knob]:
    """The knobs that the gizmo adds, tabs too."""
    knobs = node.allKnobs()
    first = next(index for index, knob in enumerate(knobs) if knob.Class() == "Tab_Knob")
    return knobs[first:]


def buttons(node: nuke.Node) -> list[nuke.PyScript_Knob]:
    return [knob for knob in of_the_user(node) if isinstance(knob, nuke.PyScript_Knob)]


@BOTH
def test_a_gizmo_becomes_a_group_with_its_inputs_in_order(name: str, make: Make) -> None:
    node = make(name)
    assert node.Class() == "Group"
    assert node.name().startswith(name)
    inputs = sorted((n for n in node.nodes() if n.Class() == "Input"), key=lambda n: n["number"].value())
    assert [each.name() for each in inputs] == INPUTS[name]


@BOTH
def test_saving_what_was_loaded_changes_nothing(name: str, make: Make, tmp_path: Path) -> None:
    node = make(name)
    made = {knob.name(): knob.toScript() for knob in node.allKnobs()}
    script = tmp_path / "shot.nk"
    nuke.scriptSaveAs(str(script), overwrite=1)
    first = script.read_text()
    nuke.scriptOpen(str(script))
    node = nuke.toNode(made["name"])
    assert node is not None
    assert {knob.name(): knob.toScript() for knob in node.allKnobs()} | {"selected": ""} == made | {"selected": ""}
    nuke.scriptSaveAs(str(script), overwrite=1)
    assert script.read_text() == first


@BOTH
def test_every_knob_that_is_seen_says_what_it_is(name: str, make: Make) -> None:
    seen = [knob for knob in of_the_user(make(name)) if knob.visible()]
    lines = {knob.name() for knob in seen if knob.Class() == "Text_Knob" and not knob.label() and not knob.value()}
    assert [knob.name() for knob in seen if not knob.tooltip() and knob.name() not in lines] == []


@pytest.mark.parametrize(
    "name",
    ["VOID_QuadmaskView", "VOID"],
)
def test_no_knob_takes_a_name_that_every_group_in_nuke_has(name: str, make: Make) -> None:
    assert BUILT_IN.isdisjoint(knob.name() for knob in of_the_user(make(name)))


def test_the_tabs_of_void(make: Make) -> None:
    tabs = [knob.label() for knob in of_the_user(make("VOID")) if knob.Class() == "Tab_Knob"]
    assert tabs == ["VOID", "Mask", "Model", "Output", "Server"]


def test_every_button_is_one_line(make: Make) -> None:
    node = make("VOID")
    assert {knob.name() for knob in buttons(node)} == {
        *("bake", "cancel", "build_quadmask", "export_read"),
        *("check_server", "start_server", "submit_farm", "diagnose"),
    }
    assert [knob.name() for knob in buttons(node) if "\n" in knob.command()] == []


def test_without_the_plugin_every_button_says_what_to_do(make: Make) -> None:
    assert importlib.util.find_spec("void_nuke") is None, "the test needs a Python that finds no plugin"
    node = make("VOID")
    for count, button in enumerate(buttons(node), 1):
        stage.press(node, button.name())
        stage.assert_no_script_errors()
        assert len(stage.messages()) == count, f"{button.name()} says nothing"
        assert "not installed" in stage.messages()[-1]
        assert "Ask your TD for the void folder on NUKE_PATH" in stage.messages()[-1]


def test_the_view_has_no_python_and_needs_no_graphics_card(make: Make) -> None:
    node = make("VOID_QuadmaskView")
    plain = {"Input", "Output", "Copy", "Expression", "Merge2", "Rectangle", "Text2", "Switch"}
    assert {each.Class() for each in node.nodes()} <= plain
    assert buttons(node) == []
    assert [knob for each in (node, *node.nodes()) for knob in ("knobChanged", "onCreate") if each[knob].value()] == []
