"""`void train`: weights made here, from scenes or from a show's own clips. Progress on stderr, results on stdout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .cli_options import reported

if TYPE_CHECKING:
    from .training.pairs import Pair

app = typer.Typer(
    no_args_is_help=True,
    help="Train weights: a small model from nothing (autoencoder, encode, pass1, decoder, pass2, ship, in this order), "
    "or a LoRA of a large one (lora). Every stage goes on where it was stopped; docs/training.md says what each "
    "needs.",
)

Work = Annotated[Path, typer.Argument(help="The training's folder: states, logs and encoded pairs.")]
Data = Annotated[
    Path | None,
    typer.Option(help="Folder of clips, each with rgb_full, rgb_removed and mask; scenes made on the spot without it."),
]
Steps = Annotated[int, typer.Option(help="Steps in all; more than were asked for last time goes on.")]
Rate = Annotated[float, typer.Option(help="Learning rate of the matrices (Muon).")]
Device = Annotated[str, typer.Option(help="cpu or cuda; cuda where there is one, if left out.")]
Batch = Annotated[int, typer.Option(help="Pairs in a step.")]
Threads = Annotated[int, typer.Option(help="CPU threads; one is fastest where other work goes on.")]

HEIGHT, WIDTH, FRAMES = 64, 112, 21


@app.command()
def autoencoder(
    work: Work,
    data: Data = None,
    steps: Steps = 3000,
    rate: Rate = 0.02,
    device: Device = "",
    threads: Threads = 1,
) -> None:
    """Train the video autoencoder: single frames first, then clips."""
    with reported():
        from .training.autoencoder import Curriculum
        from .training.loop import Schedule
        from .training.stages import train_autoencoder

        schedule = Schedule(steps=steps, rate=rate, average=0.98, cooldown=0.35)
        train_autoencoder(work, _pairs(data), schedule, Curriculum(steps=steps), _device(device, threads))


@app.command()
def decoder(
    work: Work,
    data: Data = None,
    steps: Steps = 1000,
    rate: Rate = 0.01,
    device: Device = "",
    threads: Threads = 1,
) -> None:
    """Train the decoder further by itself: the latents, and transformers that learnt from them, stay right."""
    with reported():
        from .training.autoencoder import Curriculum
        from .training.loop import Schedule
        from .training.stages import tune_decoder

        schedule = Schedule(steps=steps, rate=rate, average=0.98, cooldown=0.5)
        curriculum = Curriculum(steps=steps, singles=0, short=0.5)
        tune_decoder(work, _pairs(data), schedule, curriculum, _device(device, threads))


@app.command()
def encode(
    work: Work,
    data: Data = None,
    pairs: Annotated[int, typer.Option(help="How many pairs, from the first on.")] = 4000,
    part: Annotated[str, typer.Option(help="i/n makes the ith of n shares, from 0, so that n processes can.")] = "0/1",
    threads: Threads = 1,
) -> None:
    """Encode pairs once for the transformers: the encoder must not be trained any more from here on."""
    with reported():
        from .model import PassSettings
        from .training.stages import encode as encode_pairs

        _device("cpu", threads)
        share, shares = (int(number) for number in part.split("/"))
        settings = PassSettings.pass1(height=HEIGHT, width=WIDTH, window=FRAMES, mask_levels="quad")
        encode_pairs(work, _pairs(data), range(pairs), settings, (share, shares))


@app.command()
def pass1(
    work: Work, steps: Steps = 4000, rate: Rate = 0.02, batch: Batch = 16, device: Device = "", threads: Threads = 1
) -> None:
    """Train pass 1's transformer on the encoded pairs."""
    _train_pass(1, work, steps, rate, batch, device, threads)


@app.command()
def pass2(
    work: Work, steps: Steps = 1000, rate: Rate = 0.01, batch: Batch = 16, device: Device = "", threads: Threads = 1
) -> None:
    """Train pass 2's transformer: from pass 1's, with noise warped along the motion."""
    _train_pass(2, work, steps, rate, batch, device, threads)


@app.command()
def ship(
    work: Work, out: Annotated[Path, typer.Argument(help="A new or empty folder, for `void serve --weights`.")]
) -> None:
    """Write the trained model as a weights folder in half precision."""
    with reported():
        from .training.work import CARD
        from .training.work import ship as write

        write(work, out, CARD)
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        typer.echo(f"{out}: {size / 2**20:.1f} MiB")


def _train_pass(number: int, work: Path, steps: int, rate: float, batch: int, device: str, threads: int) -> None:
    with reported():
        from .training.loop import Schedule
        from .training.stages import train_pass

        train_pass(work, number, Schedule(steps=steps, rate=rate), batch, _device(device, threads))


def _pairs(data: Path | None) -> Callable[[int], Pair]:
    if data is None:
        from .training.pairs import make_pair

        return make_pair
    from .training.clips import ClipFolder

    return ClipFolder(data, frames=FRAMES, height=HEIGHT, width=WIDTH)


def _device(name: str, threads: int) -> str:
    import torch

    torch.set_num_threads(threads)
    return name or ("cuda" if torch.cuda.is_available() else "cpu")
