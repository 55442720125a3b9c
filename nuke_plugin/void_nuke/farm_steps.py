"""What Nuke does for a farm, each a `nuke -t` of its own: write the bundle, render inputs, show results in a copy.

Progress and failures are Open Job Description's lines on stdout; exit status 0 done, 1 failed, 2 bad usage or input.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nuke
from void_client.bake import INPUTS, Bake
from void_client.errors import BadInput, VoidError
from void_client.farm_shots import FarmShot, NodeShot, read_shot, read_shots
from void_client.openjd import failures, say
from void_client.path_mapping import Rule, mapped, read_rules
from void_client.sequences import FrameRange

from .farm import write_bundle
from .fingerprint import difference, fingerprint
from .inputs import render_inputs as render
from .result import show_version
from .snapshot import take
from .terminal import chosen, open_script
from .versions import file_text, read_version


def make_bundle(arguments: list[str]) -> int:
    """The nodes of a script into a bundle, and the script's Writes too where there are any."""
    parser = argparse.ArgumentParser(prog="void farm bundle")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--node", action="append", default=[])
    parser.add_argument("--no-comp", action="store_true")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--script", required=True)
    options = parser.parse_args(arguments)

    def work() -> None:
        open_script(options.script)
        writes = [write for write in nuke.allNodes("Write", nuke.root(), True) if not write["disable"].value()]
        root = nuke.root()
        comp = FrameRange(root.firstFrame(), root.lastFrame()) if writes and not options.no_comp else None
        write_bundle(chosen(options.node), options.bundle, comp=comp, weights=options.weights)

    return _reported("the bundle", work)


def render_inputs(arguments: list[str]) -> int:
    """One node's inputs for some frames, into its version's folder; what is there already is left alone."""
    parser = _parser("RenderInputs")
    parser.add_argument("--shot", required=True)
    parser.add_argument("--frames", required=True)
    options = parser.parse_args(arguments)

    def work() -> None:
        rules = read_rules(options.path_mapping)
        shot = _of_node(read_shot(options.shots, options.shot, rules))
        asked = FrameRange.parse(options.frames)
        first, last = max(asked.first, shot.frames.first), min(asked.last, shot.frames.last)
        if first > last or read_version(shot.bake):
            say("status", "nothing to render")
            return
        bake = _of_frames(Bake.read(shot.bake), FrameRange(first, last))
        if all(path.exists() for path in _files(bake)):
            say("status", f"{shot.name} {bake.frames} was rendered before")
            return
        open_script(options.script)
        (node,) = chosen([shot.name])
        reason = difference(bake.facts["fingerprint"], fingerprint(node, files=False))
        if reason:
            raise BadInput(f"{reason} since the bundle was written: write it anew")
        _map_files(rules)
        _render_apart(node, bake)

    return _reported(options.shot, work)


def show_results(arguments: list[str]) -> int:
    """A copy of the script whose nodes show what the farm has baked, for `nuke -x`."""
    parser = _parser("Comp")
    parser.add_argument("--copy", type=Path, required=True)
    options = parser.parse_args(arguments)

    def work() -> None:
        rules = read_rules(options.path_mapping)
        open_script(options.script)
        # What is relative to the script's folder stays so in the copy.
        project = nuke.root()["project_directory"]
        assert isinstance(project, nuke.File_Knob)
        if project.value():
            project.setValue(file_text(Path(mapped(str(project.evaluate()), rules))))
        _map_files(rules)
        for shot in read_shots(options.shots, rules).values():
            (node,) = chosen([shot.name])
            version = read_version(_of_node(shot).bake)
            if version is None:
                raise BadInput(f"{shot.name} is not baked: {shot.folder} has no whole result. Run its task again")
            show_version(node, version)
        nuke.scriptSaveAs(options.copy.as_posix(), overwrite=1)

    return _reported(Path(options.script).name, work)


def _parser(step: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"nuke -t ({step})")
    parser.add_argument("--shots", type=Path, required=True, help="the bundle's shots.json")
    parser.add_argument("--path-mapping", type=Path, help="the session's path mapping rules")
    parser.add_argument("--script", required=True, help="the .nk file")
    return parser


def _reported(what: str, work: Callable[[], None]) -> int:
    """Do it; the exit status, and on stdout why it failed."""
    try:
        with failures(what):
            work()
    except VoidError as error:
        return error.exit_code
    return 0


def _of_node(shot: FarmShot) -> NodeShot:
    if not isinstance(shot, NodeShot):
        raise BadInput(f"{shot.name} is made of files: Nuke has nothing to do for it")
    return shot


def _of_frames(bake: Bake, frames: FrameRange) -> Bake:
    """The part of a bake that some frames are; a roto that is painted on none of them is no input of it."""
    if bake.roto_keys is None:
        return replace(bake, frames=frames)
    keys = tuple(key for key in bake.roto_keys if key in frames)
    inputs = tuple(name for name in bake.inputs if name != "roto" or keys)
    return replace(bake, frames=frames, roto_keys=keys, inputs=inputs)


def _files(bake: Bake) -> list[Path]:
    """Every file that rendering a bake's inputs makes."""
    return [
        bake.input(name, view).path(frame)
        for name in bake.inputs
        for view in bake.ids
        for frame in (bake.roto_keys if name == "roto" and bake.roto_keys else bake.frames)
    ]


def _render_apart(node: nuke.Group, bake: Bake) -> None:
    """Render into a folder beside, then move: a task that is killed leaves no half frame under a frame's name."""
    (bake.folder / INPUTS).mkdir(parents=True, exist_ok=True)
    apart = replace(bake, folder=Path(tempfile.mkdtemp(prefix="part-", dir=bake.folder / INPUTS)))
    try:
        render(node, take(node), apart)
        for source, target in zip(_files(apart), _files(bake)):
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
    finally:
        shutil.rmtree(apart.folder, ignore_errors=True)


def _map_files(rules: tuple[Rule, ...]) -> None:
    """Every file that the script names, as it is here."""
    if not rules:
        return
    for node in nuke.allNodes(group=nuke.root(), recurseGroups=True):
        for knob in node.knobs().values():
            if isinstance(knob, nuke.File_Knob):
                text = str(knob.value() or "")
                here = mapped(text, rules)
                if here != text:
                    knob.setValue(here)
