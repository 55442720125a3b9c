"""Statistics of noise [C, H, W] that should be white: what the goldens' stats.json holds, done here with numpy."""

from math import erf, exp, sqrt

import numpy as np
import torch


def correlation_along(before: torch.Tensor, after: torch.Tensor, flow: torch.Tensor) -> float:
    """Of two states [C, H, W], cell by cell along a flow [2, H, W] in cells, where it stays inside."""
    height, width = flow.shape[1:]
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    x, y = (column + flow[0]).round().long(), (row + flow[1]).round().long()
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    pair = torch.stack([before[:, inside].flatten(), after[:, y[inside], x[inside]].flatten()])
    return float(torch.corrcoef(pair)[0, 1])


def kolmogorov_p(values: np.ndarray) -> float:
    """The chance of so large a distance from N(0, 1), Kolmogorov's distribution, of at most 20,000 of the values."""
    sample = np.sort(values.ravel()[:: -(-values.size // 20000)].astype(np.float64))
    count = len(sample)
    normal = np.array([0.5 * (1 + erf(x / sqrt(2))) for x in sample])
    rank = np.arange(count + 1) / count
    distance = max(np.abs(rank[1:] - normal).max(), np.abs(rank[:-1] - normal).max())
    scaled = (sqrt(count) + 0.12 + 0.11 / sqrt(count)) * distance
    return min(1.0, max(0.0, 2 * sum((-1) ** (k - 1) * exp(-2 * (k * scaled) ** 2) for k in range(1, 101))))


def lag_one(noise: np.ndarray) -> dict[str, float]:
    """Correlation of neighbours: along x, y and the diagonal."""
    x, y, d = (noise[..., 1:], noise[..., :-1]), (noise[:, 1:], noise[:, :-1]), (noise[:, 1:, 1:], noise[:, :-1, :-1])
    return {name: float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) for name, (a, b) in zip("xyd", (x, y, d), strict=True)}


def moran_z(plane: np.ndarray) -> float:
    """Moran's I of a plane with rook neighbours, in deviations from what it is where no cell knows of another."""
    height, width = plane.shape
    z = plane.astype(np.float64) - plane.mean()
    links = height * (width - 1) + width * (height - 1)
    near = (z[1:] * z[:-1]).sum() + (z[:, 1:] * z[:, :-1]).sum()
    count = plane.size
    moran = count / links * near / (z**2).sum()
    # Cliff and Ord, under normality: W = 2 links, S1 = 4 links, S2 = 4 times the sum of squared degrees.
    degree = np.full((height, width), 4.0)
    degree[[0, -1]] -= 1
    degree[:, [0, -1]] -= 1
    w, s1, s2 = 2.0 * links, 4.0 * links, 4 * (degree**2).sum()
    expected = -1 / (count - 1)
    variance = (count**2 * s1 - count * s2 + 3 * w**2) / ((count**2 - 1) * w**2) - expected**2
    return float((moran - expected) / sqrt(variance))


def assert_white_latents(noise: np.ndarray) -> None:
    """The goldens' acceptance of one frame of latents, about 6,000 numbers."""
    assert abs(noise.mean()) < 0.05
    assert abs(noise.std() - 1) < 0.03
    z = (noise - noise.mean()) / noise.std()
    assert abs((z**3).mean()) < 0.15
    assert abs((z**4).mean() - 3) < 0.3
    assert kolmogorov_p(noise) > 1e-3
    assert abs(np.mean([moran_z(plane) for plane in noise])) < 1
    assert max(map(abs, lag_one(noise).values())) < 0.05


def assert_white_state(noise: np.ndarray) -> None:
    """The goldens' acceptance of a state, about 400,000 numbers."""
    assert abs(noise.std() - 1) < 0.005
    assert max(map(abs, lag_one(noise).values())) < 0.004
    assert kolmogorov_p(noise) > 1e-3
