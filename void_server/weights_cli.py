"""`void weights`: fetch, verify, plan, tiny. Results on stdout, progress on stderr; exit status 0 or 2."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from void_server.cli_options import AsJson
from void_server.sam2_weights import SUBFOLDER, Size, list_files

if TYPE_CHECKING:
    from void_server.model.hub import RemoteFile
    from void_server.model.plan import Plan

app = typer.Typer(no_args_is_help=True, help="Weights: what the server computes with.")

GIB = 2**30
Folder = Annotated[Path, typer.Argument(help="The weights folder.")]


@contextmanager
def reported(as_json: bool = False) -> Iterator[None]:
    """Turn what is wrong with weights (or with a folder for them) into one line and exit status 2."""
    try:
        yield
    except (ValueError, OSError) as error:
        if as_json:
            typer.echo(json.dumps({"error": str(error)}))
        typer.echo(f"void: {error}", err=True)
        raise typer.Exit(2) from error


class Meter:
    """Bytes on stderr: a live line in a terminal, a line at each end elsewhere (farm logs)."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._next = 0.0

    def __call__(self, what: str, done: int, size: int) -> None:
        """Show that `done` of `size` bytes are through; ten times a second at most."""
        ended = done >= size
        if not ended and (not self._live or time.monotonic() < self._next):
            return
        self._next = time.monotonic() + 0.1
        line = f"void: {what} {_size(done)} of {_size(size)}"
        print(f"\r\x1b[K{line}" if self._live else line, end="\n" if ended else "", file=sys.stderr, flush=True)


@app.command()
def fetch(
    folder: Folder,
    size: Annotated[Size | None, typer.Argument(help="Of SAM 2, with --sam2; large where left out.")] = None,
    revision: Annotated[str | None, typer.Option(help="Of VOID's own weights: a branch, tag or commit.")] = None,
    base_revision: Annotated[str | None, typer.Option(help="Of the base model: a branch, tag or commit.")] = None,
    sam2: Annotated[
        bool, typer.Option("--sam2", help="Fetch SAM 2 instead, into FOLDER/sam2: it carries a roto between keyframes.")
    ] = False,
    sam2_revision: Annotated[str | None, typer.Option(help="Of SAM 2: a branch, tag or commit.")] = None,
) -> None:
    """Download the weights, or what is missing of them; an interrupted download goes on where it broke off.

    HF_ENDPOINT names another hub than Hugging Face's, HF_TOKEN who you are there.
    """
    from .model import hub

    with reported():
        if sam2:
            _fetch(folder / SUBFOLDER, list_files(size or "large", sam2_revision), _how_to_serve(folder))
        elif size:
            raise ValueError(f"{size} is a size of SAM 2: give --sam2 too, or leave the size out")
        else:
            _fetch(folder, hub.list_files(revision=revision, base_revision=base_revision))


def _fetch(folder: Path, files: Sequence[RemoteFile], hint: str = "") -> None:
    from .model import hub

    absent = hub.missing(folder, files, Meter())
    needed = hub.bytes_to_come(folder, absent)
    if absent:
        typer.echo(f"void: {len(absent)} of {len(files)} files, {_size(needed)}, are to come", err=True)
    hub.refuse_full_disk(folder, needed)
    hub.fetch(folder, absent, Meter())
    typer.echo(f"{folder}: {len(files)} files, {_size(sum(file.size for file in files))}, whole{hint}")


def _how_to_serve(folder: Path) -> str:
    return f"; `void serve --sam2 {folder / SUBFOLDER}` uses it"


