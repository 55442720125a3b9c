"""`void farm bundle`: a script's nodes by way of Nuke, a timeline's shots directly, and what card they need."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from void_client.bake import Bake
from void_client.bundle import TEMPLATE, Bundle
from void_client.delivery import write_atomically
from void_client.errors import BadInput
from void_client.farm_shots import NodeShot, read_shots
from void_client.template import SHOTS

from .batch.prepare import Defaults, of_files
from .batch.timeline import BrokenShot, Edit, Shot

if TYPE_CHECKING:
    from .model.plan import Sizes

MIB = 2**20
# The plug-in is on Nuke's own path.
IN_NUKE = "import sys\nfrom void_nuke.farm_steps import make_bundle\nsys.exit(make_bundle(sys.argv[1:]))\n"


def bundle_script(script: Path, out: Path, *, nuke: str, nodes: list[str], comp: bool, weights: Path | None) -> None:
    """Have Nuke write the bundle of a script's nodes: it alone knows what they ask for. Raises BadInput."""
    if not script.is_file():
        raise BadInput(f"there is no script {script}: check the path")
    with tempfile.TemporaryDirectory(prefix="void-farm-") as folder:
        program = Path(folder) / "make_bundle.py"
        program.write_text(IN_NUKE, "utf-8")
        options = [f"--node={node}" for node in nodes] + ([] if comp else ["--no-comp"])
        options += [f"--weights={weights.absolute()}"] if weights else []
        # Nuke takes a number for itself where one stands last.
        command = [nuke, "-t", str(program), *options, f"--bundle={out.absolute()}", f"--script={script.absolute()}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise BadInput(
                f"Nuke can't be started as `{nuke}` ({error.strerror}): name the command with --nuke"
            ) from error
    if done.returncode:
        failures = [line for line in done.stdout.splitlines() if line.startswith("openjd_fail: ")]
        said = failures[-1].partition(": ")[2] if failures else (done.stderr or done.stdout).strip()[-2000:]
        raise BadInput(f"Nuke wrote no bundle (status {done.returncode}): {said}")


def bundle_timeline(edit: Edit, out: Path, results: Path, defaults: Defaults, weights: Path | None) -> None:
    """Write the bundle of a timeline's marked clips, each into a folder of its own under `results`.

    Clips that can't be done are named on stderr and left out. Raises BadInput where none is left.
    """
    for shot in edit.shots:
        if isinstance(shot, BrokenShot):
            print(f"void: {shot.name} is left out: {shot.reason}", file=sys.stderr)
    shots = [of_files(shot, results.absolute(), defaults) for shot in edit.shots if isinstance(shot, Shot)]
    if not shots:
        raise BadInput(f"no marked clip of {edit.path} can be done: mend what is said above, or the timeline")
    Bundle(f"VOID {edit.path.name}", tuple(shots), weights=weights and weights.absolute()).write(out)


def weigh_weights(weights: Path) -> Sizes:
    """How much memory the weights in a folder take; only headers are read. Raises BadInput."""
    from .model import BadWeights, WeightsFolder
    from .model.plan import weigh

    try:
        found = WeightsFolder.find(weights)
        return weigh(found.base, (found.pass1, found.pass2))
    except (BadWeights, OSError) as error:
        raise BadInput(f"{error} (--gpu-memory says what a card must have without a look at them)") from error


def needed_memory(out: Path, sizes: Sizes, plan: str) -> int:
    """MiB of a card for the bundle's largest shot, as `void weights plan` reckons."""
    from .model.plan import Shape, plans

    peaks = []
    for shot in read_shots(out / SHOTS).values():
        settings = Bake.read(shot.bake).settings if isinstance(shot, NodeShot) else shot.settings
        shape = Shape(**{name: settings[name] for name in ("height", "width", "window") if name in settings})
        peaks += [way.peak for way in plans(sizes, shape) if way.name == plan]
    return -(-max(peaks) // MIB)


def require_memory(out: Path, mebibytes: int) -> None:
    """Have the bundle's Void step ask for cards with so much."""
    file = out / TEMPLATE
    template = json.loads(file.read_text("utf-8"))
    for step in template["steps"]:
        for amount in step.get("hostRequirements", {}).get("amounts", []):
            if amount["name"] == "amount.worker.gpu.memory":
                amount["min"] = mebibytes
    write_atomically(file, (json.dumps(template, indent=2) + "\n").encode())
