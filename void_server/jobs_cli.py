"""`void attach | cancel | jobs | status`: looking after jobs that were left."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from void_client import protocol
from void_client.client import Client
from void_client.delivery import Delivery
from void_client.sequences import FileSequence, FrameRange

from .cli_options import AsJson, Out, Overwrite, Patience, Server, reported

if TYPE_CHECKING:
    from .run import Finished

app = typer.Typer()


@app.command()
def attach(
    job: Annotated[str, typer.Argument(help="The job's id, as `void run` and `void jobs` show it.")],
    out: Out,
    server: Server = protocol.DEFAULT_ADDRESS,
    patience: Patience = protocol.PATIENCE,
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
        print_finished(take(client, job, delivery, Display(), facts, patience=patience), out, as_json)


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
            typer.echo(
                f"{job['job']}  {job['state'] + step:<18}  {job['device']:<6}  "
                f"{job['first']}-{job['last']}  {job['label']}"
            )


@app.command()
def status(server: Server = protocol.DEFAULT_ADDRESS, as_json: AsJson = False) -> None:
    """Say whether the server is ready, with which weights, and what each of its workers does."""
    with reported(as_json), Client(server) as client:
        facts = client.status()
        if as_json:
            typer.echo(json.dumps(facts))
            return
        state = f"ready, {facts['engine']}" if facts["ready"] else "alive, and not ready yet"
        typer.echo(f"{server}: VOID {facts['server']}, {state}")
        if facts["notice"]:
            typer.echo(facts["notice"])
        for worker in facts["workers"]:
            typer.echo(f"{worker['device']}: {_at_work(worker)}")
        for name, count in facts["jobs"].items():
            typer.echo(f"{count} {name}")


def _at_work(worker: dict[str, Any]) -> str:
    """What a worker does, and for how long, as `void status` says it."""
    seconds = f"{worker['seconds']:.0f} s"
    if worker["state"] == "down":
        return f"down for {seconds}, to be started again: {worker['message']}"
    words = {
        "loading": "loading the weights",
        "warming": "warming up with a small removal",
        "ready": "ready",
        "running": f"running {'job ' + worker['job'] if worker['job'] else 'a job'}",
    }
    again = f" (the one before: {worker['message']})" if worker["message"] else ""
    return f"{words[worker['state']]} for {seconds}, process {worker['pid']}{again}"


def print_finished(finished: Finished, out: str, as_json: bool) -> None:
    if as_json:
        facts = {"job": finished.job, "frames": finished.frames, "out": out}
        typer.echo(json.dumps(facts | {"manifest": str(finished.manifest), "notices": finished.notices}))
    else:
        typer.echo(f"{finished.frames} frames in {out}, manifest {finished.manifest}")
