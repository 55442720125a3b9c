"""The worker process: loads the weights once, then runs jobs one after the other. All that can crash happens here.

Started by the front as `python -m void_server.service.worker LEVEL FORMAT OPTIONS MASKS DEVICE`: the log's level and
format, EngineOptions and MaskOptions as JSON, and what the device is called; it sees no other (devices.py). Speaks
`link.py`'s messages.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import queue
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from void_client import __version__
from void_client.delivery import write_atomically

from void_server.engine import Engine, WarmsUp, load_engine
from void_server.engine_options import CannotLoad, EngineOptions, MaskOptions
from void_server.footage import Footage
from void_server.mask_tools import load_mask_tools
from void_server.masking import MaskTools
from void_server.masks.endpoint import CannotReason
from void_server.masks.hints import BadHints
from void_server.masks.propagate import OutOfMemory as RotoOutOfMemory
from void_server.masks.quadmask import BadMask
from void_server.mattes import Mattes
from void_server.model import BadClip, OutOfMemory, is_out_of_memory
from void_server.plates.exr import write_frame
from void_server.plates.frame import BadPlate, Frame, PlateOutOfMemory
from void_server.plates.stream import ordered_map
from void_server.plates.working_space import WorkingSpace
from void_server.settings import ShotSettings
from void_server.shot import build_quadmasks, remove_object
from void_server.stages import AHEAD, THREADS

from .folder import NO_ROOM, checkpoint_folder, input_file, result_file
from .link import Message, Pipe, messages
from .logs import LogFormat, LogLevel, Secrets, log_to_stderr
from .reporter import Cancellations, JobStopped, Reporter
from .watch import ALIVE_EVERY

log = logging.getLogger("void.worker")


def run_job(engine: Engine, tools: MaskTools, command: Message, pipe: Pipe, cancellations: Cancellations) -> None:
    """One job from its folder to its folder; how it ended goes to the front, whatever happens."""
    job = command["job"]
    try:
        cancellations.check(job)
        _make(engine, tools, command, pipe, cancellations)
        pipe.send("done", job=job)
    except JobStopped:
        pipe.send("stopped", job=job)
    except (OutOfMemory, RotoOutOfMemory, PlateOutOfMemory) as error:
        pipe.send("failed", job=job, code="out_of_memory", message=str(error))
    except (BadPlate, BadMask, BadHints, BadClip) as error:
        pipe.send("failed", job=job, code="bad_input", message=str(error))
    except CannotReason as error:
        pipe.send("failed", job=job, code="no_hints", message=str(error))
    except Exception as error:  # noqa: BLE001  logged there
        pipe.send("failed", job=job, **_unforeseen(job, error))


def _unforeseen(job: str, error: Exception) -> dict[str, str]:
    """Code and message for what no part of a shot has words for."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return {"code": "no_room", "message": f"the server's disk is full ({error.strerror})"}
    log.exception("job %s", job)
    if is_out_of_memory(error):
        cause = str(error).partition("\n")[0] or type(error).__name__
        return {
            "code": "out_of_memory",
            "message": f"the server ran out of memory ({cause}): take a smaller window or picture, render fewer "
            "channels, or close what else runs there, then submit again",
        }
    message = f"the server ran into {type(error).__name__}: {error}. Its log has the details under job {job}"
    return {"code": "internal", "message": message}


def _make(engine: Engine, tools: MaskTools, command: Message, pipe: Pipe, cancellations: Cancellations) -> None:
    """The job's frames, of either kind, written and reported one by one.

    Those that an earlier attempt has finished stay as they are: somebody may have fetched them.
    """
    folder = Path(command["folder"])
    settings = ShotSettings.from_dict(command["settings"])
    numbers = range(command["first"], command["last"] + 1)
    footage = {
        kind: Footage(name, {number: path for number in numbers if (path := input_file(folder, kind, number)).exists()})
        for kind, name in command["inputs"].items()
    }
    space = WorkingSpace.from_dict(command["colour"])
    plate = replace(footage.pop("plate"), space=space)
    reporter = Reporter(command["job"], settings, pipe, cancellations)
    mattes = Mattes(footage.get("roto"), footage.get("affected"), footage.get("quadmask"))
    given: dict[str, Any] = {"hints": command["hints"], "tools": tools, "checkpoint": checkpoint_folder(folder)}
    if command["result"] == "quadmask":
        frames = build_quadmasks(plate, mattes, settings, reporter, **given)
    else:
        frames = remove_object(plate, mattes, settings, engine, reporter, prompt=command["prompt"], **given)
    keep = functools.partial(_keep, folder, _metadata(command, engine))
    finished = frozenset(command["finished"])
    left = ((number, frame) for number, frame in zip(numbers, frames, strict=True) if number not in finished)
    for result in ordered_map(keep, left, threads=THREADS, ahead=AHEAD):
        pipe.send("result", job=command["job"], **result)


