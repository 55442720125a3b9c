"""A bake: what one node asked for, recorded on disk so that whoever comes after a crash can take it up.

    v003/job.json               what was asked for; as long as it is there, the bake is not finished
    v003/inputs/plate.1001.exr  what was rendered for it
    v003/plate.1001.exr         the result as it comes in
    v003/manifest.json          how it was made

A stereo bake has a folder for each view in `inputs` and in the result. Submitting is idempotent by the job's id, so
carrying out a bake anew goes on where it was, if the server still has the job, and starts over if it has not.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from . import __version__
from .client import Client, Job, Message
from .colour import Colour, linear_rec709
from .delivery import MANIFEST, Delivery, write_atomically
from .errors import BadInput, JobCancelled, JobFailed, VoidError
from .follow import follow
from .sequences import FileSequence, FrameRange

RECORD = "job.json"
INPUTS = "inputs"


@dataclass(frozen=True)
class Bake:
    """The jobs of one result: `ids` by view. `inputs` names what was rendered. `facts` go into the manifest.

    `farm`: the bundle that it was handed to; no Nuke takes it up then.
    """

    folder: Path
    ids: dict[str, str]
    frames: FrameRange
    inputs: tuple[str, ...]
    result: str
    prompt: str
    settings: dict[str, Any]
    label: str
    facts: dict[str, Any]
    hints: str = ""
    roto_keys: tuple[int, ...] | None = None
    colour: Colour = field(default_factory=linear_rec709)
    farm: str = ""

    @classmethod
    def new(cls, folder: Path, views: list[str], **described: Any) -> Bake:
        """A bake of these views with fresh job ids."""
        return cls(folder=folder, ids={view: uuid.uuid4().hex for view in views}, **described)

    @classmethod
    def read(cls, folder: Path) -> Bake:
        """The bake that a folder's record describes. Raises BadInput."""
        path = folder / RECORD
        try:
            fields = json.loads(path.read_text("utf-8"))
            first, last = fields.pop("frames")
            inputs, keys = tuple(fields.pop("inputs")), fields.pop("roto_keys")
            return cls(
                folder=folder,
                frames=FrameRange(first, last),
                inputs=inputs,
                roto_keys=None if keys is None else tuple(keys),
                **fields,
            )
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise BadInput(f"{path} can't be read as a bake ({error}): move that folder away and bake again") from error

    def write(self) -> None:
        """Record the bake in its folder."""
        fields = {**asdict(self), "frames": [self.frames.first, self.frames.last]}
        del fields["folder"]  # the record is in it, wherever that is by now
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / RECORD, (json.dumps(fields, indent=2) + "\n").encode())

    def discard(self) -> None:
        """Remove all of it, for a bake that has ended without a result."""
        (self.folder / RECORD).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def input(self, name: str, view: str) -> FileSequence:
        """Where one view of one input is rendered to."""
        return FileSequence(self._of_view(self.folder / INPUTS, view), f"{name}.%04d.exr")

    def output(self, view: str) -> FileSequence:
        """Where one view of the result goes."""
        return FileSequence(self._of_view(self.folder, view), f"{self.result}.%04d.exr")

    def _of_view(self, folder: Path, view: str) -> Path:
        return folder / view if len(self.ids) > 1 else folder

    def whole(self, view: str) -> bool:
        """Whether one view of the result is all there."""
        return (self.output(view).folder / MANIFEST).exists()

    def job(self, view: str) -> Job:
        """One view as a job for the server."""
        return Job(
            frames=self.frames,
            inputs={name: self.input(name, view) for name in self.inputs},
            prompt=self.prompt,
            settings=self.settings,
            label=self.label,
            result=self.result,
            hints=self.hints,
            roto_keys=self.roto_keys,
            colour=self.colour,
        )


def carry_out(
    bake: Bake,
    address: str,
    *,
    on_state: Callable[[str, Message], None] = lambda view, state: None,
    on_silence: Callable[[float], None] = lambda seconds: None,
    cancelled: Callable[[], bool] = lambda: False,
    priority: str = "interactive",
) -> None:
    """Send a bake, or take it up, and stay until its result is whole.

    `on_state(view, state)` hears of every change, `on_silence(seconds)` of a server that says nothing, as while it is
    restarted; `cancelled` is asked several times a second. `priority`: see Job. A bake that failed or was cancelled is
    removed from disk, unless it is a farm's, which tries again; one whose server is lost stays and can be carried out
    again. Several may carry out one bake at a time. Raises the errors of void_client.
    """
    try:
        for view in bake.ids:
            if not bake.whole(view):
                _carry_out_view(bake, view, address, on_state, on_silence, cancelled, priority)
    except (JobFailed, JobCancelled):
        if not bake.farm:
            bake.discard()
        raise
    shutil.rmtree(bake.folder / INPUTS, ignore_errors=True)
    for view in bake.ids:
        for left in bake.output(view).folder.glob("*.tmp"):  # of one that was killed while it wrote
            left.unlink(missing_ok=True)
    (bake.folder / RECORD).unlink(missing_ok=True)


def _carry_out_view(
    bake: Bake,
    view: str,
    address: str,
    on_state: Callable[[str, Message], None],
    on_silence: Callable[[float], None],
    cancelled: Callable[[], bool],
    priority: str,
) -> None:
    job, job_id = replace(bake.job(view), priority=priority), bake.ids[view]
    delivery = Delivery(bake.output(view), bake.frames, overwrite=True)
    with Client(address) as client:
        client.submit(job, job_id)
        try:
            state = follow(
                client,
                job_id,
                inputs=job.inputs,
                on_frame=delivery.write,
                on_state=lambda message: on_state(view, message),
                on_silence=on_silence,
                cancelled=cancelled,
            )
            delivery.keep_hints(state["hints"])
            delivery.finish(_manifest(bake, view, state["engine"], state["notices"]))
        except (JobFailed, JobCancelled):
            client.release(job_id)
            raise
        except (VoidError, OSError):
            if bake.whole(view):
                return  # another that followed this bake was faster, and the server has forgotten the job
            raise
        client.release(job_id)


def _manifest(bake: Bake, view: str, engine: str, notices: list[str]) -> dict[str, Any]:
    """How one view of the result was made."""
    return {
        **bake.facts,
        "first": bake.frames.first,
        "last": bake.frames.last,
        "views": list(bake.ids),
        "view": view,
        "prompt": bake.prompt,
        "settings": bake.settings,
        "colourspace": bake.colour,
        "result": bake.result,
        "job": bake.ids[view],
        "void": __version__,
        "engine": engine,
        "notices": notices,
    }
