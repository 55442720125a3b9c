"""Handing a bake to the farm: the studio's own command, from the environment."""

from __future__ import annotations

import os
import shlex
import subprocess

from void_client.errors import BadInput
from void_client.sequences import FrameRange

VARIABLE = "VOID_FARM_SUBMIT"
SECONDS = 120


def command(script: str, node: str, frames: FrameRange) -> list[str]:
    """The studio's command with {script}, {node}, {first}, {last} filled in. Raises BadInput where there is none."""
    template = os.environ.get(VARIABLE, "").strip()
    if not template:
        raise BadInput(
            f"this Nuke does not know how to reach the farm: ask your TD to set {VARIABLE} to the command that "
            f"submits, with {{script}}, {{node}}, {{first}} and {{last}} in it. What it must run there is: "
            f"nuke -t void_bake.py {script} --node {node} --save"
        )
    facts = {"script": script, "node": node, "first": str(frames.first), "last": str(frames.last)}
    try:
        return [part.format(**facts) for part in shlex.split(template, posix=os.name != "nt")]
    except (KeyError, IndexError, ValueError) as error:
        raise BadInput(
            f"{VARIABLE} is `{template}`, which can't be filled in ({error}): ask your TD to mend it"
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
