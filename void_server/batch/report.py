"""What has become of a batch: a page with a picture a shot, a table for a terminal, and facts for machines."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any
from urllib.parse import quote

from void_client.delivery import write_atomically
from void_client.errors import BadInput

from .prepare import PICTURE, RESULT, Outcome
from .timeline import Edit, Shot

REPORT = "report.html"
WORDS = {
    "to do": "to do",
    "done": "done",
    "kept": "as it was",
    "failed": "failed",
    "cancelled": "cancelled",
    "left": "not begun",
}
_STYLE = """
body { background: #181818; color: #ddd; font: 15px/1.5 system-ui, sans-serif }
body { margin: 2em auto; max-width: 1460px; padding: 0 1em }
h1 { font-size: 1.4em } .sum { color: #9ac }
.shot { border-top: 1px solid #333; padding: 1em 0 } h2 { font-size: 1.1em; margin: 0 }
.state { border-radius: 3px; padding: 0 .5em; margin-left: .8em; font-size: .85em; background: #444 }
.done { background: #2c6e49 } .kept { background: #31572c } .failed { background: #9b2226 }
.facts { color: #9ac; margin: .2em 0 } .reason { background: #3a1c1e; padding: .4em .8em; margin: .4em 0 }
.notice { color: #ffbe3c; margin: .2em 0 } img { max-width: 100%; margin-top: .5em } a { color: #9cf }
"""


def frames_in_words(outcome: Outcome) -> str:
    """`1001-1046, cut 1009-1038`; empty for a shot that could not be read."""
    shot = outcome.shot
    if not isinstance(shot, Shot):
        return ""
    return str(shot.frames) if shot.frames == shot.cut else f"{shot.frames}, cut {shot.cut}"


def summary(outcomes: list[Outcome]) -> str:
    """`6 shots: 3 done, 1 as it was, 2 failed`."""
    states = [outcome.state for outcome in outcomes]
    counts = [f"{states.count(state)} {words}" for state, words in WORDS.items() if state in states]
    return f"{len(outcomes)} shot{'s' * (len(outcomes) != 1)}: {', '.join(counts)}"


def table(outcomes: list[Outcome], out: Path) -> str:
    """A line a shot: name, frames, state, and where the result is or why there is none."""
    rows = []
    for outcome in outcomes:
        where = str(out / outcome.shot.name / RESULT) if outcome.manifest else outcome.reason
        rows.append((outcome.shot.name, frames_in_words(outcome), WORDS[outcome.state], where))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    ]
    return "\n".join([*lines, summary(outcomes)])


def facts(edit: Edit, outcomes: list[Outcome], out: Path, timeline: Path | None) -> dict[str, Any]:
    """The same for machines."""
    return {
        "timeline": str(timeline) if timeline else None,
        "report": str(out / REPORT) if timeline else None,
        "shots": [_shot_facts(outcome, out) for outcome in outcomes],
        "disabled": edit.disabled,
    }


def _shot_facts(outcome: Outcome, out: Path) -> dict[str, Any]:
    shot, manifest = outcome.shot, outcome.manifest
    frames = [shot.frames.first, shot.frames.last] if isinstance(shot, Shot) else None
    return {
        "name": shot.name,
        "clip": shot.clip.name,
        "state": outcome.state,
        "reason": outcome.reason,
        "frames": frames,
        "out": str(out / shot.name / RESULT) if manifest else None,
        "notices": manifest.get("notices", []),
    }


def write_report(edit: Edit, outcomes: list[Outcome], out: Path) -> Path:
    """Write OUT/report.html, and return its path; its pictures lie in the shots' folders. Raises BadInput."""
    shots = "\n".join(_shot(outcome, out) for outcome in outcomes)
    failed = [html.escape(outcome.shot.name) for outcome in outcomes if outcome.state == "failed"]
    links = ", ".join(f'<a href="#{name}">{name}</a>' for name in failed)
    bad = f'<p class="facts">failed: {links}</p>' if failed else ""
    off = f'<p class="facts">Disabled in the edit: {html.escape(", ".join(edit.disabled))}</p>' if edit.disabled else ""
    title = html.escape(edit.path.name)
    page = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>VOID: {title}</title>
<style>{_STYLE}</style>
<h1>{title}</h1>
<p class="sum">{html.escape(summary(outcomes))}</p>
{bad}
{off}
{shots}
</html>
"""
    try:
        write_atomically(out / REPORT, page.encode())
    except OSError as error:
        raise BadInput(f"{out / REPORT} can't be written ({error.strerror}): make room there") from error
    return out / REPORT


def _shot(outcome: Outcome, out: Path) -> str:
    name, shot = html.escape(outcome.shot.name), outcome.shot
    said = [frames_in_words(outcome), f"clip {shot.clip.name}" if shot.clip.name != shot.name else ""]
    said += [f"prompt: {shot.prompt}" if isinstance(shot, Shot) and shot.prompt else ""]
    lines = [
        f'<h2>{name}<span class="state {outcome.state}">{WORDS[outcome.state]}</span></h2>',
        f'<p class="facts">{html.escape(" · ".join(filter(None, said)))}</p>' if any(said) else "",
    ]
    if outcome.reason:
        lines.append(f'<p class="reason">{html.escape(outcome.reason)}</p>')
    lines += [f'<p class="notice">{html.escape(text)}</p>' for text in outcome.manifest.get("notices", [])]
    if outcome.manifest:
        link = quote(shot.name)
        if (out / shot.name / PICTURE).exists():
            words = f"{name}: plate, quadmask over it, result"
            lines.append(f'<a href="{link}/"><img src="{link}/{PICTURE}" alt="{words}" loading="lazy"></a>')
        lines.append(f'<p class="facts"><a href="{link}/manifest.json">how it was made</a></p>')
    return f'<div class="shot" id="{name}">' + "\n".join(lines) + "</div>"
