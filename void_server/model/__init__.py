"""VOID's two diffusion passes: a clip and a quadmask go in, the clip without the object comes out.

In: a clip, float32 [T, h, w, 3] in 0..1, display-referred; a quadmask, uint8 [T, h, w]; a prompt; a PassSettings.
Out: a clip, float32 [T, H, W, 3] in 0..1, at the model's resolution.

Arrays in, arrays out: this package knows nothing of files of frames, colour spaces, sockets or jobs. Settings, errors
and the search for weights import no torch; VoidModel and Checkpoint do, the first time that they are named.
"""

from typing import TYPE_CHECKING, Any

from void_server.model.clip import BadClip
from void_server.model.errors import BadCheckpoint, OutOfMemory, is_out_of_memory
from void_server.model.settings import PassSettings
from void_server.model.weights import BadWeights, WeightsFolder

if TYPE_CHECKING:
    from void_server.model.checkpoint import Checkpoint
    from void_server.model.void_model import VoidModel

__all__ = [
    "BadCheckpoint",
    "BadClip",
    "BadWeights",
    "Checkpoint",
    "OutOfMemory",
    "PassSettings",
    "VoidModel",
    "WeightsFolder",
    "is_out_of_memory",
]


def __getattr__(name: str) -> Any:
    if name == "VoidModel":
        from void_server.model.void_model import VoidModel

        return VoidModel
    if name == "Checkpoint":
        from void_server.model.checkpoint import Checkpoint

        return Checkpoint
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
