"""`void train`: weights made here, from scenes or from a show's own clips. Progress on stderr, results on stdout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .weights_cli import reported

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
        from .training.pairs import FRAMES, HEIGHT, WIDTH
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
    work: Work, steps: Steps = 1000, rate: Rate = 0.001, batch: Batch = 16, device: Device = "", threads: Threads = 1
) -> None:
    """Train pass 2's transformer: from pass 1's, with noise warped along the motion."""
    _train_pass(2, work, steps, rate, batch, device, threads)


@app.command()
def ship(
    work: Work, out: Annotated[Path, typer.Argument(help="A new or empty folder, for `void serve --weights`.")]
) -> None:
    """Write the trained model as a weights folder in half precision."""
    with reported():
        from .training.work import ship as write

        write(work, out)
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        typer.echo(f"{out}: {size / 2**20:.1f} MiB")


@app.command()
def unpack(
    weights: Annotated[Path, typer.Argument(help="A weights folder that `void train ship` wrote, the package's say.")],
    work: Work,
) -> None:
    """Make a training's folder of shipped weights, to train them further without the state that they came from."""
    with reported():
        from .model import WeightsFolder
        from .training.work import unpack as take

        take(WeightsFolder.find(weights), work)
        typer.echo(f"{work}: encode pairs next, then go on with any stage")


def _train_pass(number: int, work: Path, steps: int, rate: float, batch: int, device: str, threads: int) -> None:
    with reported():
        from .training.loop import Schedule
        from .training.stages import train_pass

        schedule = Schedule(steps=steps, rate=rate, others_rate=rate / 10)
        train_pass(work, number, schedule, batch, _device(device, threads))


def _pairs(data: Path | None) -> Callable[[int], Pair]:
    from .training.clips import ClipFolder
    from .training.pairs import FRAMES, HEIGHT, WIDTH, make_pair

    if data is None:
        return make_pair
    return ClipFolder(data, frames=FRAMES, height=HEIGHT, width=WIDTH)


def _device(name: str, threads: int) -> str:
    import torch

    torch.set_num_threads(threads)
    return name or ("cuda" if torch.cuda.is_available() else "cpu")


@app.command()
def lora(
    data: Annotated[Path, typer.Argument(help="Folder of a show's clips, each with rgb_full, rgb_removed and mask.")],
    work: Work,
    out: Annotated[Path, typer.Argument(help="The .safetensors file to write: the pass's weights, LoRA merged in.")],
    weights: Annotated[Path, typer.Option(help="Folder of the weights that the LoRA is of.")],
    number: Annotated[int, typer.Option("--pass", help="1 or 2.")] = 1,
    samples: Annotated[int, typer.Option(help="Clips cut from the data and encoded.")] = 200,
    prompt: Annotated[str, typer.Option(help="What all clips show once the object is gone.")] = "",
    height: Annotated[int, typer.Option(help="Of the picture that the model sees, in pixels.")] = 384,
    width: Annotated[int, typer.Option(help="Of the picture that the model sees, in pixels.")] = 672,
    frames: Annotated[int, typer.Option(help="Frames of a sample: 4k+1 with k odd, 85 in the published model.")] = 85,
    rank: Annotated[int, typer.Option(help="Rank of the LoRA.")] = 16,
    steps: Steps = 1000,
    rate: Annotated[float, typer.Option(help="Learning rate (AdamW).")] = 1e-4,
    batch: Batch = 1,
    device: Device = "",
    threads: Threads = 1,
) -> None:
    """Fine-tune a pass for a show: a LoRA on its attention, merged into weights that `void serve` loads."""
    with reported():
        import torch

        from .model import PassSettings, WeightsFolder
        from .training.clips import ClipFolder
        from .training.loop import Schedule
        from .training.lora import train_lora

        if number not in (1, 2):
            raise typer.BadParameter(f"there is no pass {number}; give 1 or 2", param_hint="--pass")
        where = _device(device, threads)
        train_lora(
            WeightsFolder.find(weights),
            ClipFolder(data, frames=frames, height=height, width=width),
            work,
            out,
            number=number,
            seeds=range(samples),
            settings=PassSettings.pass1(height=height, width=width, window=frames, mask_levels="quad"),
            schedule=Schedule(steps=steps, others_rate=rate, average=0.99),
            prompt=prompt,
            rank=rank,
            batch=batch,
            device=where,
            dtype=torch.bfloat16 if where.startswith("cuda") else torch.float32,
        )
        typer.echo(f"{out}")