def _metadata(command: Message, engine: Engine) -> dict[str, Any]:
    """What every frame of the result says of itself; a quadmask owes nothing to engine, seed or prompt."""
    facts = {"void/job": command["job"], "void/version": __version__, "void/result": command["result"]}
    if command["result"] == "quadmask":
        return facts
    facts |= {
        "void/engine": engine.name,
        "void/seed": str(command["settings"]["seed"]),
        "void/prompt": command["prompt"],
        "void/colourspace": command["colour"]["name"],
        "void/colourspace_matrix": " ".join(f"{entry:.9g}" for entry in command["colour"]["matrix"]),
    }
    return facts | ({"void/notice": engine.notice} if engine.notice else {})


def _keep(folder: Path, metadata: dict[str, Any], numbered: tuple[int, Frame]) -> dict[str, Any]:
    """Write a frame of the result and bring it to the disk; what there is to say of it. In a thread: disks are slow."""
    number, frame = numbered
    data = write_frame(frame.with_metadata(metadata))
    write_atomically(result_file(folder, number), data)
    return {"frame": number, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _read_commands(commands: queue.Queue[Message], cancellations: Cancellations) -> None:
    for message in messages(sys.stdin.buffer):
        if message["type"] == "cancel":
            cancellations.add(message["job"])
        else:
            cancellations.discard(message["job"])
            commands.put(message)
    # The front is gone, and the next one starts a worker of its own: two of them would not fit on a card.
    os._exit(0)


def _take_stdout(secrets: Secrets) -> Pipe:
    """The pipe to the front; whatever else prints to stdout goes to the log from now on."""
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return Pipe(stream, secrets.hide)


def _beat(pipe: Pipe) -> None:
    """Say that this process runs: also while a step takes long, and not where it is stopped or hangs."""
    try:
        while True:
            pipe.send("alive")
            time.sleep(ALIVE_EVERY)
    except OSError:
        return  # the front is gone, and this process about to be


def _get_ready(pipe: Pipe, options: str, masks: str, device: str) -> tuple[Engine, MaskTools]:
    """Load engine and tools, and do a first removal, so that no artist waits for what it takes. Raises CannotLoad."""
    started = time.monotonic()
    if device != "cpu" and not torch.cuda.is_available():
        built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPUs alone"
        raise CannotLoad(
            f"torch (built for {built}) can't use {device}: "
            "`void doctor` looks at the GPUs; --devices names others, or cpu"
        )
    engine = load_engine(EngineOptions.from_json(options))
    tools = load_mask_tools(MaskOptions.from_json(masks))

    def tell(state: str) -> None:
        pipe.send(state, engine=engine.name, notice=engine.notice, seconds=time.monotonic() - started)

    if isinstance(engine, WarmsUp):
        tell("warming")
        try:
            engine.warm_up()
        except Exception as error:  # whatever the first removal runs into, the next one would
            log.exception("the warm-up failed")
            raise CannotLoad(
                f"the weights are loaded, and the small removal that warms up {device} fails "
                f"({type(error).__name__}: {error}). Look for other programs on the GPU (`nvidia-smi`), take a leaner "
                "--plan (`void weights plan`), and see `void doctor`; the log has the details"
            ) from error
    tell("ready")
    return engine, tools


def main() -> None:
    """Load the engine, say so, and run jobs until the front is gone."""
    secrets = Secrets()
    pipe = _take_stdout(secrets)
    threading.Thread(target=_beat, args=(pipe,), daemon=True).start()
    level, form, options, masks, device = sys.argv[1:]
    tag = log_to_stderr(cast(LogLevel, level), cast(LogFormat, form), secrets)
    commands: queue.Queue[Message] = queue.Queue()
    cancellations = Cancellations()
    threading.Thread(target=_read_commands, args=(commands, cancellations), daemon=True).start()
    try:
        engine, tools = _get_ready(pipe, options, masks, device)
    except CannotLoad as error:
        pipe.send("fatal", message=str(error))
        return
    while True:
        command = commands.get()
        tag.running = command["job"]
        run_job(engine, tools, command, pipe, cancellations)
        tag.running = ""


if __name__ == "__main__":
    main()
