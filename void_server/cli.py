"""The `void` command. Results on stdout, progress and messages on stderr; exit status 0, 1, 2 or 130."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from void_client import __version__, protocol
from void_client.client import Client, Job
from void_client.delivery import Delivery
from void_client.errors import BadInput
from void_client.sequences import FileSequence

from . import batch_cli, doctor_cli, farm_cli, jobs_cli, keys_cli, serve_cli, train_cli, weights_cli
from .cli_options import (
    Affected,
    AsJson,
    Ask,
    Batch,
    Colourspace,
    Frames,
    Grow,
    HintsFile,
    Ocio,
    Out,
    Overlay,
    Overwrite,
    OwnWeights,
    Patience,
    Plates,
    Quadmask,
    Roto,
    RotoKeys,
    Serve,
    Server,
    SettingsFile,
    read_toml,
    reported,
)

app = typer.Typer(
    name="void",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"auto_envvar_prefix": "VOID", "help_option_names": ["-h", "--help"]},
    help="Remove an object from a shot, with what it caused: linear EXR plates and roto in, linear EXR plates out.\n\n"
    "Every option can also be given in the environment (its variable is shown with it) and in a TOML file (--config) "
    "that has a table for each command.\n\nExit status: 0 done, 1 failed, 2 bad usage or bad input, 130 cancelled.",
)
app.command()(serve_cli.serve)
app.add_typer(train_cli.app, name="train")
app.add_typer(weights_cli.app, name="weights")
app.add_typer(batch_cli.app)
app.add_typer(jobs_cli.app)
app.add_typer(keys_cli.app, name="keys")
app.add_typer(farm_cli.app, name="farm")
app.add_typer(doctor_cli.app)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="A TOML file with options, a table for each command.")] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Read the config file, before any command."""
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if config:
        with reported():
            context.default_map = {name.replace("_", "-"): table for name, table in read_toml(config).items()}


@app.command()
def run(
    plate: Plates,
    frames: Frames,
    out: Out,
    roto: Roto = None,
    roto_keys: RotoKeys = None,
    affected: Affected = None,
    quadmask: Quadmask = None,
    hints: HintsFile = None,
    ask: Ask = None,
    grow: Grow = None,
    prompt: Annotated[str, typer.Option(help="What remains once the object is gone. Empty: as the hints say.")] = "",
    settings: SettingsFile = None,
    colourspace: Colourspace = None,
    ocio: Ocio = None,
    server: Server = protocol.DEFAULT_ADDRESS,
    serve: Serve = False,
    weights: OwnWeights = None,
    batch: Batch = False,
    patience: Patience = protocol.PATIENCE,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Remove an object from a shot. Ctrl-C cancels."""
    from .run import Masking, make_job

    with reported(as_json):
        masking = Masking(roto, roto_keys, affected, quadmask, hints, ask, grow)
        given = read_toml(settings) if settings else {}
        job = make_job(plate, masking, frames, prompt=prompt, settings=given, batch=batch)
        job = _in_its_space(job, colourspace, ocio)
        _deliver(job, out, server, serve, weights, patience, overwrite, as_json)


@app.command("quadmask")
def build_quadmask(
    plate: Plates,
    frames: Frames,
    out: Out,
    roto: Roto = None,
    roto_keys: RotoKeys = None,
    affected: Affected = None,
    quadmask: Quadmask = None,
    hints: HintsFile = None,
    ask: Ask = None,
    grow: Grow = None,
    overlay: Overlay = None,
    settings: SettingsFile = None,
    colourspace: Colourspace = None,
    ocio: Ocio = None,
    server: Server = protocol.DEFAULT_ADDRESS,
    serve: Serve = False,
    weights: OwnWeights = None,
    batch: Batch = False,
    patience: Patience = protocol.PATIENCE,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write the quadmask alone, to look at, paint over in rgb, and give to `void run --quadmask`. Ctrl-C cancels.

    One given with --quadmask (painted over, say) is checked and brought to its four exact levels.
    """
    from .run import Masking, make_job

    with reported(as_json):
        masking = Masking(roto, roto_keys, affected, quadmask, hints, ask, grow)
        given = read_toml(settings) if settings else {}
        job = make_job(plate, masking, frames, settings=given, result="quadmask", batch=batch)
        if overlay and overlay.suffix not in (".png", ".mp4"):
            raise BadInput(f"the overlay {overlay} is neither .png (a sheet) nor .mp4 (a film): name it so")
        job = _in_its_space(job, colourspace, ocio)
        _deliver(job, out, server, serve, weights, patience, overwrite, as_json)
        if overlay:
            from .overlay import write_overlay
            from .plates.working_space import WorkingSpace

            space = WorkingSpace.from_dict(job.colour)
            write_overlay(overlay, job.inputs["plate"], FileSequence.parse(out), job.frames, space)


def _in_its_space(job: Job, name: str | None, config: str | None) -> Job:
    """The job with its plate's working space."""
    from .colourspace import plate_colour

    return replace(job, colour=plate_colour(job.inputs["plate"], job.frames, name, config))


def _deliver(
    job: Job,
    out: str,
    server: str,
    serve: bool,
    weights: Path | None,
    patience: float,
    overwrite: bool,
    as_json: bool,
) -> None:
    """A job through a server and onto disk."""
    from .display import Display
    from .run import run_shot
    from .serving import server_for

    job.spec()  # what is missing is said before a server is asked for
    delivery = Delivery(FileSequence.parse(out), job.frames, overwrite=overwrite)
    delivery.refuse_inputs(job.inputs, job.frames)
    display = Display()
    with server_for(server, serve, weights, display.say) as address, Client(address) as client:
        finished = run_shot(client, job, delivery, display, patience)
    jobs_cli.print_finished(finished, out, as_json)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the shot, the result and the report.")] = Path("demo_out"),
) -> None:
    """Make a shot on the spot, remove its object through a server of its own, and write plates and a report."""
    from .demo import run_demo

    with reported():
        typer.echo(run_demo(out))
