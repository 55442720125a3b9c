"""Gaussian noise carried along motion, still white in every frame (Go-with-the-Flow, arXiv 2501.08331).

Pass 2 starts from noise that follows pass 1's result, so that what the noise becomes moves with the picture. A state is
a grid of cells, each with C noise values and a weight. In a step, every cell sends a particle along the flow, and a
cell that no particle reaches pulls a copy from where the flow says it came. A source cell's particle and copies form a
group, among which its noise is split; particles that meet in a cell are merged. docs/warped-noise.md has measurements.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from void_server.model import reference_geometry as reference
from void_server.model.clip import padded_frame_indices, padded_length
from void_server.model.flow import FlowEstimator
from void_server.model.noise_step import Buffers, step_rows
from void_server.model.settings import FRAMES_PER_LATENT, PassSettings, WarpMode

CELLS_PER_LATENT = 32  # fine enough that a latent's noise follows motion of a 32nd of it


def warp_step(
    noise: torch.Tensor,
    weight: torch.Tensor,
    flow: torch.Tensor,
    fresh: torch.Tensor | None = None,
    generator: torch.Generator | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Carry a noise state one frame on.

    noise: [C, H, W], unit variance. weight: [H, W], how much noise each cell has gathered, 1 at the start.
    flow: [2, H, W], forward, (dx, dy) in cells, rounded to whole ones. fresh: N(0, 1), [C, H, 2W]: the left half
    belongs to the particle that leaves each cell, the right half to the copy that each cell may pull; drawn from
    `generator` where None. All on one device, and so is what is returned: the new noise and weight, of the same shapes
    and dtype. On the CPU the same generator gives the same bits on any number of threads.
    """
    channels, height, width = noise.shape
    rows = noise.reshape(channels, -1).T.contiguous()
    fresh_rows = None
    if fresh is not None:
        halves = (fresh[..., :width], fresh[..., width:])
        fresh_rows = torch.cat([half.reshape(channels, -1).T for half in halves]).to(rows.dtype)
    rows, flat, _ = step_rows(rows, weight.reshape(-1), flow, fresh_rows, generator)
    return rows.T.reshape(channels, height, width).contiguous(), flat.reshape(height, width)


