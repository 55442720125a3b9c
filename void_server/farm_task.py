"""One shot of a bundle, as a task on a farm: through the session's server, onto disk, and not twice."""

from __future__ import annotations

from dataclasses import replace

from void_client.bake import RECORD, Bake, carry_out
from void_client.client import Client
from void_client.delivery import MANIFEST
from void_client.farm_shots import FileShot, NodeShot

from .batch.openjd import FarmDisplay
from .batch.record import MADE_FROM, Renewal, made_from, whole_result
from .colourspace import colour_of
from .run import facts_of, interrupts, take


def do_node(shot: NodeShot, server: str, display: FarmDisplay) -> bool:
    """Carry out a node's bake, its inputs being rendered. Whether there was anything to do.

    Raises the errors of void_client.
    """
    if not (shot.bake / RECORD).exists() and any(shot.bake.glob(f"**/{MANIFEST}")):
        return False
    with interrupts() as interrupted:
        carry_out(
            Bake.read(shot.bake),
            server,
            on_state=lambda view, state: display.show(state),
            on_silence=display.show_silence,
            cancelled=interrupted.is_set,
            priority="batch",
        )
    return True


def do_files(shot: FileShot, server: str, display: FarmDisplay, patience: float) -> bool:
    """Do a shot whose inputs are files, unless its result is there, made of the same. Whether there was anything to do.

    Raises the errors of void_client.
    """
    job = replace(shot.job(shot.name), colour=colour_of(shot))
    asked = made_from(job)
    if whole_result(shot.out, asked) is not None:
        return False
    delivery = Renewal(shot.out, job.frames, overwrite=True)
    delivery.refuse_inputs(job.inputs, job.frames)
    with Client(server) as client:
        sent = client.submit(job)
        facts = {**facts_of(job), MADE_FROM: asked}
        take(client, sent, delivery, display, facts, inputs=job.inputs, patience=patience)
    return True
