"""Draws docs/images/warped-noise.png and prints the table of docs/warped-noise.md: `python docs/draw_noise.py PNG`.

A disc with a pattern moves over a still background by one latent (8 pixels) in a latent frame (4 frames). Below each
picture is the noise that pass 2 would start from, its first three channels as red, green and blue. The table's
figures are means over the frames; the mode "reference" takes minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from model.noise_statistics import kolmogorov_p, lag_one, moran_z  # noqa: E402

from void_server.model.flow import DISFlow  # noqa: E402
from void_server.model.settings import WarpMode  # noqa: E402
from void_server.model.warped_noise import warp_clip  # noqa: E402

HEIGHT, WIDTH, LATENTS, CHANNELS = 192, 320, 13, 8
START, MIDDLE, RADIUS = 64, 96, 36  # pixels
SHOWN = (0, 4, 8, 12)
Pixels = npt.NDArray[np.float32]


def pattern(seed: int, blur: float) -> Pixels:
    """Smooth noise [H, W, 3] in 0..1."""
    rough = np.random.default_rng(seed).random((HEIGHT, WIDTH, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(rough, (0, 0), blur)
    return np.asarray((smooth - smooth.min()) / np.ptp(smooth), np.float32)


def moving_disc() -> Pixels:
    """The clip, float32 [T, H, W, 3], two pixels to the right a frame."""
    behind, disc = 0.5 * pattern(0, 4), 0.5 + 0.5 * pattern(1, 3)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    frames = []
    for frame in range(4 * (LATENTS - 1) + 1):
        inside = np.hypot(x - START - 2 * frame, y - MIDDLE) < RADIUS
        frames.append(np.where(inside[..., None], np.roll(disc, 2 * frame, axis=1), behind))
    return np.stack(frames).astype(np.float32)


def statistics(noise: Pixels) -> dict[str, float]:
    """Of noise [Tl, C, H/8, W/8]: is it white, and is it where the disc and the background are."""
    y, x = np.mgrid[: HEIGHT // 8, : WIDTH // 8]
    disc = np.hypot(8 * x + 3.5 - START, 8 * y + 3.5 - MIDDLE) < RADIUS - 12
    carried = [
        np.corrcoef(noise[0][:, disc].ravel(), noise[j][:, np.roll(disc, j, axis=1)].ravel())[0, 1]
        for j in range(1, LATENTS)
    ]
    still = np.s_[:, :5]  # rows that the disc does not come near
    stayed = [np.corrcoef(noise[0][still].ravel(), frame[still].ravel())[0, 1] for frame in noise[1:]]
    return {
        "standard deviation": float(np.mean([frame.std() for frame in noise])),
        "smallest Kolmogorov-Smirnov p": min(kolmogorov_p(frame) for frame in noise),
        "lag 1 along x": float(np.mean([lag_one(frame)["x"] for frame in noise])),
        "lag 1 along y": float(np.mean([lag_one(frame)["y"] for frame in noise])),
        "Moran's I, in deviations": float(np.mean([moran_z(plane) for frame in noise for plane in frame])),
        "correlation with the first frame, on the disc, a step later": float(carried[0]),
        "the same, 12 steps later": float(carried[-1]),
        "correlation with the first frame, behind it, 12 steps later": float(stayed[-1]),
    }


def picture(clip: Pixels, noise: Pixels) -> Image.Image:
    """The clip above, the noise below, with the disc's outline on both."""
    columns = []
    for latent in SHOWN:
        coloured = np.clip(0.5 + 0.2 * noise[latent, :3].transpose(1, 2, 0), 0, 1)
        large = coloured.repeat(8, axis=0).repeat(8, axis=1)
        column = Image.new("RGB", (WIDTH + 6, 2 * HEIGHT + 6), "white")
        for top, pixels in ((0, clip[4 * latent]), (HEIGHT + 6, large)):
            part = Image.fromarray(np.rint(255 * pixels).astype(np.uint8))
            middle = START + 8 * latent
            box = (middle - RADIUS, MIDDLE - RADIUS, middle + RADIUS, MIDDLE + RADIUS)
            ImageDraw.Draw(part).ellipse(box, outline="white", width=2)
            column.paste(part, (0, top))
        columns.append(np.asarray(column))
    return Image.fromarray(np.concatenate(columns, axis=1)[:, :-6])


def main(out: Path) -> None:
    """Write the picture, then print the table."""
    clip, shape = moving_disc(), (1, LATENTS, CHANNELS, HEIGHT // 8, WIDTH // 8)
    exact = warp_clip(clip, DISFlow(), shape)[0].numpy()
    picture(clip, exact).quantize(256).save(out, optimize=True)
    modes: tuple[WarpMode, WarpMode] = ("exact", "reference")
    columns = {mode: statistics(warp_clip(clip, DISFlow(), shape, mode)[0].numpy()) for mode in modes}
    print("| | " + " | ".join(columns) + " |")
    print("|---|---|---|")
    for name in columns["exact"]:
        print(f"| {name} | " + " | ".join(f"{column[name]:.3g}" for column in columns.values()) + " |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
