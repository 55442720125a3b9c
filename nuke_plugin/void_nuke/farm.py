"""Handing bakes to the farm: a job bundle beside the script, and the studio's own command, from the environment."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nuke
from void_client.bake import Bake
from void_client.bundle import USUAL_GPU_MEMORY, Bundle
from void_client.errors import BadInput
from void_client.farm_shots import NodeShot
from void_client.sequences import FileSequence, FrameRange

from .bake import new_bake
from .fingerprint import upstream
from .node import is_void, unrecorded
from .snapshot import Snapshot, take

VARIABLE = "VOID_FARM_SUBMIT"
MEMORY = "VOID_FARM_GPU_MEMORY"
SECONDS = 120


def write_bundle(
    nodes: list[nuke.Group], folder: Path, *, comp: FrameRange | None = None, weights: Path | None = None
) -> Path:
    """Reserve each node's next version and write the bundle that makes them. Raises BadInput; nothing is left then.

    comp: the frames that the script's Writes are to be rendered for afterwards, None for none of it.
    """
    _refuse_chains(nodes)
    bakes: list[Bake] = []
    shots = []
    try:
        for node in nodes:
            snapshot = take(node)
            bake = new_bake(snapshot, "plate", farm=folder.name)
            bakes.append(bake)
            bake.write()
            shots.append(NodeShot(snapshot.node, snapshot.frames, bake.folder))
        bundle = Bundle(
            name=f"VOID {Path(nuke.root().name()).name} {', '.join(shot.name for shot in shots)}",
            shots=tuple(shots),
            gpu_memory=gpu_memory(),
            script=Path(nuke.root().name()),
            reads=tuple(_read_files(nuke.allNodes("Read", nuke.root(), True) if comp else _above(nodes))),
            writes=tuple(_write_folders() if comp else ()),
            rendered=FrameRange(min(shot.frames.first for shot in shots), max(shot.frames.last for shot in shots)),
            comp=comp,
            weights=weights,
        )
        bundle.write(folder)
    except BaseException:
        for bake in bakes:
            bake.discard()
        raise
    for node, bake in zip(nodes, bakes):
        with unrecorded(unmodified=True):
            node["void_job"].setValue(next(iter(bake.ids.values())))
    return folder


def gpu_memory() -> int:
    """MiB that a card must have: the environment's GiB, else what the published weights need. Raises BadInput."""
    text = os.environ.get(MEMORY, "").strip()
    try:
        return round(float(text) * 1024) if text else USUAL_GPU_MEMORY
    except ValueError as error:
        raise BadInput(f"{MEMORY} is `{text}`, which is no number of GiB: ask your TD to mend it") from error


def bundle_folder(snapshot: Snapshot) -> Path:
    """Where the node's button puts the next bundle: beside the script, under a name that is not taken."""
    script = Path(snapshot.facts["script"])
    number = 1
    while (folder := script.parent / f"{script.stem}.{snapshot.node}.farm{number:03d}").exists():
        number += 1
    return folder


def _refuse_chains(nodes: list[nuke.Group]) -> None:
    """Raise BadInput where one node is baked from another's result, which is not there when inputs are rendered."""
    for node in nodes:
        for above in _above([node]):
            if is_void(above) and any(above.fullName() == other.fullName() for other in nodes):
                raise BadInput(
                    f"{node.fullName()} is made from the result of {above.fullName()}, and one farm job bakes them "
                    f"side by side: send {above.fullName()} first, and {node.fullName()} when it shows its result"
                )


def _above(nodes: list[nuke.Group]) -> Iterator[nuke.Node]:
    """What the nodes' inputs depend on."""
    for node in nodes:
        for index in range(node.inputs()):
            yield from upstream(node.input(index))


def _read_files(nodes: Iterator[nuke.Node] | list[nuke.Node]) -> Iterator[Path]:
    """Every file of the Reads among them."""
    for node in nodes:
        name = nuke.filename(node) if node.Class() == "Read" else None
        if name:
            files = FileSequence(Path(name).parent, Path(name).name)
            yield from (files.path(frame) for frame in range(node.firstFrame(), node.lastFrame() + 1))


def _write_folders() -> Iterator[Path]:
    """Where the script's enabled Writes write to, those inside VOID nodes apart."""
    for write in nuke.allNodes("Write", nuke.root(), True):
        name = nuke.filename(write)
        if name and not write["disable"].value():
            yield Path(name).parent


def asked_command() -> str:
    """The studio's own command, empty where there is none."""
    return os.environ.get(VARIABLE, "").strip()


def command(script: str, node: str, frames: FrameRange, bundle: Path | None) -> list[str]:
    """The studio's command with {script}, {node}, {first}, {last}, {bundle} filled in. Raises BadInput."""
    facts = {"script": script, "node": node, "first": str(frames.first), "last": str(frames.last)}
    if bundle:
        facts["bundle"] = bundle.as_posix()
    try:
        return [part.format(**facts) for part in shlex.split(asked_command(), posix=os.name != "nt")]
    except (KeyError, IndexError, ValueError) as error:
        raise BadInput(
            f"{VARIABLE} is `{asked_command()}`, which can't be filled in ({error}): ask your TD to mend it"
        ) from error


def submit(command: list[str]) -> str:
    """Run it and return what it says. Raises BadInput where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInput(f"the farm was not reached ({error}): ask your TD about {VARIABLE}") from error
    if done.returncode:
        raise BadInput(f"the farm refused (status {done.returncode}): {(done.stderr or done.stdout).strip()[-500:]}")
    return f"submitted. {done.stdout.strip()[-500:]}"
