"""The drawn panel and the artist's page say what the gizmos say."""

from __future__ import annotations

import html
import importlib.util
import re
import sys
from types import ModuleType

import nuke
import pytest

from .conftest import GIZMOS, REPOSITORY, Make

DOCS = REPOSITORY / "docs"
BOTH = pytest.mark.parametrize("name", ["VOID", "VOID_QuadmaskView"])


@pytest.fixture
def panel(make: Make, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """docs/draw_panel.py, in a fake Nuke that has just started."""
    spec = importlib.util.spec_from_file_location("draw_panel", DOCS / "draw_panel.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "draw_panel", module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def seen(panel: ModuleType, node: nuke.Node) -> list[nuke.Knob]:
    return [knob for tab in panel.tabs(node) for row in tab.rows for knob in row]


@BOTH
def test_the_page_shows_every_visible_knob_and_its_tooltip(name: str, panel: ModuleType) -> None:
    node = panel.load(GIZMOS / f"{name}.gizmo")
    page = html.unescape(panel.page(node)).replace("<br>", "\n")
    assert len(seen(panel, node)) > 5
    assert [knob.name() for knob in seen(panel, node) if knob.label() not in page] == []
    assert [knob.name() for knob in seen(panel, node) if knob.tooltip() not in page] == []


def test_hidden_knobs_are_left_out_and_disabled_ones_are_grey(panel: ModuleType) -> None:
    page = panel.page(panel.load(GIZMOS / "VOID.gizmo"))
    assert "set by the plugin" not in page
    assert page.count(" off") == 2, "first and last, until the range is custom"


def test_knobs_stand_in_rows_as_in_nuke(panel: ModuleType) -> None:
    rows = [[knob.name() for knob in row] for tab in panel.tabs(panel.load(GIZMOS / "VOID.gizmo")) for row in tab.rows]
    assert ["range", "first", "last"] in rows
    assert ["bake", "cancel", "build_quadmask"] in rows
    assert ["prompt"] in rows


def test_one_tab_may_be_drawn_as_the_artist_sees_it(panel: ModuleType) -> None:
    page = panel.page(panel.load(GIZMOS / "VOID.gizmo"), only="Output", tooltips=False)
    assert "Export as Read" in page
    assert "Build quadmask only" not in page
    assert "Make a Read of the shown version" not in page


@BOTH
def test_the_artists_page_has_every_knob_in_the_tooltips_words(name: str, panel: ModuleType) -> None:
    text = (DOCS / "artist.md").read_text("utf-8")
    knobs = [knob for knob in seen(panel, panel.load(GIZMOS / f"{name}.gizmo")) if knob.Class() != "Text_Knob"]
    rows = [f"| {panel.name_of(knob)} | {knob.tooltip()} |" for knob in knobs]
    assert [row for row in rows if row not in text] == []


def test_the_pictures_of_the_artists_page_are_there_and_small() -> None:
    names = re.findall(r"\]\((images/[\w.-]+)\)", (DOCS / "artist.md").read_text("utf-8"))
    for picture in ("panel-void", "panel-tabs", "quadmask-view", "provenance", "grain"):
        assert f"images/{picture}.png" in names
    assert [name for name in names if not 0 < (DOCS / name).stat().st_size < 200_000] == []
