"""`void keys new | allow | revoke`: who may use a server that others can reach."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from void_client import keys

from .cli_options import reported

app = typer.Typer(no_args_is_help=True, help="Keys for servers that others can reach (docs/td.md, Security).")
Keys = Annotated[Path, typer.Option("--keys", envvar=keys.FOLDER_VARIABLE, help="Folder of keys.")]
Name = Annotated[str, typer.Argument(help="The user's name, for logs and lists.")]


@app.command()
def new(folder: Keys = keys.DEFAULT_FOLDER) -> None:
    """Make a key pair, for a server or a client, and print its public half. The secret half leaves the folder never."""
    with reported():
        typer.echo(keys.new_pair(folder).public.decode())


@app.command()
def allow(
    name: Name,
    key: Annotated[str, typer.Argument(help="The user's public key, as `void keys new` printed it.")],
    folder: Keys = keys.DEFAULT_FOLDER,
) -> None:
    """On a server: let a user in."""
    with reported():
        keys.allow(folder, name, key)
        typer.echo(f"{name} may use the server that has the keys in {folder}")


@app.command()
def revoke(name: Name, folder: Keys = keys.DEFAULT_FOLDER) -> None:
    """On a server: let a user in no more, from the next message on."""
    with reported():
        keys.revoke(folder, name)
        typer.echo(f"{name} may not use it any more")
