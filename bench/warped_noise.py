"""Time of a step of warped noise over that of copying its state twice, and what memory it needs, in one run.

The copies go to memory that the process already has. Each figure is the best of several runs that alternate, which a
busy machine bends least. --clip takes the flow of a real shot, with its frames four apart, as pass 2's noise does.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from functools import partial

import cv2
import numpy as np
import torch

from void_server.model.flow import DISFlow
from void_server.model.noise_step import Buffers, grid, step_rows
from void_server.model.warped_noise import CELLS_PER_LATENT, resize_flow

LIMIT = 5.0


def flows(height: int, width: int, clip: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Flows in cells by name, from one that moves everything alike to one that tears everything apart."""
    x, y = grid(height, width, torch.empty(0))
    x, y = x - width / 2, y - height / 2
    yield "still", torch.zeros(2, height, width)
    yield "shift by 3.3 and -1.7 cells", torch.tensor([3.3, -1.7])[:, None, None].expand(2, height, width).clone()
    yield "turn by 1.7 degrees", torch.stack([-y, x]) * 0.03
    yield "waves of 3 cells", torch.stack([3 * torch.sin(y / 40), 3 * torch.sin(x / 50)])
    yield "zoom by 2 %", torch.stack([x, y]) * 0.02
    if clip:
        yield "a real shot", resize_flow(torch.from_numpy(flow_of(clip, height, width)), height, width)
    yield "each cell by itself", 2 * torch.randn(2, height, width, generator=torch.Generator().manual_seed(0))


def flow_of(clip: str, height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """DIS flow from the clip's frame 20 to its frame 24, at the model's size for a state of this size."""
    video, frames = cv2.VideoCapture(clip), []
    size = (width * 8 // CELLS_PER_LATENT, height * 8 // CELLS_PER_LATENT)
    for _ in range(25):
        read, frame = video.read()
        if not read:
            raise SystemExit(f"{clip} has no 25 frames")
        frames.append(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
    return DISFlow()(frames[20], frames[24])


def seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """Time of one call."""
    started = clock()
    work()
    return clock() - started


def main() -> None:
    """Print a line for each flow: seconds, ratio, share of the cells that pull a copy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--height", type=int, default=1536, help="cells (1536: a picture of 384)")
    parser.add_argument("--width", type=int, default=2688, help="cells (2688: a picture of 672)")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="torch's threads (2)")
    parser.add_argument("--clip", default="", help="a video file of 25 frames or more")
    parser.add_argument("--cpu", action="store_true", help="CPU time, of one thread: for a machine that others use")
    options = parser.parse_args()
    clock = time.process_time if options.cpu else time.perf_counter
    if options.cpu:
        options.threads = 1
    torch.set_num_threads(options.threads)
    cells = options.height * options.width
    generator = torch.Generator().manual_seed(0)
    rows, weight = torch.randn(cells, options.channels, generator=generator), torch.ones(cells)
    buffers = Buffers.like(rows)
    state = rows.nbytes + weight.nbytes
    print(f"{options.height} x {options.width} x {options.channels}, {options.threads} threads; a state of ", end="")
    print(f"{state / 2**20:.0f} MiB; limit {LIMIT:g} times the time of copying it twice")
    for name, flow in flows(options.height, options.width, options.clip):
        ours, copies = [], []
        step = partial(step_rows, rows, weight, flow, generator=generator, buffers=buffers)
        for _ in range(options.repeats):
            copies.append(2 * seconds(partial(buffers.rows.copy_, rows), clock))
            ours.append(seconds(step, clock))
        origin = step()[2]
        kept = len(torch.unique(origin)) / cells
        best, copy = min(ours), min(copies)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(f"{name:28} {best:.3f} s / {copy:.3f} s = {best / copy:5.1f}   ", end="")
        print(f"{1 - kept:6.1%} of the cells merged   peak so far {peak / state:.1f} states", flush=True)


if __name__ == "__main__":
    main()
