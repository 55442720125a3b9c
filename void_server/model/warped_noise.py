"""Gaussian noise carried along motion, still white in every frame (Go-with-the-Flow, arXiv 2501.08331).

Pass 2 starts from noise that follows pass 1's result, so that what the noise becomes moves with the picture. A state is
a grid of cells, each with C noise values and a weight. In a step, every cell sends a particle along the flow, and a
cell that no particle reaches pulls a copy from where the flow says it came. A source cell's particle and copies form a
group, among which its noise is split; particles that meet in a cell are merged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from void_server.model.clip import padded_frame_indices
from void_server.model.flow import FlowEstimator
from void_server.model.settings import FRAMES_PER_LATENT

WarpMode = Literal["exact", "reference"]

CELLS_PER_LATENT = 32  # fine enough that a latent's noise follows motion of a 32nd of it
REFERENCE_SIZE = (480, 720)
REFERENCE_FRAMES = 72


@dataclass(frozen=True)
class _Trace:
    """Where a flow takes N cells. Slots: particles 0 ... N-1, by source; pulled copies N ... 2N-1, by cell."""

    landing: torch.Tensor  # int64 [N]: the cell that each particle lands on
    arrivals: torch.Tensor  # int64 [N]: particles that land on each cell
    group: torch.Tensor  # int64 [2N]: the source cell of each slot, N for the group of fresh noise
    size: torch.Tensor  # int64 [N + 1]: slots in each group
    used: torch.Tensor  # bool [2N]: whether the slot ends in a cell


def warp_step(
    noise: torch.Tensor,
    weight: torch.Tensor,
    flow: torch.Tensor,
    fresh: torch.Tensor | None = None,
    generator: torch.Generator | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Carry a noise state one frame on.

    noise: [C, H, W], unit variance. weight: [H, W], how much noise each cell has gathered, 1 at the start.
    flow: [2, H, W], forward, (dx, dy) in cells. fresh: N(0, 1), [C, H, 2W]: the left half belongs to the particle that
    leaves each cell, the right half to the copy that each cell may pull; drawn from `generator` where None.
    Returns the new noise and weight, of the same shapes and dtype. On the CPU the same generator gives the same bits.
    """
    channels, height, width = noise.shape
    rows = noise.reshape(channels, -1).T.contiguous()  # a cell's channels side by side: a gather reads one cache line
    fresh_rows = None
    if fresh is not None:
        halves = (fresh[..., :width], fresh[..., width:])
        fresh_rows = torch.cat([half.reshape(channels, -1).T for half in halves]).to(rows.dtype)
    rows, flat = warp_rows(rows, weight.reshape(-1), flow, fresh_rows, generator)
    return rows.T.reshape(channels, height, width).contiguous(), flat.reshape(height, width)


