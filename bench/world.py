"""The world that scenes with a known background look at: texture at every scale, flat panels, highlights up to 30."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]

OVERSAMPLING = 2  # world pixels a plate pixel
LENS = 0.65  # plate pixels; deviation of the lens's blur: contrast 0.4 at three pixels a line pair, 0.12 at two
STOPS = 0.3  # deviation of the texture in each octave: natural pictures have about the same in all of them
OCTAVES = 8  # from 1 to 128 plate pixels
PANELS = (0.04, 0.2, 0.6)  # light of the flat panels
LAMPS = (2.0, 8.0, 30.0)  # light of the flat, round highlights
PANEL = 0.042  # widths of the picture; a panel's side
SPACING = 0.078  # widths of the picture between one panel or lamp and the next, on average


def painted_world(width: int, height: int, picture_width: int, seed: int) -> Pixels:
    """Scene-linear float32 [h, w, 3] of width x height plate pixels, OVERSAMPLING as many on each side."""
    rng = np.random.default_rng(seed)
    size = (height * OVERSAMPLING, width * OVERSAMPLING)
    stops = sum(STOPS * _noise(rng, size, OVERSAMPLING * 2**octave) for octave in range(OCTAVES))
    world = np.empty((*size, 3), np.float32)
    for channel, tint in enumerate((0.23, 0.2, 0.17)):
        colour = 0.35 * _noise(rng, size, OVERSAMPLING * picture_width / 20)
        world[..., channel] = tint * np.exp2(stops + colour)
    _furnish(world, rng, picture_width * OVERSAMPLING)
    return np.asarray(cv2.GaussianBlur(world, (0, 0), LENS * OVERSAMPLING), np.float32)


def _noise(rng: np.random.Generator, size: tuple[int, int], cell: float) -> Pixels:
    """Smooth noise [h, w] of deviation 1 whose detail is `cell` pixels wide."""
    height, width = size
    coarse = rng.standard_normal((int(height / cell) + 3, int(width / cell) + 3), np.float32)
    fine = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    fine /= fine.std()
    return fine


def _furnish(world: Pixels, rng: np.random.Generator, picture: int) -> None:
    """Wires, panels and lamps, one in each field of a grid, somewhere in it. `picture`: its width in world pixels."""
    height, width = world.shape[:2]
    for _ in range(12):
        ends = rng.integers(0, (width, height), (2, 2)).tolist()
        cv2.line(world, ends[0], ends[1], (0.01, 0.01, 0.012), 2 * OVERSAMPLING)
    step, side = SPACING * picture, round(PANEL * picture)
    kinds = (*PANELS, *PANELS, *LAMPS)
    for row in range(int(height / step)):
        for column in range(int(width / step)):
            x, y = (rng.uniform(0, step - side, 2) + step * np.array([column, row])).astype(int).tolist()
            light = kinds[(row * 5 + column * 4) % len(kinds)]
            colour = (light * rng.uniform(0.8, 1.0, 3)).tolist()
            if light in LAMPS:
                cv2.circle(world, (x + side // 2, y + side // 2), side // 2, colour, cv2.FILLED)
            else:
                cv2.rectangle(world, (x, y), (x + side, y + side), colour, cv2.FILLED)
