r"""Draws a gizmo's panel as a web page: `python docs/draw_panel.py gizmos/VOID.gizmo --out panel.html`.

The gizmo is made in the fake Nuke of the tests, and its knobs are walked as a script in Nuke would walk them. The two
pictures of the documentation, from the root of the repository (any browser of the Chromium family will do):

    python docs/draw_panel.py gizmos/VOID.gizmo --tab VOID --no-tooltips --out /tmp/panel-void.html
    chromium --headless --disable-lcd-text --hide-scrollbars --window-size=620,390 \
        --screenshot=docs/images/panel-void.png file:///tmp/panel-void.html
    python docs/draw_panel.py gizmos/VOID.gizmo --out /tmp/panel-tabs.html
    chromium --headless --disable-lcd-text --hide-scrollbars --window-size=1180,1570 \
        --screenshot=docs/images/panel-tabs.png file:///tmp/panel-tabs.html
    python -c "from PIL import Image; p = 'docs/images/panel-tabs.png'; \
        Image.open(p).convert('RGB').quantize(64).save(p, optimize=True)"
"""

from __future__ import annotations

import argparse
import html
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "fake_nuke"))

import nuke  # noqa: E402  the fake one

Widget = Callable[[Any], str]


@dataclass
class Tab:
    """A tab and its rows; a row is the knobs that stand side by side."""

    knob: Any
    rows: list[list[Any]] = field(default_factory=list)


def load(gizmo: Path) -> Any:
    """The node that a gizmo file makes."""
    before = set(nuke.allNodes())
    nuke.scriptReadFile(str(gizmo))
    return next(node for node in nuke.allNodes() if node not in before)


def tabs(node: Any) -> list[Tab]:
    """The user's tabs, without what the artist does not see."""
    found: list[Tab] = []
    for knob in node.allKnobs():
        if knob.Class() == "Tab_Knob":
            found.append(Tab(knob))
        elif found and knob.visible():
            if knob.getFlag(nuke.STARTLINE) or not found[-1].rows:
                found[-1].rows.append([])
            found[-1].rows[-1].append(knob)
    return found


def page(node: Any, *, only: str = "", tooltips: bool = True) -> str:
    """The page. `only`: that tab alone, under the names of all; else every tab, one under another in two columns."""
    chosen = [tab for tab in tabs(node) if only in ("", tab.knob.label())]
    if not chosen:
        raise SystemExit(f"{node.name()} has no tab '{only}'; it has: {', '.join(t.knob.label() for t in tabs(node))}")
    names = [tab.knob.label() for tab in tabs(node)] + ["Node"]
    columns = "".join(
        f"<div class=column>{''.join(_panel(node, tab, names, tooltips) for tab in column)}</div>"
        for column in _columns(chosen)
    )
    return f"<!doctype html><meta charset=utf-8><title>{_text(node.name())}</title>{STYLE}<body>{columns}"


def _columns(chosen: list[Tab]) -> list[list[Tab]]:
    """One tab alone, or two columns of about the same length."""
    columns: list[list[Tab]] = [[] for _ in chosen[:2]]
    for tab in chosen:
        shorter = min(reversed(columns), key=lambda column: sum(len(row) for each in column for row in each.rows))
        (shorter if columns[0] else columns[0]).append(tab)
    return columns


def _panel(node: Any, tab: Tab, names: list[str], tooltips: bool) -> str:
    current = tab.knob.label()
    heads = "".join(f'<span class="head{" now" * (name == current)}">{_text(name)}</span>' for name in names)
    rows = "".join(_row(row, tooltips) for row in tab.rows)
    about = _tip("", tab.knob.tooltip()) if tooltips else ""
    chip = f"#{int(node['tile_color'].value()) >> 8:06x}"
    title = f'<div class=title><i style="background:{chip}"></i>{_text(node.name())}<b>? &#10005;</b></div>'
    return f"<section>{title}<nav>{heads}</nav>{about}<div class=knobs>{rows}</div></section>"


def _row(row: list[Any], tooltips: bool) -> str:
    first, *others = row
    label = "" if _labels_itself(first) else _text(first.label())
    widgets = _widget(first) + "".join(_beside(knob) for knob in others)
    tips = "".join(_tip(name_of(knob), knob.tooltip()) for knob in row) if tooltips else ""
    return f"<div class=label>{label}</div><div class=cell><div class=row>{widgets}</div>{tips}</div>"


def _beside(knob: Any) -> str:
    """A knob that shares the row of the one before it, its label in front of it."""
    label = "" if _labels_itself(knob) else f"<span class=inner>{_text(knob.label())}</span>"
    return label + _widget(knob)


def name_of(knob: Any) -> str:
    """What small print calls a knob: its label, or its name where the label says nothing (`x`, `-`, none)."""
    label = str(knob.label())
    return label if len(label) > 1 else str(knob.name()).replace("_", " ")


def _tip(name: str, tooltip: str) -> str:
    return f"<p><b>{_text(name)}</b> {_text(tooltip)}</p>" if tooltip else ""


def _labels_itself(knob: Any) -> bool:
    return knob.Class() in ("PyScript_Knob", "Boolean_Knob")


def _widget(knob: Any) -> str:
    target = knob.getLinkedKnob() if knob.Class() == "Link_Knob" else knob
    draw = WIDGETS.get(target.Class(), _field)
    off = "" if knob.enabled() else " off"
    return f'<span class="widget {draw.__name__[1:]}{off}">{draw(target)}</span>'


def _field(knob: Any) -> str:
    return f"<em>{_text(str(knob.value()))}</em>"


