"""How a window moves: not at all where it can, evenly where it must, and never with a jerk.

The shortest path through the corridor that each frame's box leaves (a string pulled taut), then the mean over a few
frames; the corridor is narrowed before, so that the mean still lies in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# The farthest that a window moves from one frame to the next, in parts of its own length. What is faster looks like a
# cut to the model, not like a camera.
SPEED = 1 / 16

# Frames before and after, over which a change of speed is spread.
EASE = 6

Line = npt.NDArray[np.float64]


def path(
    spans: Sequence[tuple[int, int] | None], length: int, first: int, end: int, context: float
) -> list[int] | None:
    """Where a window of `length` pixels begins on each frame, between `first` and `end`.

    It holds each frame's span (its first pixel, and the one after its last; None: nothing to hold) and around it
    `context`, in parts of the span's length, as far as there is room. From frame to frame it moves by SPEED times its
    length at most, and its speed changes by 2 / (2 EASE + 1) of that at most, each before rounding to whole pixels.
    None where that cannot be. Raises ValueError for a span that does not fit in.
    """
    lowest, highest = np.full(len(spans), float(first)), np.full(len(spans), float(end - length))
    for index, span in enumerate(spans):
        if span is None:
            continue
        if not first <= span[0] < span[1] <= end or span[1] - span[0] > length:
            raise ValueError(f"the span {span} does not fit into {length} pixels of {first} to {end}")
        size = span[1] - span[0]
        margin = min(int(size * context), (length - size) // 2)
        lowest[index] = max(min(span[1] + margin, end) - length, first)
        highest[index] = min(max(span[0] - margin, first), end - length)
    lowest, highest = _narrowed(lowest, length * SPEED), -_narrowed(-highest, length * SPEED)
    if (lowest > highest).any():
        return None
    around = 2 * EASE + 1
    eased = np.convolve(np.pad(taut(lowest, highest), EASE, mode="edge"), np.full(around, 1 / around), mode="valid")
    return [int(value) for value in np.rint(eased)]


def _narrowed(lowest: Line, speed: float) -> Line:
    """A lower bound [n] that holds for the EASE frames around each, too, and grows or falls by no more than `speed`."""
    padded = np.pad(lowest, EASE, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * EASE + 1).max(axis=-1)
    steps = speed * np.arange(len(lowest))
    rising = np.maximum.accumulate(around + steps) - steps
    falling = np.maximum.accumulate((around - steps)[::-1])[::-1] + steps
    return np.asarray(np.maximum(rising, falling))


def taut(lowest: Line, highest: Line) -> Line:
    """The shortest path [n] between two bounds [n]; its ends are free. `lowest` must nowhere be above `highest`.

    It bends only where it touches a bound, and lies in the middle where it need not move at all.
    """
    line = np.empty(len(lowest))
    index, at = _start(lowest, highest)
    line[: index + 1] = at
    while index < len(line) - 1:
        bend, to = _next_bend(lowest, highest, index, at)
        line[index : bend + 1] = np.linspace(at, to, bend - index + 1)
        index, at = bend, to
    return line


def _start(lowest: Line, highest: Line) -> tuple[int, float]:
    """How long the path can rest at first, and where: the frame on which it leaves, or the last."""
    up, down = highest[0], lowest[0]  # how high and how low it may rest
    leaves_up = leaves_down = 0
    for index in range(len(lowest)):
        if lowest[index] > up:
            return leaves_up, up
        if highest[index] < down:
            return leaves_down, down
        if highest[index] <= up:
            up, leaves_up = highest[index], index
        if lowest[index] >= down:
            down, leaves_down = lowest[index], index
    return len(lowest) - 1, (up + down) / 2


def _next_bend(lowest: Line, highest: Line, start: int, at: float) -> tuple[int, float]:
    """Where a straight line from `at` on frame `start` has to bend next, or the last frame, to which it then rests."""
    up, down = np.inf, -np.inf  # the slopes that stay within the bounds so far
    bend_up = bend_down = start
    for index in range(start + 1, len(lowest)):
        highest_slope, lowest_slope = (highest[index] - at) / (index - start), (lowest[index] - at) / (index - start)
        if lowest_slope > up:
            return bend_up, highest[bend_up]
        if highest_slope < down:
            return bend_down, lowest[bend_down]
        if highest_slope <= up:
            up, bend_up = highest_slope, index
        if lowest_slope >= down:
            down, bend_down = lowest_slope, index
    if down > 0:
        return bend_down, lowest[bend_down]
    if up < 0:
        return bend_up, highest[bend_up]
    return len(lowest) - 1, at