def warp_rows(
    rows: torch.Tensor,
    weight: torch.Tensor,
    flow: torch.Tensor,
    fresh: torch.Tensor | None = None,
    generator: torch.Generator | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """`warp_step` with channels last: rows [H*W, C], weight [H*W], flow [2, H, W], fresh [2*H*W, C]."""
    way = _trace(flow)
    cells = len(rows)
    slots, deviations = _split(way, rows, fresh, generator)

    # One slot for each cell: the particle where there is one (any, where several), else the pulled copy.
    slot = torch.arange(cells, 2 * cells)
    slot[way.landing] = torch.arange(cells)
    moved = _inherited(way, rows, slot)
    slot_weight = _inherited(way, weight, slot, power=1.0, fresh=1.0)
    position = torch.full((2 * cells,), -1)
    position[slots] = torch.arange(len(slots))
    split = position[slot] >= 0
    moved[split] += deviations[position[slot[split]]]

    crowded = way.arrivals > 1
    if bool(crowded.any()):
        particles = torch.nonzero(crowded[way.landing])[:, 0]
        values = _inherited(way, rows, particles)
        split = position[particles] >= 0
        values[split] += deviations[position[particles[split]]]
        masses = _inherited(way, weight, particles, power=1.0, fresh=1.0)
        moved[crowded], slot_weight[crowded] = _merge(values, masses, way.landing[particles], crowded)
    return moved, (slot_weight / slot_weight.mean() + 1e-5) ** 0.9999


def _trace(flow: torch.Tensor) -> _Trace:
    """Follow a flow [2, H, W]; coordinates are rounded half to even, and particles that leave start anew at home."""
    height, width = flow.shape[1:]
    cells = height * width
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")

    def cell_at(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        return (y * width + x).reshape(-1), inside.reshape(-1)

    _, stays = cell_at((column + flow[0]).round().long(), (row + flow[1]).round().long())
    target, exists = cell_at(column + flow[0].round().long(), row + flow[1].round().long())
    alive = stays & exists  # the two roundings can differ where a coordinate ends in .5
    home = torch.arange(cells)
    landing = torch.where(alive, target, home)
    arrivals = torch.bincount(landing, minlength=cells)

    source, inside = cell_at((column - flow[0]).round().long(), (row - flow[1]).round().long())
    pulls = arrivals == 0
    group = torch.cat([torch.where(alive, home, cells), torch.where(pulls & inside, source, cells)])
    used = torch.cat([torch.ones(cells, dtype=torch.bool), pulls])
    return _Trace(landing, arrivals, group, torch.bincount(group, minlength=cells + 1), used)


def _inherited(
    way: _Trace, state: torch.Tensor, slots: torch.Tensor, *, power: float = 0.5, fresh: float = 0.0
) -> torch.Tensor:
    """Each slot's share of its group's state, state / size ** power; the group of fresh noise starts from `fresh`."""
    group = way.group[slots]
    old = group < len(state)
    share = way.size[group].to(state.dtype) ** -power
    inherited = state[group.clamp(max=len(state) - 1)]
    inherited[~old] = fresh
    inherited *= share.view(-1, *[1] * (state.ndim - 1))
    return inherited


def _split(
    way: _Trace, rows: torch.Tensor, fresh: torch.Tensor | None, generator: torch.Generator | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The slots that share a group with others, and the fresh noise of each less the mean over its group."""
    cells, channels = rows.shape
    slots = torch.nonzero(way.used & (way.size[way.group] > 1))[:, 0]
    idle = ~way.used  # all of them belong to the group of fresh noise and count in its mean
    if fresh is None:
        drawn = torch.randn(len(slots), channels, generator=generator, dtype=rows.dtype)
        # Only the sum of the idle ones is needed, and the sum of n normals is a normal of deviation sqrt(n).
        idle_sum = torch.randn(channels, generator=generator, dtype=rows.dtype) * idle.sum().sqrt()
    else:
        drawn, idle_sum = fresh[slots], fresh[idle].sum(0)
    ids, members = torch.unique(way.group[slots], return_inverse=True)
    sums = torch.zeros(len(ids), channels, dtype=rows.dtype).index_add_(0, members, drawn)
    sums[ids == cells] += idle_sum
    means = sums / way.size[ids][:, None]
    return slots, drawn - means[members]


def _merge(
    values: torch.Tensor, masses: torch.Tensor, landing: torch.Tensor, crowded: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Particles that meet: the noise is their sum by weight, back at unit variance; the weights add up.

    values [M, C], masses [M], landing [M] the cell of each; crowded bool [N]. Returns rows and weights of those cells.
    """
    compact = (crowded.cumsum(0) - 1)[landing]
    count = int(crowded.sum())
    total = values.new_zeros(count).index_add_(0, compact, masses)
    square = values.new_zeros(count).index_add_(0, compact, masses**2)
    sums = values.new_zeros(count, values.shape[1]).index_add_(0, compact, values * masses[:, None])
    return sums / square.sqrt()[:, None], total


def warp_clip(
    clip: NDArray[np.float32],
    flow_estimator: FlowEstimator,
    latent_shape: tuple[int, ...],
    mode: WarpMode = "exact",
    seed: int = 42,
) -> torch.Tensor:
    """Initial noise for pass 2, warped along the motion of pass 1's result.

    clip: float32 [T, h, w, 3] in 0..1. latent_shape: (1, Tl, C, H/8, W/8). Frames after T are the clip reflected, as
    the passes pad it. Returns float32 of latent_shape, on the CPU; the same seed gives the same bits.

    mode "exact": white, unit variance, latent frame j registered with padded frame 4j. mode "reference": as the
    published code makes it, at a fixed 480x720 and 72 frames and then resized, which the weights have been run with,
    but which is neither white nor of unit variance nor quite in register. Raises ValueError for any other mode.
    """
    if mode not in ("exact", "reference"):
        raise ValueError(f'there is no warped-noise mode {mode!r}; ask for "exact" or "reference"')
    _, latents, channels, height, width = latent_shape
    frames = clip[padded_frame_indices(len(clip), FRAMES_PER_LATENT * (latents - 1) + 1)]
    generator = torch.Generator().manual_seed(seed)
    if mode == "exact":
        kept = frames[::FRAMES_PER_LATENT]
        return torch.stack(list(_warp_frames(kept, flow_estimator, (height, width), channels, generator)))[None]
    size = REFERENCE_SIZE
    halves = [_half(cover(frame, *size)) for frame in frames[stretch_indices(len(frames), REFERENCE_FRAMES)]]
    grid = (size[0] // 8, size[1] // 8)
    noise = torch.stack(list(_warp_frames(halves, flow_estimator, grid, channels, generator)))
    return torch.from_numpy(fit_latents(noise.permute(0, 2, 3, 1).numpy(), latents, height, width))


def _warp_frames(
    frames: Sequence[NDArray[np.float32]] | NDArray[np.float32],
    flow_estimator: FlowEstimator,
    grid: tuple[int, int],
    channels: int,
    generator: torch.Generator,
) -> Iterator[torch.Tensor]:
    """One [C, *grid] of noise for each frame, the state being CELLS_PER_LATENT times finer each way."""
    height, width = (side * CELLS_PER_LATENT for side in grid)
    rows = torch.randn(height * width, channels, generator=generator)
    weight = torch.ones(height * width)
    yield _area_mean(rows, grid)
    for first, second in pairwise(frames):
        flow = resize_flow(torch.from_numpy(flow_estimator(first, second)), height, width)
        rows, weight = warp_rows(rows, weight, flow, generator=generator)
        yield _area_mean(rows, grid)


def _area_mean(rows: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Rows of a state to [C, *grid], back at unit variance."""
    blocks = rows.view(grid[0], CELLS_PER_LATENT, grid[1], CELLS_PER_LATENT, -1)
    return blocks.mean(dim=(1, 3)).permute(2, 0, 1) * CELLS_PER_LATENT


def resize_flow(flow: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """float32 [2, h, w] in pixels of its own grid to [2, height, width] in cells of that one, bilinearly."""
    scale = torch.tensor([width / flow.shape[2], height / flow.shape[1]], dtype=flow.dtype)
    finer = F.interpolate(flow[None], (height, width), mode="bilinear", align_corners=False)[0]
    return finer * scale[:, None, None]


def stretch_indices(frames: int, count: int) -> NDArray[np.intp]:
    """`count` frames picked evenly from `frames`, both ends included, as the published code picks them."""
    return np.rint(np.arange(count) * (frames - 1) / (count - 1)).astype(np.intp)


def cover(frame: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """[h, w, 3] scaled to cover height x width and cut to it about the centre."""
    scaled_height, scaled_width, top, left = cover_geometry(frame.shape[0], frame.shape[1], height, width)
    scaled: NDArray[np.float32] = cv2.resize(frame, (scaled_width, scaled_height), interpolation=cv2.INTER_LINEAR)
    return scaled[top : top + height, left : left + width]


def cover_geometry(height: int, width: int, to_height: int, to_width: int) -> tuple[int, int, int, int]:
    """(scaled height, scaled width, top, left) of a picture scaled to cover another size and cut about the centre."""
    # In whole numbers: the greater of the two ratios, each side rounded up.
    if to_height * width >= to_width * height:
        scaled = (to_height, -(-width * to_height // height))
    else:
        scaled = (-(-height * to_width // width), to_width)
    return *scaled, (scaled[0] - to_height) // 2, (scaled[1] - to_width) // 2


def _half(frame: NDArray[np.float32]) -> NDArray[np.float32]:
    half: NDArray[np.float32] = cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return half


def fit_latents(noise: NDArray[np.floating[Any]], frames: int, height: int, width: int) -> NDArray[np.float32]:
    """Noise [t, h, w, C] cut and resized to [1, frames, C, height, width] as the published code does, which is not
    without loss: bilinear resizing lowers the deviation and makes neighbours alike."""
    picked = noise[np.linspace(0, len(noise) - 1, frames).astype(int)].astype(np.float32)
    planes = [
        [cv2.resize(np.ascontiguousarray(frame[..., c]), (width, height)) for c in range(noise.shape[3])]
        for frame in picked
    ]
    return np.asarray(planes, dtype=np.float32)[None]
