"""SAM 2 asked frame by frame, over transformers' own session for it."""

from __future__ import annotations

import itertools
from bisect import bisect
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from transformers import Sam2VideoInferenceSession
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceCache

from void_server.masks.propagate import Mask, OnFrame

# ImageNet's, which SAM 2 was trained with.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class Route:
    """Which frames of an object the model is asked for, in each direction."""

    def __init__(self, mattes: Mapping[int, Mask], count: int) -> None:
        self.mattes = {frame: mattes[frame] for frame in sorted(mattes)}
        # Nothing is carried from a frame on which the object isn't.
        self._seen = [frame for frame, matte in self.mattes.items() if matte.any()]
        open_frames = [frame for frame in range(count) if frame not in mattes] if self._seen else []
        onward = [frame for frame in open_frames if self.takes(frame, reverse=False)]
        back = [frame for frame in open_frames if self.takes(frame, reverse=True)]
        # As far as answers are taken; what lies on the way there is memory for what follows.
        self._onward = {frame for frame in open_frames if onward and self._seen[0] < frame <= onward[-1]}
        self._back = {frame for frame in open_frames if back and back[0] <= frame < self._seen[-1]}

    def asked(self, *, reverse: bool) -> set[int]:
        """The frames that this direction goes through: none of them painted."""
        return self._back if reverse else self._onward

    def takes(self, frame: int, *, reverse: bool) -> bool:
        """Whether this direction's answer counts on a frame: the nearer matte with anything in it lies that way."""
        at = bisect(self._seen, frame)
        since = frame - self._seen[at - 1] if at else np.inf
        until = self._seen[at] - frame if at < len(self._seen) else np.inf
        return bool(until < since) if reverse else bool(since <= until)


class Track:
    """One object in a session of its own.

    One session for several objects would do for objects painted on the same frames alone: on a frame painted for one
    of them, transformers tracks the others at once, out of order, or fails for want of their painted frames.
    """

    def __init__(self, model: Any, route: Route, frames: Frames, cache: Any) -> None:
        self._route = route
        self._model = model
        self._session = Sam2VideoInferenceSession(
            inference_device=frames.device,
            inference_state_device=frames.device,
            video_storage_device=frames.device,
            dtype=frames.dtype,
        )
        self._session.processed_frames = frames
        self._session.cache = cache  # shared, so that a frame is encoded once for all objects
        self._object = self._session.obj_id_to_idx(1)
        config = model.config
        self._reach = max(config.num_maskmem, config.max_object_pointers_in_encoder) - 1

    def show(self, frame: int) -> None:
        """Show the model this object's matte of a frame, if that is painted."""
        if frame not in self._route.mattes:
            return
        matte = torch.from_numpy(self._route.mattes[frame].astype(np.float32))[None, None]
        size = (self._model.config.image_size,) * 2
        square = F.interpolate(matte, size, mode="bilinear", align_corners=False, antialias=True) >= 0.5
        self._session.add_mask_inputs(self._object, frame, square)
        # Only the first frame that is run after this takes its matte as given, so each is run at once.
        self._session.obj_with_new_inputs = [1]
        self._run(frame, reverse=False, painted=True)

    def ask(self, frame: int, *, reverse: bool) -> torch.Tensor | None:
        """The model's answer on a frame, [1, 1, S/4, S/4], above 0 where the object is; None where it isn't needed."""
        if frame not in self._route.asked(reverse=reverse):
            return None
        logits = self._run(frame, reverse=reverse, painted=False)
        memories = self._outputs(painted=False)
        for other in [other for other in memories if abs(other - frame) >= self._reach]:
            del memories[other]
        return logits if self._route.takes(frame, reverse=reverse) else None

    def turn(self) -> None:
        """Forget all but the painted frames, so that neither direction knows of the other."""
        self._outputs(painted=False).clear()

    def close(self) -> None:
        """Let go of everything."""
        self._session.reset_inference_session()

    def _run(self, frame: int, *, reverse: bool, painted: bool) -> torch.Tensor:
        logits: torch.Tensor = self._model(self._session, frame_idx=frame, reverse=reverse).pred_masks
        stored = self._outputs(painted=painted)[frame]
        # What is looked at later is the memory and the pointer; these are the larger part.
        del stored["pred_masks"], stored["high_res_masks"]
        return logits

    def _outputs(self, *, painted: bool) -> dict[int, dict[str, torch.Tensor]]:
        kind = "cond_frame_outputs" if painted else "non_cond_frame_outputs"
        outputs: dict[int, dict[str, torch.Tensor]] = self._session.output_dict_per_obj[self._object][kind]
        return outputs


class Frames(Mapping[int, torch.Tensor]):
    """The clip as SAM 2 sees it, [3, S, S] a frame, made when it is asked for."""

    def __init__(self, clip: npt.NDArray[np.float32], size: int, device: torch.device, dtype: torch.dtype) -> None:
        self.device = device
        self.dtype = dtype
        self._clip = clip
        self._size = (size, size)
        self._mean, self._deviation = (torch.tensor(v, device=device).view(3, 1, 1) for v in (MEAN, DEVIATION))

    def __getitem__(self, frame: int) -> torch.Tensor:
        picture = torch.tensor(self._clip[frame], device=self.device).permute(2, 0, 1)[None]
        square = F.interpolate(picture, self._size, mode="bilinear", align_corners=False, antialias=True)[0]
        return ((square - self._mean) / self._deviation).to(self.dtype)

    def __len__(self) -> int:
        return len(self._clip)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self._clip)))


def carry_along(
    model: Any, clip: npt.NDArray[np.float32], routes: list[Route], result: Mask, on_frame: OnFrame
) -> None:
    """Add what the model finds along `routes` to `result`, frame by frame for all objects."""
    device = next(model.parameters()).device
    frames = Frames(clip, model.config.image_size, device, model.dtype)
    cache = Sam2VideoInferenceCache(device, device)
    tracks = [Track(model, route, frames, cache) for route in routes]
    shown = sorted({frame for route in routes for frame in route.mattes})
    ways = {reverse: _way(routes, reverse=reverse) for reverse in (False, True)}
    total = len(shown) + len(ways[False]) + len(ways[True])
    done = itertools.count(1)
    try:
        for frame in shown:
            for track in tracks:
                track.show(frame)
            on_frame(next(done), total)
        for reverse, way in ways.items():
            for track in tracks:
                track.turn()
            for frame in way:
                for track in tracks:
                    logits = track.ask(frame, reverse=reverse)
                    if logits is not None:
                        result[frame] |= _as_mask(logits, *result.shape[1:])
                on_frame(next(done), total)
    finally:  # also where an exception's traceback holds on to this frame
        for track in tracks:
            track.close()


def _way(routes: list[Route], *, reverse: bool) -> list[int]:
    """The frames that any object needs in this direction, in its order."""
    return sorted(set().union(*(route.asked(reverse=reverse) for route in routes)), reverse=reverse)


def _as_mask(logits: torch.Tensor, height: int, width: int) -> Mask:
    """The model's answer [1, 1, s, s] at the clip's size."""
    large = F.interpolate(logits.float(), (height, width), mode="bilinear", align_corners=False)
    mask: Mask = (large[0, 0] > 0).cpu().numpy()
    return mask
