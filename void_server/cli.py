"""The `void` command. Results on stdout, progress and messages on stderr; exit status 0, 1, 2 or 130."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from void_client import __version__, protocol
from void_client.client import Client, Job
from void_client.delivery import Delivery
from void_client.errors import BadInput, VoidError
from void_client.sequences import FileSequence, FrameRange

from . import weights_cli
from .engine_options import Attention, EngineOptions, Plan
from .service.logs import LogLevel

if TYPE_CHECKING:
    from .run import Finished

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
app.add_typer(weights_cli.app, name="weights")

DEFAULT_SPOOL = Path.home() / ".cache" / "void" / "spool"

Server = Annotated[str, typer.Option("--server", envvar="VOID_SERVER", help="Address of the server.")]
AsJson = Annotated[bool, typer.Option("--json", envvar="VOID_JSON", help="Print the result as JSON.")]
Plates = Annotated[str, typer.Option(help="The plate, scene-linear: plate.%04d.exr, plate.####.exr or one file.")]
Frames = Annotated[str, typer.Option(help="The frame range, both ends included: 1001-1046.")]
Roto = Annotated[str | None, typer.Option(help="What to remove, in alpha. One file holds for every frame.")]
Affected = Annotated[str | None, typer.Option(help="What it affects (shadows, what falls), in alpha.")]
Quadmask = Annotated[
    str | None, typer.Option(help="A finished quadmask (0, 63, 127, 255 over 255) in place of roto and affected.")
]
Out = Annotated[str, typer.Option(help="The result: plate.%04d.exr, plate.####.exr or one file.")]
Serve = Annotated[
    bool, typer.Option("--serve", help="If no server answers, start one for this shot and stop it afterwards.")
]
OwnWeights = Annotated[Path | None, typer.Option("--weights", help="With --serve: its weights folder.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Allow frames of an earlier result to be replaced.")]


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
            context.default_map = {name.replace("_", "-"): table for name, table in _read_toml(config).items()}


@contextmanager
def reported(as_json: bool = False) -> Iterator[None]:
    """Turn what we raise on purpose into one line and an exit status; nothing else is hidden."""
    try:
        yield
    except VoidError as error:
        if as_json:
            typer.echo(json.dumps({"error": str(error)}))
        typer.echo(f"void: {error}", err=True)
        raise typer.Exit(error.exit_code) from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadInput(f"{path} can't be read ({error.strerror}): check the path") from error
    except ValueError as error:
        raise BadInput(f"{path} is not TOML ({error}): mend that line") from error


@app.command()
def serve(
    bind: Annotated[str, typer.Option(help="Loopback address to listen on; port * takes a free one.")] = (
        protocol.DEFAULT_ADDRESS
    ),
    weights: Annotated[
        Path | None, typer.Option(help="Folder with void_pass1.safetensors, void_pass2.safetensors and the base model.")
    ] = None,
    spool: Annotated[
        Path, typer.Option(help="Folder for frames on their way; a shot needs the room of its plate three times.")
    ] = DEFAULT_SPOOL,
    engine: Annotated[str, typer.Option(help="What removes objects: void, or your own as module:factory.")] = "void",
    plan: Annotated[Plan, typer.Option(help="How the model is held; see `void weights plan`.")] = "auto",
    compile_blocks: Annotated[
        bool, typer.Option("--compile", help="Compile the model's blocks on first use; rounding changes.")
    ] = False,
    fuse_qkv: Annotated[
        bool, typer.Option("--fuse-qkv", help="One multiplication for queries, keys and values; rounding may change.")
    ] = False,
    first_block_cache: Annotated[
        float,
        typer.Option(help="Skip blocks where the first changes by less than this; 0 is never. See docs/speed.md."),
    ] = 0.0,
    attention: Annotated[Attention, typer.Option(help="The attention kernel.")] = "auto",
    log_level: Annotated[LogLevel, typer.Option(help="What goes to stderr.")] = "info",
    until_eof: Annotated[bool, typer.Option("--until-eof", help="Stop when standard input closes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Keep the weights loaded and serve jobs until stopped. Says when it is ready."""
    from .service.serve import serve_until_stopped

    with reported():
        options = EngineOptions(
            name=engine,
            weights=weights,
            plan=plan,
            compile=compile_blocks,
            fuse_qkv=fuse_qkv,
            first_block_cache=first_block_cache,
            attention=attention,
        )
        serve_until_stopped(bind, options, spool, log_level, until_eof=until_eof, as_json=as_json)


