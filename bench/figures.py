"""What a result is worth, against the truth at plate resolution.

PSNR is taken in the encoded space of one ModelCurve that reaches to 32 (what a viewer sees of an HDR picture; in
linear light the highlights alone would count), its peak 1, over all three channels of the pixels of one region of one
frame; of a region, the median over the frames. The truth has no grain. What is judged has the grain that belongs there,
so that even a perfect result ends at the `floor`: the truth with fresh grain. The baseline, which has none, is
spared that, so the gain is counted to our own disadvantage.

Grain is judged by result minus truth in units of the grain's true deviation there. Where camera and background stand
still, by the difference of that between one frame and the next, over the root of two: lost texture is the same in both
and falls out, and so does grain that is not fresh. Elsewhere, where the truth is flat for some way around, by what is
left after taking its own blur away; at small sizes what Lanczos rings around a flat place still passes for grain there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np

from bench.scenes import Mask, Pixels, TruthScene
from void_server.footage import Footage
from void_server.plates.colour import ModelCurve
from void_server.plates.composite import bounding_box
from void_server.plates.frame import Frame
from void_server.plates.window import Window

VIEW = ModelCurve.for_shot(32.0)
PAINTED = 1 / 32  # alpha from which a roto counts
ENOUGH = 150  # pixels; fewer say nothing
BANDS = (0.1, 0.35, 1.2)  # light between the four luminance bands
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
AROUND = 0.08  # widths of the picture around hole and shadow, in which grain outside is looked at
FLAT = 0.01  # widths of the picture around a pixel, within which a flat place is flat
GRAIN_SCALE = 1.5  # pixels; deviation of the blur that is taken away from the residual
LEVEL = {0: "object", 63: "overlap"}


@dataclass
class Grain:
    """Residuals of one luminance band, in true deviations: their squares' sums and their number."""

    inside: float = 0.0
    outside: float = 0.0
    count_inside: int = 0
    count_outside: int = 0

    @property
    def ratio(self) -> float | None:
        """Deviation inside over outside; None where too little was seen."""
        if min(self.count_inside, self.count_outside) < ENOUGH:
            return None
        return float(np.sqrt(self.inside / self.count_inside / (self.outside / self.count_outside)))


@dataclass(frozen=True)
class Residual:
    """Result minus truth of a frame in true deviations of its grain [h, w, 3]; the hole's inside, and outside it."""

    pixels: Pixels
    inside: Mask
    outside: Mask


@dataclass
class Figures:
    """PSNR in dB by region (baseline, result, floor; a frame each), grain by band, and more.

    Regions: object (primary alone), overlap (primary and affected), shadow (painted as affected; not on the first
    frame, where nothing is). highlights: error of result over truth, in parts, of flat light above 1 in the hole.
    changed: values outside the matte that are not the plate's bit for bit.
    """

    psnr: dict[str, list[tuple[float, float, float]]] = field(default_factory=dict)
    grain: list[Grain] = field(default_factory=lambda: [Grain() for _ in range(len(BANDS) + 1)])
    highlights: list[Pixels] = field(default_factory=list)
    changed: int = 0

    def median(self, region: str) -> tuple[float, float, float]:
        """Baseline, result and floor in dB."""
        baseline, result, floor = np.median(self.psnr[region], axis=0).tolist()
        return baseline, result, floor

    def gain(self, region: str) -> float:
        """Decibels above the baseline."""
        baseline, result, _ = self.median(region)
        return result - baseline

    def highlight_error(self) -> float | None:
        """The relative error that 95 of 100 highlight values stay within; None where there are too few."""
        values = np.concatenate([np.empty(0, np.float32), *self.highlights])
        return float(np.percentile(np.abs(values), 95)) if values.size >= ENOUGH else None


def measure(scene: TruthScene, plate: Footage, results: Iterable[Frame], width: int, height: int) -> Figures:
    """Judge a shot's results, which must come in the scene's order; width, height: the model's picture."""
    figures = Figures()
    before: Residual | None = None
    for frame, result in zip(scene.frames, results, strict=True):
        figures.changed += _changed(plate.read(frame), result)
        part = _part(scene, frame, result, (width, height))
        _add_psnr(figures, scene, part)
        before = _add_grain(figures, scene, part, before)
    return figures


def _changed(plate: Frame, result: Frame) -> int:
    outside = result.channel("void.matte") == 0
    return sum(
        int(np.count_nonzero((plate.channel(name).view(np.uint16) != result.channel(name).view(np.uint16)) & outside))
        for name in "RGB"
    )


@dataclass(frozen=True)
class Part:
    """A frame around its hole and shadow: `window` of the picture, and what lies there, [h, w] or [h, w, 3].

    truth, result: linear. baseline: encoded. levels: 0, 63, 127 or 255. kept: where nothing was composited.
    """

    frame: int
    window: Window
    truth: Pixels
    result: Pixels
    baseline: Pixels
    hole: Mask
    shadow: Mask
    levels: Pixels
    kept: Mask


