"""What the commands of `void` share: options, and how errors are told."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from void_client.errors import BadInput, VoidError

Server = Annotated[str, typer.Option("--server", envvar="VOID_SERVER", help="Address of the server.")]
AsJson = Annotated[bool, typer.Option("--json", envvar="VOID_JSON", help="Print the result as JSON.")]
Plates = Annotated[str, typer.Option(help="The plate, scene-linear: plate.%04d.exr, plate.####.exr or one file.")]
Frames = Annotated[str, typer.Option(help="The frame range, both ends included: 1001-1046.")]
Roto = Annotated[
    str | None,
    typer.Option(
        help="What to remove, in alpha; a layer for each object. One file holds for every frame. Where frames are "
        "missing, SAM 2 carries it there, if the server has it."
    ),
]
RotoKeys = Annotated[
    str | None, typer.Option(help="Take the roto from these frames alone (1001,1020): SAM 2 carries it to the others.")
]
Affected = Annotated[str | None, typer.Option(help="What it affects (shadows, what falls), in alpha.")]
Quadmask = Annotated[
    str | None, typer.Option(help="A finished quadmask (0, 63, 127, 255 over 255) in place of roto and affected.")
]
HintsFile = Annotated[
    Path | None, typer.Option("--hints", help="A JSON file that says what is affected, in cells; see docs/hints.md.")
]
Ask = Annotated[
    str | None,
    typer.Option(help="Say what the object is ('the glass'), and ask the server's reasoner what goes with it."),
]
Grow = Annotated[int | None, typer.Option(help="Widen what is affected by so many cells of the grid.")]
SettingsFile = Annotated[Path | None, typer.Option(help="A TOML file of shot settings; docs/settings.md lists them.")]
Out = Annotated[str, typer.Option(help="The result: plate.%04d.exr, plate.####.exr or one file.")]
Serve = Annotated[
    bool, typer.Option("--serve", help="If no server answers, start one for this shot and stop it afterwards.")
]
OwnWeights = Annotated[Path | None, typer.Option("--weights", help="With --serve: its weights folder.")]
Overlay = Annotated[
    Path | None, typer.Option(help="Also draw it over the plate, to look at: FILE.png is a sheet, FILE.mp4 a film.")
]
Colourspace = Annotated[
    str | None,
    typer.Option(
        help="The plate's working space (ACEScg), as an OCIO config calls it: the one of --ocio, else of OCIO in the "
        "environment, else OpenColorIO's own. Without it: that config's role scene_linear; without a config: what the "
        "EXRs' chromaticities say, else linear Rec.709."
    ),
]
Ocio = Annotated[str | None, typer.Option(help="The OCIO config: a file, or ocio://NAME for one built into OCIO.")]
Batch = Annotated[bool, typer.Option("--batch", help="Nobody waits for it: those that somebody waits for go first.")]
Patience = Annotated[
    float,
    typer.Option(min=1.0, max=7200.0, help="Seconds to wait for a server that has gone silent: it may be restarted."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Allow frames of an earlier result to be replaced.")]


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


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadInput(f"{path} can't be read ({error.strerror}): check the path") from error
    except ValueError as error:
        raise BadInput(f"{path} is not TOML ({error}): mend that line") from error
