"""The command of `doctor.py`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer
from void_client import keys, protocol

from .cli_options import AsJson, Server

app = typer.Typer()
DEFAULT_SPOOL = Path.home() / ".cache" / "void" / "spool"


@app.command()
def doctor(
    server: Server = protocol.DEFAULT_ADDRESS,
    weights: Annotated[Path | None, typer.Option(help="The weights folder that a server is to use.")] = None,
    spool: Annotated[Path, typer.Option(envvar="VOID_SERVE_SPOOL", help="The server's spool.")] = DEFAULT_SPOOL,
    folder: Annotated[Path, typer.Option("--keys", envvar=keys.FOLDER_VARIABLE, help="Folder of keys.")] = (
        keys.DEFAULT_FOLDER
    ),
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with this set-up, and what to do. Changes nothing. Exit status 1 where something won't work."""
    from .doctor import examine

    wrong = False
    for finding in examine(server, weights, spool, folder):
        wrong |= finding.level == "wrong"
        if as_json:
            typer.echo(json.dumps(dataclasses.asdict(finding)))
        else:
            typer.echo(f"{finding.level:<5}  {finding.about}: {finding.text}")
    if wrong:
        raise typer.Exit(1)