@app.command()
def run(
    plate: Plates,
    frames: Frames,
    out: Out,
    roto: Roto = None,
    affected: Affected = None,
    quadmask: Quadmask = None,
    prompt: Annotated[str, typer.Option(help="What remains once the object is gone.")] = "",
    settings: Annotated[
        Path | None, typer.Option(help="A TOML file of shot settings; docs/settings.md lists them.")
    ] = None,
    server: Server = protocol.DEFAULT_ADDRESS,
    serve: Serve = False,
    weights: OwnWeights = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Remove an object from a shot. Ctrl-C cancels."""
    from .run import make_job

    with reported(as_json):
        given = _read_toml(settings) if settings else {}
        job = make_job(plate, roto, affected, quadmask, frames, prompt=prompt, settings=given)
        _deliver(job, out, server, serve, weights, overwrite, as_json)


@app.command("quadmask")
def build_quadmask(
    plate: Plates,
    frames: Frames,
    out: Out,
    roto: Roto = None,
    affected: Affected = None,
    quadmask: Quadmask = None,
    server: Server = protocol.DEFAULT_ADDRESS,
    serve: Serve = False,
    weights: OwnWeights = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write the quadmask alone, to look at, paint over in rgb, and give to `void run --quadmask`. Ctrl-C cancels.

    One given with --quadmask (painted over, say) is checked and brought to its four exact levels.
    """
    from .run import make_job

    with reported(as_json):
        job = make_job(plate, roto, affected, quadmask, frames, result="quadmask")
        _deliver(job, out, server, serve, weights, overwrite, as_json)


def _deliver(
    job: Job, out: str, server: str, serve: bool, weights: Path | None, overwrite: bool, as_json: bool
) -> None:
    """A job through a server and onto disk."""
    from .display import Display
    from .run import run_shot, server_for

    job.spec()  # what is missing is said before a server is asked for
    delivery = Delivery(FileSequence.parse(out), job.frames, overwrite=overwrite)
    delivery.refuse_inputs(job.inputs, job.frames)
    display = Display()
    with server_for(server, serve, weights, display) as address, Client(address) as client:
        finished = run_shot(client, job, delivery, display)
    for notice in finished.notices:
        display.say(f"note: {notice}")
    _print_finished(finished, out, as_json)


def _print_finished(finished: Finished, out: str, as_json: bool) -> None:
    if as_json:
        facts = {"job": finished.job, "frames": finished.frames, "out": out}
        typer.echo(json.dumps(facts | {"manifest": str(finished.manifest), "notices": finished.notices}))
    else:
        typer.echo(f"{finished.frames} frames in {out}, manifest {finished.manifest}")


@app.command()
def attach(
    job: Annotated[str, typer.Argument(help="The job's id, as `void run` and `void jobs` show it.")],
    out: Out,
    server: Server = protocol.DEFAULT_ADDRESS,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Take up a job that was sent earlier: wait for it and write its result. Ctrl-C cancels the job."""
    from .display import Display
    from .run import held_job, take

    with reported(as_json), Client(server) as client:
        held = held_job(client, job)
        facts = {name: held[name] for name in ("first", "last", "result")}
        delivery = Delivery(FileSequence.parse(out), FrameRange(held["first"], held["last"]), overwrite=overwrite)
        _print_finished(take(client, job, delivery, Display(), facts), out, as_json)


@app.command()
def cancel(
    job: Annotated[str, typer.Argument(help="The job's id.")],
    server: Server = protocol.DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Cancel a job; one that runs stops within a step."""
    with reported(as_json), Client(server) as client:
        state = client.cancel(job)
        typer.echo(
            json.dumps(state) if as_json else f"{job}: {'cancelling' if state['state'] != 'cancelled' else 'cancelled'}"
        )


@app.command()
def jobs(server: Server = protocol.DEFAULT_ADDRESS, as_json: AsJson = False) -> None:
    """List the jobs that the server holds, oldest first."""
    with reported(as_json), Client(server) as client:
        held = client.jobs()
        if as_json:
            typer.echo(json.dumps(held))
            return
        for job in held:
            step = f" {job['step']}/{job['steps']}" if job["steps"] else ""
            typer.echo(f"{job['job']}  {job['state'] + step:<18}  {job['first']}-{job['last']}  {job['label']}")


@app.command()
def status(server: Server = protocol.DEFAULT_ADDRESS, as_json: AsJson = False) -> None:
    """Say whether the server is ready, and with which weights."""
    with reported(as_json), Client(server) as client:
        facts = client.status()
        if as_json:
            typer.echo(json.dumps(facts))
            return
        state = f"ready, {facts['engine']}" if facts["ready"] else "loading its weights"
        typer.echo(f"{server}: VOID {facts['server']}, {state}")
        if facts["notice"]:
            typer.echo(facts["notice"])
        for name, count in facts["jobs"].items():
            typer.echo(f"{count} {name}")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the shot, the result and the report.")] = Path("demo_out"),
) -> None:
    """Make a shot on the spot, remove its object through a server of its own, and write plates and a report."""
    from .demo import run_demo

    with reported():
        typer.echo(run_demo(out))
