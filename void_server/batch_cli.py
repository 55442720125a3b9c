"""`void batch`: every marked shot of a timeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from void_client import protocol
from void_client.errors import BadInput

from .cli_options import (
    AsJson,
    Colourspace,
    Ocio,
    OwnWeights,
    Patience,
    Serve,
    Server,
    SettingsFile,
    read_toml,
    reported,
)

if TYPE_CHECKING:
    from .batch.prepare import Outcome

app = typer.Typer()


@app.command()
def batch(
    timeline: Annotated[
        Path,
        typer.Argument(help="What OpenTimelineIO reads: .otio; .edl, .xml and .aaf with void-for-nuke[editorial]."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for a folder a shot, report.html, and the timeline with results.")],
    handles: Annotated[
        int | None, typer.Option(min=0, help="Frames on either side of the cut, at most; without it all the media has.")
    ] = None,
    rate: Annotated[float | None, typer.Option(min=1.0, help="Frames per second of an EDL; without it 24.")] = None,
    active: Annotated[
        Literal["original", "void"],
        typer.Option(help="Which media the clips with a result show in the timeline that is written."),
    ] = "void",
    redo: Annotated[
        bool, typer.Option("--redo", help="Make every shot anew, also where the result that is there matches.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    at_once: Annotated[
        int | None,
        typer.Option(min=1, help="Shots that are with the server at a time; without it one more than it has devices."),
    ] = None,
    settings: SettingsFile = None,
    colourspace: Colourspace = None,
    ocio: Ocio = None,
    server: Server = protocol.DEFAULT_ADDRESS,
    serve: Serve = False,
    weights: OwnWeights = None,
    patience: Patience = protocol.PATIENCE,
    as_json: AsJson = False,
) -> None:
    """Remove an object from every marked shot of a timeline. Ctrl-C cancels; the same command goes on.

    A clip is marked by a marker called void, or by metadata["void"], with what `void run` is told: see docs/batch.md.
    Shots whose result is there and matches are left as they are. --settings and --colourspace are for shots whose mark
    says nothing else. Exit status 1 if a shot failed.
    """
    from .batch.book import Book
    from .batch.prepare import Defaults, dry, prepare, tasks_of
    from .batch.progress import BatchDisplay
    from .batch.report import facts, table, write_report
    from .batch.timeline import read_timeline
    from .batch.work import send
    from .batch.write_back import timeline_path, write_timeline
    from .before_after import write_picture
    from .colourspace import colour_of
    from .serving import server_for

    with reported(as_json):
        edit = read_timeline(timeline, handles, rate)
        timeline_path(timeline, out)
        if not dry_run:
            _make(out)
        display = BatchDisplay()
        display.say(f"looking at the files of {len(edit.shots)} shots")
        defaults = Defaults(read_toml(settings) if settings else {}, colourspace, ocio)
        found = prepare(edit, out, defaults, colour_of, redo=redo)
        if dry_run:
            _tell(as_json, facts(edit, dry(found), out, None), table(dry(found), out))
            raise typer.Exit(_status(dry(found)))
        book = Book(edit, found, out, write_picture, display.say)
        if tasks := tasks_of(found):
            with server_for(server, serve, weights, display.say, every_device=True) as address:
                send(tasks, address, at_once, patience, display, book.take)
        outcomes = book.outcomes()
        report = write_report(edit, outcomes, out)
        written = write_timeline(edit, outcomes, out, active)
        _tell(
            as_json,
            facts(edit, outcomes, out, written),
            f"{table(outcomes, out)}\nreport: {report}\ntimeline: {written}",
        )
        if _status(outcomes) == 130:
            display.say("cancelled; the same command goes on with what is left")
        raise typer.Exit(_status(outcomes))


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"the folder {out} can't be made ({error.strerror}): choose another with --out") from error


def _tell(as_json: bool, facts: dict[str, Any], words: str) -> None:
    typer.echo(json.dumps(facts) if as_json else words)


def _status(outcomes: list[Outcome]) -> int:
    states = {outcome.state for outcome in outcomes}
    return 130 if "cancelled" in states else int(bool(states & {"failed", "left"}))
