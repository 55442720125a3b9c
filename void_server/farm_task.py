"""One shot of a bundle, as a task on a farm: through the session's server, onto disk, and not twice."""

from __future__ import annotations

from void_client.bake import RECORD, Bake, carry_out
from void_client.delivery import MANIFEST
from void_client.farm_shots import NodeShot

from .batch.openjd import FarmDisplay
from .run import interrupts


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