def _file(knob: Any) -> str:
    return f"<em>{_text(str(knob.value() or ''))}</em>{FOLDER}"


FOLDER = '<svg width=16 height=13><path d="M1 2h5l1 2h8v8H1z" fill="#8f8f8f"/></svg>'


def _number(knob: Any) -> str:
    return f"<em>{knob.value():g}</em>"


def _slider(knob: Any) -> str:
    low, high = knob.min(), knob.max()
    place = 100 * min(max((knob.value() - low) / (high - low), 0), 1)
    ticks = "".join(f'<s style="left:{10 * tick}%"></s>' for tick in range(11))
    ends = f"<small>{low:g}</small><small style='right:0'>{high:g}</small>"
    return f'<em>{knob.value():g}</em><span class=track>{ticks}<i style="left:{place:.1f}%"></i>{ends}</span>'


def _menu(knob: Any) -> str:
    return f"<em>{_text(str(knob.value()))}<u>&#9662;</u></em>"


def _check(knob: Any) -> str:
    return f"<em>{'&#10003;' if knob.value() else ''}</em>{_text(knob.label())}"


def _button(knob: Any) -> str:
    return _text(knob.label())


def _words(knob: Any) -> str:
    """Text knobs take rich text; an empty one without a label is a line."""
    return str(knob.value()) if knob.value() or knob.label() else "<hr>"


def _lines(knob: Any) -> str:
    return f"<em>{_text(str(knob.value()))}</em>"


WIDGETS: dict[str, Widget] = {
    "String_Knob": _field,
    "EvalString_Knob": _field,
    "File_Knob": _file,
    "Int_Knob": _number,
    "Double_Knob": _slider,
    "Enumeration_Knob": _menu,
    "Channel_Knob": _menu,
    "Boolean_Knob": _check,
    "PyScript_Knob": _button,
    "Text_Knob": _words,
    "Multiline_Eval_String_Knob": _lines,
}


def _text(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", "<br>")


STYLE = """<style>
* { box-sizing: border-box; margin: 0; }
body { background: #262626; color: #c8c8c8; font: 12px/1.35 "DejaVu Sans", Verdana, sans-serif; padding: 8px; }
body { display: flex; gap: 8px; }
.column { flex: 1; min-width: 0; }
section { background: #323232; border: 1px solid #191919; border-radius: 3px; margin-bottom: 8px; }
.title { background: #3d3d3d; padding: 5px 8px; font-weight: bold; display: flex; align-items: center; gap: 7px; }
.title i { width: 12px; height: 12px; border: 1px solid #111; }
.title b { margin-left: auto; color: #8a8a8a; }
nav { background: #2a2a2a; padding: 5px 6px 0; }
.head { display: inline-block; padding: 3px 9px; color: #9a9a9a; border: 1px solid transparent; border-bottom: 0; }
.head.now { background: #323232; color: #e4e4e4; border-color: #191919; border-radius: 3px 3px 0 0; }
section > p { padding: 8px 12px 0; }
.knobs { display: grid; grid-template-columns: max-content 1fr; gap: 6px 7px; padding: 10px 12px 12px 8px; }
.label { text-align: right; padding-top: 3px; min-width: 84px; }
.row { display: flex; align-items: center; gap: 6px; min-height: 22px; }
.inner { padding-left: 5px; }
.widget { display: inline-flex; align-items: center; gap: 5px; }
em { background: #1f1f1f; border: 1px solid #151515; border-radius: 2px; padding: 2px 5px; }
em { font-style: normal; min-height: 21px; }
u { text-decoration: none; color: #8f8f8f; }
.field, .file, .lines, .words, .slider { flex: 1; }
.field em, .file em, .lines em { flex: 1; }
.lines em { min-height: 60px; }
.number em, .slider em { width: 66px; }
.track { position: relative; flex: 1; max-width: 260px; height: 20px; margin: 0 8px; border-bottom: 1px solid #777; }
.track s { position: absolute; bottom: 0; width: 1px; height: 4px; background: #777; }
.track i { position: absolute; bottom: -4px; width: 7px; height: 15px; margin-left: -3px; }
.track i { background: #b4b4b4; border: 1px solid #111; }
.track small { position: absolute; top: 0; font-size: 9px; color: #8a8a8a; }
.menu em { background: #474747; display: flex; gap: 12px; justify-content: space-between; min-width: 84px; }
.check em { width: 15px; height: 15px; min-height: 0; padding: 0; line-height: 13px; text-align: center; }
.button { background: #4d4d4d; border: 1px solid #191919; border-radius: 3px; padding: 3px 12px; }
.words { display: block; color: #b5b5b5; }
.words b { color: #dedede; }
hr { border: 0; border-top: 1px solid #191919; width: 100%; }
.off, .off em { color: #6d6d6d; }
.off em { background: #2b2b2b; }
p { color: #939393; font-size: 10.5px; padding-top: 2px; }
p b { color: #b0b0b0; font-weight: normal; }
p b:not(:empty)::after { content: ":"; }
</style>"""


def main(arguments: list[str]) -> None:
    """Draw one gizmo."""
    parser = argparse.ArgumentParser(description="Draw a gizmo's panel as a web page.")
    parser.add_argument("gizmo", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="the .html to write")
    parser.add_argument("--tab", default="", help="that tab alone; else all of them")
    parser.add_argument("--no-tooltips", dest="tooltips", action="store_false", help="as it looks before one hovers")
    options = parser.parse_args(arguments)
    options.out.write_text(page(load(options.gizmo), only=options.tab, tooltips=options.tooltips), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
