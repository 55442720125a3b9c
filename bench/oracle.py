"""An engine that knows the answer: what comes back of it is the loss of the plates' way there and back alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bench.scenes import TruthScene
from void_server.engine import RemovalRequest
from void_server.plates.resize import shrink


class Oracle:
    """Returns the true background without grain, cut and encoded as the request's clip was; keeps its requests."""

    name = "oracle"
    notice = ""

    def __init__(self, scene: TruthScene) -> None:
        self.scene = scene
        self.requests: list[RemovalRequest] = []

    def remove(self, request: RemovalRequest) -> npt.NDArray[np.float32]:
        """float32 [T, H, W, 3] in 0..1, the best that any model could answer."""
        self.requests.append(request)
        height, width = request.clip.shape[1:3]
        answer = np.empty_like(request.clip)
        for index, (frame, window) in enumerate(zip(request.frames, request.windows, strict=True)):
            seen = self.scene.truth(frame)[window.slices_in(self.scene.window)]
            answer[index] = request.curve.encode(shrink(seen, width, height))
        return answer