def warp_clip(
    clip: NDArray[np.float32],
    flow_estimator: FlowEstimator,
    latent_shape: tuple[int, ...],
    mode: WarpMode = "exact",
    seed: int = 42,
    degradation: float = 0.0,
) -> torch.Tensor:
    """Initial noise for pass 2, warped along the motion of pass 1's result.

    clip: float32 [T, h, w, 3] in 0..1. latent_shape: (1, Tl, C, H/8, W/8). Frames after T are the clip reflected, as
    the passes pad it; a clip of any length is one chain, so that windows that share a frame share its noise.
    degradation: see `degrade`. Returns float32 of latent_shape, on the CPU; the same seed gives the same bits.
    Memory: a few states (CELLS_PER_LATENT**2 cells a latent, C numbers each), whatever the length of the clip.

    mode "exact": white, unit variance, latent frame j registered with padded frame 4j; motion of less than a cell a
    step is accumulated, not lost (see `lag`). mode "reference": as the published code
    makes it, at a fixed 480x720 and 72 frames and then resized, which the weights have been run with, but which is
    neither white nor of unit variance nor quite in register. Raises ValueError for any other mode.
    """
    if mode not in ("exact", "reference"):
        raise ValueError(f'there is no warped-noise mode {mode!r}; ask for "exact" or "reference"')
    _, latents, channels, height, width = latent_shape
    frames = clip[padded_frame_indices(len(clip), FRAMES_PER_LATENT * (latents - 1) + 1)]
    generator = torch.Generator().manual_seed(seed)
    if mode == "exact":
        kept = frames[::FRAMES_PER_LATENT]
        chain = _warp_frames(kept, flow_estimator, (height, width), channels, generator, accumulate=True)
        return degrade(torch.stack(list(chain)), degradation, generator)[None]
    size = reference.REFERENCE_SIZE
    picked = frames[reference.stretch_indices(len(frames), reference.REFERENCE_FRAMES)]
    halves = [reference.half(reference.cover(frame, *size)) for frame in picked]
    grid = (size[0] // 8, size[1] // 8)
    chain = _warp_frames(halves, flow_estimator, grid, channels, generator, accumulate=False)
    noise = degrade(torch.stack(list(chain)), degradation, generator).permute(0, 2, 3, 1)
    return torch.from_numpy(reference.fit_latents(noise.numpy(), latents, height, width))


def warp_for_pass(
    clip: NDArray[np.float32],
    flow_estimator: FlowEstimator,
    settings: PassSettings,
    mode: WarpMode = "exact",
    degradation: float = 0.0,
) -> torch.Tensor:
    """`warp_clip` to what a pass with these settings starts from: as long as it pads the clip, by its seed."""
    length = padded_length(len(clip), settings.window, settings.max_frames)
    return warp_clip(clip, flow_estimator, settings.latent_shape(length), mode, settings.seed, degradation)


def degrade(noise: torch.Tensor, amount: float, generator: torch.Generator) -> torch.Tensor:
    """Mix unit-variance noise with new noise: amount 0 keeps it, 1 replaces it, and the variance stays one.

    More freedom from the motion for the model (Go-with-the-Flow, section 3.3). Raises ValueError outside 0..1.
    """
    if not 0 <= amount <= 1:
        raise ValueError(f"the degradation of noise is {amount}; give a number from 0 (none) to 1 (all of it new)")
    if amount == 0:
        return noise
    new = torch.randn(noise.shape, generator=generator, dtype=noise.dtype)
    return ((1 - amount) * noise + amount * new) / math.hypot(1 - amount, amount)


def _warp_frames(
    frames: Sequence[NDArray[np.float32]] | NDArray[np.float32],
    flow_estimator: FlowEstimator,
    grid: tuple[int, int],
    channels: int,
    generator: torch.Generator,
    *,
    accumulate: bool,
) -> Iterator[torch.Tensor]:
    """One [C, *grid] of noise for each frame, the state being CELLS_PER_LATENT times finer each way.

    accumulate: carry what rounding the flow to cells leaves of it into the next step, see `lag`.
    """
    height, width = (side * CELLS_PER_LATENT for side in grid)
    rows = torch.randn(height * width, channels, generator=generator)
    weight = torch.ones(height * width)
    buffers = Buffers.like(rows)
    left = torch.zeros(2, height, width)
    yield _area_mean(rows, grid)
    for first, second in pairwise(frames):
        flow = resize_flow(torch.from_numpy(flow_estimator(first, second)), height, width).add_(left)
        before = rows
        rows, weight, origin = step_rows(rows, weight, flow, generator=generator, buffers=buffers)
        buffers = replace(buffers, rows=before)
        if accumulate:
            left = lag(flow, origin)
        yield _area_mean(rows, grid)


def lag(flow: torch.Tensor, origin: torch.Tensor) -> torch.Tensor:
    """How far the noise has stayed behind a flow [2, H, W] that a step has rounded to cells; to be added to the next.

    origin: int32 [H * W], the cell that each cell's noise came from. Returns [2, H, W], in cells, smooth: the mean over
    the cells of a latent, bilinear between them. With each cell's own remainder instead, neighbours that a noisy flow
    has shaken apart would jump at different times, and be split and merged for it at every step. The lag depends on the
    flow alone, so the noise is as white as along any other flow.
    """
    carried = (flow - flow.round()).view(2, -1).index_select(1, origin).view_as(flow)
    mean = F.avg_pool2d(carried[None], CELLS_PER_LATENT)
    smooth: torch.Tensor = F.interpolate(mean, flow.shape[1:], mode="bilinear", align_corners=False)[0]
    return smooth


def _area_mean(rows: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Rows of a state to [C, *grid], back at unit variance."""
    state = rows.view(1, grid[0] * CELLS_PER_LATENT, grid[1] * CELLS_PER_LATENT, -1)
    mean: torch.Tensor = F.avg_pool2d(state.permute(0, 3, 1, 2), CELLS_PER_LATENT)[0]
    return mean * CELLS_PER_LATENT


def resize_flow(flow: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """float32 [2, h, w] in pixels of its own grid to [2, height, width] in cells of that one, bilinearly."""
    scale = torch.tensor([width / flow.shape[2], height / flow.shape[1]], dtype=flow.dtype)
    finer = F.interpolate(flow[None], (height, width), mode="bilinear", align_corners=False)[0]
    return finer * scale[:, None, None]