def _part(scene: TruthScene, frame: int, result: Frame, model: tuple[int, int]) -> Part:
    hole, shadow = scene.matte(frame) >= PAINTED, scene.shadow(frame) > 0
    box = bounding_box(hole | shadow, round(AROUND * scene.width))
    assert box is not None, "the object is in every picture"
    truth = scene.truth(frame)
    here = truth[box]
    return Part(
        frame=frame,
        window=Window(box[1].start, box[0].start, here.shape[1], here.shape[0]),
        truth=here,
        result=np.stack([np.asarray(result.channel(name)[box], np.float32) for name in "RGB"], axis=-1),
        baseline=baseline(truth, *model)[box],
        hole=hole[box],
        shadow=shadow[box],
        levels=np.rint(np.asarray(result.channel("void.quadmask")[box], np.float32) * 255),
        kept=result.channel("void.matte")[box] == 0,
    )


def baseline(truth: Pixels, width: int, height: int) -> Pixels:
    """Truth [h, w, 3], linear, as it comes back from a model that sees all of it: encoded, Lanczos on the way up."""
    small = VIEW.encode(cv2.resize(truth, (width, height), interpolation=cv2.INTER_AREA))
    large = cv2.resize(small, truth.shape[1::-1], interpolation=cv2.INTER_LANCZOS4)
    return np.asarray(np.clip(large, 0, 1), np.float32)


def _add_psnr(figures: Figures, scene: TruthScene, part: Part) -> None:
    meant = VIEW.encode(part.truth)
    perfect = scene.grained(part.truth, part.frame + 1_000_000)
    candidates = (part.baseline, VIEW.encode(part.result), VIEW.encode(perfect))
    for name, region in _regions(scene, part).items():
        if np.count_nonzero(region) >= ENOUGH:
            errors = [float(np.mean(np.square(picture[region] - meant[region]))) for picture in candidates]
            low, ours, floor = (-10 * math.log10(max(error, 1e-12)) for error in errors)
            figures.psnr.setdefault(name, []).append((low, ours, floor))


def _regions(scene: TruthScene, part: Part) -> dict[str, Mask]:
    """Those of a frame, bool [h, w]; of the object, what does (or does not) show elsewhere, as the scene promises."""
    regions = {name: part.hole & (part.levels == level) for level, name in LEVEL.items()}
    regions["object"] &= scene.shows_elsewhere(part.frame, part.window) == scene.shows
    if part.frame != scene.first:
        regions["shadow"] = part.shadow & ~part.hole
    return regions


def _add_grain(figures: Figures, scene: TruthScene, part: Part, before: Residual | None) -> Residual:
    """Add a frame's grain and highlights; returns what the next frame is compared with."""
    flat = _flat(scene, part.truth)
    now = _residual(scene, part)
    bright = now.inside & flat & (part.truth.min(axis=2) > 1)
    figures.highlights.append((part.result[bright] / part.truth[bright] - 1).ravel())
    if not scene.still:
        blurred = cv2.GaussianBlur(now.pixels, (0, 0), GRAIN_SCALE)
        _add_bands(figures, part.truth, now.pixels - blurred, now.inside & flat, now.outside & flat)
    elif before is not None:
        difference = (now.pixels - before.pixels) / np.float32(math.sqrt(2))
        _add_bands(figures, part.truth, difference, now.inside & before.inside, now.outside & before.outside)
    return now


def _residual(scene: TruthScene, part: Part) -> Residual:
    around = np.ones((11, 11), np.uint8)  # what the blur that is taken away reaches
    away = ~part.shadow & part.kept
    inside, outside = (cv2.erode(mask.astype(np.uint8), around) > 0 for mask in (part.hole, away))
    return Residual((part.result - part.truth) / scene.grain_deviation(part.truth), inside, outside)


def _add_bands(figures: Figures, truth: Pixels, grain: Pixels, inside: Mask, outside: Mask) -> None:
    band = np.digitize(truth @ LUMINANCE, BANDS)
    for index, sums in enumerate(figures.grain):
        within, without = grain[inside & (band == index)], grain[outside & (band == index)]
        sums.inside += float(np.sum(np.square(within, dtype=np.float64)))
        sums.outside += float(np.sum(np.square(without, dtype=np.float64)))
        sums.count_inside += within.size
        sums.count_outside += without.size


def _flat(scene: TruthScene, truth: Pixels) -> Mask:
    """Where the truth stays within a fraction of its grain for some way around, bool [h, w]."""
    reach = 2 * max(3, round(FLAT * scene.width)) + 1
    kernel = np.ones((reach, reach), np.uint8)
    spread = cv2.dilate(truth, kernel) - cv2.erode(truth, kernel)
    return np.asarray((spread < 0.25 * scene.grain_deviation(truth)).all(axis=2))
