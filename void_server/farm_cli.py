"""`void farm`: a bundle for a render farm, and what its tasks run there."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

import typer
from void_client import protocol
from void_client.bundle import commands
from void_client.errors import BadInput
from void_client.farm_shots import NodeShot, read_shot
from void_client.openjd import failures, say
from void_client.path_mapping import read_rules

from .batch.openjd import FarmDisplay
from .batch.session import read_log, start_server, stop_server
from .cli_options import Colourspace, Ocio, Patience, Server, SettingsFile, read_toml, reported

app = typer.Typer(
    no_args_is_help=True,
    help="A render farm, by Open Job Description: `bundle` is for you, the rest is what the bundle's tasks run.",
)

Session = Annotated[Path, typer.Option(help="The farm session's working directory.")]


@app.command()
def bundle(
    source: Annotated[Path, typer.Argument(help="A Nuke script (.nk) with VOID nodes, or a timeline.")],
    out: Annotated[Path, typer.Option(help="The bundle: a new folder.")],
    weights: Annotated[
        Path | None,
        typer.Option(help="The weights folder, on the workers too; else VOID_SERVE_WEIGHTS there says where it is."),
    ] = None,
    gpu_memory: Annotated[
        float | None,
        typer.Option(help="GiB that a worker's card must have; else by the plan for --weights, else 14, as published."),
    ] = None,
    plan: Annotated[
        Literal["resident", "swap", "fp8"],
        typer.Option(help="How the workers are to hold the model at least; see `void weights plan`."),
    ] = "swap",
    node: Annotated[list[str] | None, typer.Option(help="Of a script: a VOID node's full name; else all.")] = None,
    comp: Annotated[bool, typer.Option(help="Of a script: render its Writes afterwards, if it has any.")] = True,
    nuke: Annotated[str, typer.Option(help="Of a script: the command that starts Nuke here.")] = "nuke",
    results: Annotated[
        Path | None, typer.Option(help="Of a timeline: the folder of its results, the --out of `void batch`.")
    ] = None,
    handles: Annotated[
        int | None, typer.Option(min=0, help="Of a timeline: frames on either side of each cut; else all there are.")
    ] = None,
    rate: Annotated[float | None, typer.Option(min=1.0, help="Of an EDL: frames per second; else 24.")] = None,
    settings: SettingsFile = None,
    colourspace: Colourspace = None,
    ocio: Ocio = None,
) -> None:
    """Write the job of a script or a timeline as a folder that AWS Deadline Cloud and `openjd run` take.

    --results, --handles, --rate, --settings, --colourspace and --ocio are a timeline's, and mean what they do in
    `void batch`; --node, --comp and --nuke are a script's.
    """
    from .batch.prepare import Defaults
    from .batch.timeline import read_timeline
    from .farm_bundle import bundle_script, bundle_timeline, needed_memory, require_memory, weigh_weights

    with reported():
        sizes = weigh_weights(weights) if weights and gpu_memory is None else None
        if source.suffix == ".nk":
            bundle_script(source, out, nuke=nuke, nodes=node or [], comp=comp, weights=weights)
        else:
            if results is None:
                raise BadInput("a timeline's results need a folder: name it with --results")
            defaults = Defaults(read_toml(settings) if settings else {}, colourspace, ocio)
            bundle_timeline(read_timeline(source, handles, rate), out, results, defaults, weights)
        if sizes:
            require_memory(out, needed_memory(out, sizes, plan))
        elif gpu_memory is not None:
            require_memory(out, round(gpu_memory * 1024))
        typer.echo(commands(out))


@app.command()
def start(
    session: Session,
    weights: Annotated[str, typer.Option(help="The weights folder; empty: as VOID_SERVE_WEIGHTS says.")] = "",
) -> None:
    """Start a session's server, by the environment's options, and tell the tasks that follow where it is."""
    from .run import interrupts

    with reported(), failures("the server"), interrupts() as interrupted:
        _terminate_as_interrupt()
        address = start_server(
            session,
            weights,
            waiting=lambda seconds: say("status", f"the server loads its weights ({seconds:.0f} s)"),
            interrupted=interrupted.is_set,
        )
        say("env", f"VOID_SERVER={address}")


@app.command()
def stop(session: Session) -> None:
    """Stop a session's server, if there is one, and show what it has said."""
    with reported():
        there = stop_server(session)
        typer.echo(read_log(session))
        typer.echo("the server has ended" if there else "there was no server to end")


@app.command()
def task(
    shot: Annotated[str, typer.Argument(help="The shot's name in the bundle.")],
    shots: Annotated[Path, typer.Option(help="The bundle's shots.json.")],
    path_mapping: Annotated[Path | None, typer.Option(help="The session's path mapping rules.")] = None,
    server: Server = protocol.DEFAULT_ADDRESS,
    patience: Patience = protocol.PATIENCE,
) -> None:
    """Do one shot of a bundle, unless it is done already. SIGTERM and Ctrl-C cancel."""
    from .farm_task import do_files, do_node

    with reported(), failures(shot):
        _terminate_as_interrupt()
        given = read_shot(shots, shot, read_rules(path_mapping))
        display = FarmDisplay(shot)
        if isinstance(given, NodeShot):
            done = do_node(given, server, display)
        else:
            done = do_files(given, server, display, patience)
        say("status", f"{shot}: {'done' if done else 'was done before'}")
        say("progress", 100)


def _terminate_as_interrupt() -> None:
    """A farm cancels by SIGTERM: it means what Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, interrupt)