@app.command()
def verify(folder: Folder, as_json: AsJson = False) -> None:
    """Say whether the weights are whole and fit each other: hashes, lengths, names and shapes.

    FOLDER/sam2 is checked too, if it is there.
    """
    from . import sam2_weights
    from .model import verify as checks
    from .model.weights import HASHES

    alone = sam2_weights.is_sam2(folder)
    parts = {folder: sam2_weights.verify if alone else checks.verify}
    if (folder / SUBFOLDER).is_dir() and not alone:
        parts[folder / SUBFOLDER] = sam2_weights.verify
    problems, hashed = [], {part: (part / HASHES).is_file() for part in parts}
    for part, check in parts.items():
        if part.is_dir() and not hashed[part]:
            typer.echo(
                f"void: {part} has no {HASHES}, as `void weights fetch` writes: hashes are not checked", err=True
            )
        found = check(part, Meter())
        problems += found
        if not found and not as_json:
            typer.echo(f"{part}: whole{'' if hashed[part] else ', as far as can be told without hashes'}")
    if as_json:
        listed = [{"file": str(problem.file), "problem": problem.what} for problem in problems]
        typer.echo(json.dumps({"whole": not problems, "hashed": all(hashed.values()), "problems": listed}))
    for problem in problems:
        typer.echo(f"void: {problem.file}: {problem.what}", err=True)
    if problems:
        raise typer.Exit(2)


@app.command()
def plan(
    folder: Folder,
    free_gb: Annotated[
        float | None, typer.Option(help="Free memory of the card in GiB; this machine's own card where left out.")
    ] = None,
    height: Annotated[int, typer.Option(help="Of the picture that the model sees, in pixels.")] = 384,
    width: Annotated[int, typer.Option(help="Of the picture that the model sees, in pixels.")] = 672,
    window: Annotated[int, typer.Option(help="Frames that the model sees at once.")] = 85,
    as_json: AsJson = False,
) -> None:
    """Say how much of the card's memory each way of holding the model needs, and which one the server would take.

    Weights are exact, activations are estimates that have not been measured on a card.
    """
    from .model import WeightsFolder
    from .model.plan import BadPlan, Shape, choose, plans, weigh

    with reported(as_json):
        weights = WeightsFolder.find(folder)
        offered = plans(weigh(weights.base, (weights.pass1, weights.pass2)), Shape(height, width, window))
        free = round(free_gb * GIB) if free_gb is not None else _free_on_card()
        taken, refusal = None, None
        if free is not None:
            try:
                taken = choose(offered, free)
            except BadPlan as error:
                refusal = error
        _print_plans(offered, free, taken, as_json)
        if refusal:
            typer.echo(f"void: {refusal}", err=True)
            raise typer.Exit(2)


def _free_on_card() -> int | None:
    import torch

    return torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else None


def _print_plans(offered: Sequence[Plan], free: int | None, taken: Plan | None, as_json: bool) -> None:
    if as_json:
        facts: dict[str, Any] = {"free": free, "taken": taken and taken.name, "plans": [asdict(row) for row in offered]}
        typer.echo(json.dumps(facts))
        return
    typer.echo(f"{'plan':<10} {'on the card':>11} {'in main memory':>15}  {'T5 runs on':<10}  how")
    for row in offered:
        typer.echo(f"{row.name:<10} {_size(row.peak):>11} {_size(row.host):>15}  {row.encoder_device:<10}  {row.why}")
    if free is None:
        typer.echo("there is no card in this machine; --free-gb says what one would have free")
    elif taken:
        typer.echo(f"{_size(free)} are free on the card: {taken.name} is taken")


def _size(count: int) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB // 10 else f"{count / 2**20:.1f} MiB"


@app.command()
def tiny(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    seed: Annotated[int, typer.Option(help="Of the random weights.")] = 0,
    sam2: Annotated[
        bool, typer.Option("--sam2", help="Write a SAM 2 instead, 4 MB, into FOLDER/sam2, whatever else is there.")
    ] = False,
) -> None:
    """Write small random weights in the real layout, to try the workflow. They are untrained: the fill is noise."""
    with reported():
        if sam2:
            from .training.tiny_sam2 import write_random_sam2

            write_random_sam2(folder / SUBFOLDER, seed)
            typer.echo(f"{folder / SUBFOLDER}: an untrained SAM 2: its masks mean nothing{_how_to_serve(folder)}")
        else:
            from .training.tiny import write_random_weights

            write_random_weights(folder, seed)
            typer.echo(f"{folder}: untrained weights: the fill is noise")
