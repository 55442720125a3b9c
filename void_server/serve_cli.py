"""`void serve`: its options, and what they are made into."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from void_client import protocol

from .cli_options import AsJson, reported
from .doctor_cli import DEFAULT_SPOOL
from .engine_options import DEFAULT_ANSWERS, Attention, EngineOptions, MaskOptions, Plan, ReasonerName
from .service.logs import LogFormat, LogLevel
from .service.watch import most_memory


def serve(
    bind: Annotated[str, typer.Option(help="Address to listen on; loopback unless there are --keys.")] = (
        protocol.DEFAULT_ADDRESS
    ),
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Folder with void_pass1.safetensors, void_pass2.safetensors and the base model; without it, the tiny "
            "demo weights that come with the package, for trying the workflow and not for shots."
        ),
    ] = None,
    spool: Annotated[
        Path,
        typer.Option(
            help="Folder for jobs and their frames, on a local disk; a shot needs the room of its plate three times."
        ),
    ] = DEFAULT_SPOOL,
    spool_cap: Annotated[
        float, typer.Option(help="GiB that the jobs in the spool may need; more are refused.")
    ] = 500.0,
    keep: Annotated[
        float,
        typer.Option(
            help="Hours for which a job stays that nobody asks for: its results have been fetched, it failed, it was "
            "cancelled, or its frames never came."
        ),
    ] = 24.0,
    drain: Annotated[
        float,
        typer.Option(help="Seconds that a running job is given to end at SIGTERM; the next start goes on with it."),
    ] = 0.0,
    devices: Annotated[
        str,
        typer.Option(
            help="A worker runs on each of these: cuda:0,cuda:1 or cpu; auto is every GPU that CUDA_VISIBLE_DEVICES "
            "leaves, and without one the CPU."
        ),
    ] = "auto",
    memory: Annotated[
        float,
        typer.Option(
            help="GiB of their own that the workers may hold, an equal share each, mapped weights and GPU apart; "
            "0 is any (Linux)."
        ),
    ] = most_memory(),
    frame_limit: Annotated[
        float, typer.Option(help="Seconds that a worker may take for one frame while it reads or writes; 0 is any.")
    ] = 1800.0,
    heartbeat_limit: Annotated[
        float,
        typer.Option(
            help="Seconds for which a worker may give no sign of life (it gives one a second, also while it computes); "
            "0 is any."
        ),
    ] = 60.0,
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
    raft: Annotated[
        Path | None, typer.Option(help="File of RAFT-large's weights, for optical flow; without it, OpenCV's DIS.")
    ] = None,
    sam2: Annotated[
        Path | None, typer.Option(help="Folder of SAM 2's weights: a roto may then be painted on some frames only.")
    ] = None,
    reasoner: Annotated[
        ReasonerName,
        typer.Option(help="Who is asked for hints: gemini (GEMINI_API_KEY), openai (any such endpoint)."),
    ] = "none",
    reasoner_model: Annotated[str, typer.Option(help="The reasoner's model, as its endpoint lists it.")] = "",
    reasoner_endpoint: Annotated[str, typer.Option(help="Its address: http://127.0.0.1:11434/v1, or a proxy.")] = "",
    answers: Annotated[Path, typer.Option(help="Folder in which the reasoner's answers are kept.")] = DEFAULT_ANSWERS,
    keys: Annotated[
        Path | None,
        typer.Option(help="Folder of the server's keys and of those it allows: it talks to them alone."),
    ] = None,
    metrics: Annotated[str, typer.Option(help="HOST:PORT at which Prometheus may ask; empty is nowhere.")] = "",
    log_level: Annotated[LogLevel, typer.Option(help="What goes to stderr.")] = "info",
    log_format: Annotated[LogFormat, typer.Option(help="Lines for people, or JSON objects.")] = "text",
    until_eof: Annotated[bool, typer.Option("--until-eof", help="Stop when standard input closes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Keep the weights loaded and serve jobs until stopped. Says when it is ready."""
    from .service.serve import serve_until_stopped
    from .service.store import Keeping
    from .service.watch import Limits

    with reported():
        options = EngineOptions(
            name=engine,
            weights=weights,
            plan=plan,
            compile=compile_blocks,
            fuse_qkv=fuse_qkv,
            first_block_cache=first_block_cache,
            attention=attention,
            raft=raft,
        )
        masks = MaskOptions(sam2, reasoner, reasoner_model, reasoner_endpoint, answers)
        keeping = Keeping(keep=keep * 3600, cap=int(spool_cap * 2**30))
        limits = Limits(memory=int(memory * 2**30), decoding=frame_limit, silence=heartbeat_limit)
        serve_until_stopped(
            bind,
            options,
            masks,
            spool,
            keeping,
            limits,
            log_level,
            log_format,
            devices=devices,
            drain=drain,
            keys=keys,
            metrics=metrics,
            until_eof=until_eof,
            as_json=as_json,
        )
