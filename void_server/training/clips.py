"""A show's own pairs on disk, in the folders that VOID's published data pipelines write.

One folder a pair: rgb_full.mp4 (with the object), rgb_removed.mp4 (as it would have been without), mask.mp4 (the
quadmask as grey, lossless) and metadata.json. rgb_altered_physics.mp4 is read where rgb_removed.mp4 is absent: the
published pipeline for rigid bodies names it so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray

from void_server.model import BadClip
from void_server.model.conditioning import quantise, resize_area
from void_server.training.layout import write_json
from void_server.training.pairs import Pair

FULL, MASK, METADATA = "rgb_full.mp4", "mask.mp4", "metadata.json"
REMOVED = ("rgb_removed.mp4", "rgb_altered_physics.mp4")
FRAMES_PER_SECOND = 12  # of the published data


class ClipFolder:
    """The pairs of a folder by number; number n is clip n modulo the count, from a frame that the number decides."""

    def __init__(self, folder: Path, *, frames: int, height: int, width: int) -> None:
        """Raises BadClip where no subfolder has a pair."""
        self._folders = sorted(full.parent for full in folder.glob(f"*/{FULL}"))
        self._frames, self._size = frames, (height, width)
        if not self._folders:
            raise BadClip(f"no subfolder of {folder} has {FULL}; give each clip a folder: see docs/training.md")

    def __len__(self) -> int:
        return len(self._folders)

    def __call__(self, number: int) -> Pair:
        """Clips [T, h, w, 3] of this folder's frames and size. Raises BadClip, naming the file."""
        folder = self._folders[number % len(self._folders)]
        pair = read_pair(folder)
        spare = len(pair.without) - self._frames
        if spare < 0:
            raise BadClip(f"{folder} has {len(pair.without)} frames and {self._frames} are wanted; leave it out")
        start = int(np.random.default_rng(number).integers(spare + 1))
        return _cut(pair, slice(start, start + self._frames), *self._size, seed=number)


def read_pair(folder: Path) -> Pair:
    """All of a clip at its own size; nothing is known of what moved. Raises BadClip."""
    removed = next((folder / name for name in REMOVED if (folder / name).is_file()), folder / REMOVED[0])
    full, without = (_read(path, "rgb24") for path in (folder / FULL, removed))
    mask = _read(folder / MASK, "gray")
    if not full.shape[:3] == without.shape[:3] == mask.shape:
        raise BadClip(
            f"the clips in {folder} are {full.shape[:3]}, {without.shape[:3]} and {mask.shape} (frames, height, "
            f"width); render {FULL}, {removed.name} and {MASK} alike"
        )
    quadmask = quantise(torch.from_numpy(mask).float()).numpy()
    nothing = np.zeros(mask.shape, np.float32)
    nowhere = np.full((len(mask), 2), np.nan)
    clips = [np.divide(clip, 255, dtype=np.float32) for clip in (full, without)]
    return Pair("plain", 0, clips[0], clips[1], quadmask, quadmask < 127, nothing, nothing, nowhere)


def write_pair(folder: Path, pair: Pair, metadata: Mapping[str, Any]) -> None:
    """A pair in the published layout; colours lose about what 8 bits and light compression take."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, clip in ((FULL, pair.with_object), (REMOVED[0], pair.without)):
        _write(folder / name, np.rint(clip * 255).astype(np.uint8), "rgb24")
    _write(folder / MASK, pair.quadmask, "gray")
    write_json(folder / METADATA, metadata)


def read_metadata(folder: Path) -> dict[str, Any]:
    """What metadata.json says, or nothing where it is absent."""
    path = folder / METADATA
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _cut(pair: Pair, span: slice, height: int, width: int, *, seed: int) -> Pair:
    def fitted(clip: NDArray[Any]) -> NDArray[np.float32]:
        frames = torch.from_numpy(clip[span].astype(np.float32))
        channels = frames.permute(0, 3, 1, 2) if frames.dim() == 4 else frames[:, None]
        small = resize_area(channels, height, width).permute(0, 2, 3, 1)
        return (small if frames.dim() == 4 else small[..., 0]).contiguous().numpy()

    quadmask = quantise(torch.from_numpy(fitted(pair.quadmask))).numpy()
    nothing = np.zeros(quadmask.shape, np.float32)
    nowhere = pair.centres[span]
    full, without = fitted(pair.with_object), fitted(pair.without)
    return Pair(pair.kind, seed, full, without, quadmask, quadmask < 127, nothing, nothing, nowhere)


def _read(path: Path, pixels: str) -> NDArray[np.uint8]:
    try:
        with av.open(path) as film:
            frames = [frame.to_ndarray(format=pixels) for frame in film.decode(video=0)]
    except (OSError, av.FFmpegError, IndexError) as error:
        raise BadClip(f"{path} cannot be read ({error}); render it again as an mp4") from error
    if not frames:
        raise BadClip(f"{path} has no frames; render it again")
    return np.stack(frames)


def _write(path: Path, frames: NDArray[np.uint8], pixels: str) -> None:
    with av.open(path, "w") as film:
        lossless = pixels == "gray"
        stream = film.add_stream("libx264", FRAMES_PER_SECOND, options={"crf": "0" if lossless else "8"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels if lossless else "yuv444p"
        for frame in frames:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format=pixels)))
        film.mux(stream.encode())
