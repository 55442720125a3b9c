"""A job bundle: the folder that a farm is handed, as AWS Deadline Cloud and `openjd run` read it.

    template.json            the steps; nothing absolute is in it
    parameter_values.json    where script and weights are
    asset_references.json    every file that is read, every folder that is written: for farms that carry them along
    shots.json               what each shot is made of; its paths are mapped where they are read

https://docs.aws.amazon.com/deadline-cloud/latest/developerguide/build-job-bundle.html
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .delivery import write_atomically
from .errors import BadInput
from .farm_shots import FarmShot, as_json
from .sequences import FrameRange
from .template import SHOTS, job_template

TEMPLATE = "template.json"
VALUES = "parameter_values.json"
ASSETS = "asset_references.json"

# MiB that a card must have where nobody has worked it out from the weights: the published ones, held by the plan
# `swap`, at the usual size (docs/weights.md: 13.5 GiB).
USUAL_GPU_MEMORY = 14 * 1024


@dataclass(frozen=True)
class Bundle:
    """A farm job, not yet written. `script`: the .nk whose nodes the shots are; `reads`: files that Nuke reads.

    rendered, comp: the frames of the steps RenderInputs and Comp, None without the step. weights: the folder on the
    workers, None as their environment says. gpu_memory: MiB.
    """

    name: str
    shots: tuple[FarmShot, ...]
    gpu_memory: int = USUAL_GPU_MEMORY
    script: Path | None = None
    reads: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()
    rendered: FrameRange | None = None
    comp: FrameRange | None = None
    weights: Path | None = None

    def write(self, folder: Path) -> Path:
        """Make the folder, which must be new or empty. Returns it. Raises BadInput."""
        template = job_template(
            self.name,
            [shot.name for shot in self.shots],
            gpu_memory=self.gpu_memory,
            script=self.script.name if self.script else "",
            rendered=self.rendered,
            comp=self.comp,
        )
        files = {
            TEMPLATE: template,
            VALUES: {"parameterValues": [{"name": name, "value": value} for name, value in self._values().items()]},
            ASSETS: self._assets(),
            SHOTS: {"shots": {shot.name: as_json(shot) for shot in self.shots}},
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise BadInput(f"{folder} is not empty, and a bundle is never written over: name a new folder")
            for name, content in files.items():
                write_atomically(folder / name, (json.dumps(content, indent=2) + "\n").encode())
        except OSError as error:
            raise BadInput(f"the bundle {folder} can't be written ({error.strerror}): choose another folder") from error
        return folder

    def _values(self) -> dict[str, str]:
        given = {"Script": self.script, "Weights": self.weights}
        return {name: path.as_posix() for name, path in given.items() if path}

    def _assets(self) -> dict[str, Any]:
        """Files that are there now, so that what is missing fails its own shot and not the submission."""
        reads = {path for shot in self.shots for path in shot.reads()}.union(self.reads)
        writes = {shot.folder for shot in self.shots}.union(self.writes)
        return {
            "assetReferences": {
                "inputs": {"filenames": _texts(path for path in reads if path.is_file()), "directories": []},
                "outputs": {"directories": _texts(writes)},
                "referencedPaths": [],
            }
        }


def _texts(paths: Iterable[Path]) -> list[str]:
    return sorted(path.as_posix() for path in paths)


def commands(folder: Path) -> str:
    """What to type next: a line for Deadline Cloud, and one a step for a try on this machine."""
    values = json.loads((folder / VALUES).read_text("utf-8"))["parameterValues"]
    given = "".join(f" -p {shlex.quote(value['name'] + '=' + value['value'])}" for value in values)
    last = json.loads((folder / TEMPLATE).read_text("utf-8"))["steps"][-1]["name"]
    path = shlex.quote(folder.as_posix())
    template = shlex.quote((folder / TEMPLATE).as_posix())
    return f"deadline bundle submit {path}\nopenjd run {template} --step {last} --run-dependencies{given}"
