"""What comes back at plate resolution of a model that answers perfectly, over shrinking the whole frame and back.

Scenes with a known background (bench/scenes.py) go through `remove_object` with an engine that knows it; the figures
are explained in bench/figures.py. Goals: 8 dB above the baseline where the background shows in other frames, 3 dB
elsewhere when the object fills a quarter of the width or less; grain inside over outside within 0.9 and 1.1 in four
luminance bands; light above 1 within 10 %; nothing changed outside the matte.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from pathlib import Path
from typing import get_args

from bench.figures import Figures, measure
from bench.oracle import Oracle
from bench.outside_model import Silent
from bench.scenes import Camera, TruthScene
from void_server.mattes import Mattes
from void_server.settings import ShotSettings
from void_server.shot import remove_object

SIZES = {"quick": (640, 360), "2k": (2048, 1152), "4k": (3840, 2160)}
QUICK = {"width": 192, "height": 112}  # as many plate pixels to one of the model's as at 2K, about
GOALS = {True: 8.0, False: 3.0}  # dB, by whether the background shows elsewhere


def judged(scene: TruthScene, settings: ShotSettings, folder: Path) -> Figures:
    """The figures of a scene, written into a folder and streamed through `remove_object`."""
    footage = scene.write(folder)
    mattes = Mattes(footage["roto"], footage.get("affected"))
    results = remove_object(footage["plate"], mattes, settings, Oracle(scene), Silent())
    return measure(scene, footage["plate"], results, settings.width, settings.height)


def told(scene: TruthScene, figures: Figures) -> str:
    """One scene's figures as lines."""
    title = f"{scene.width}x{scene.height}, {scene.camera}, object {scene.object_width:g} of the width, "
    title += "shows elsewhere" if scene.shows else "never shows"
    lines = [title + (", shadow" if scene.drop is not None else "")]
    for region in figures.psnr:
        low, ours, floor = figures.median(region)
        goal = f" (goal {GOALS[scene.shows]:+.1f})" if region == "object" else ""
        lines.append(f"  {region:8} {low:5.1f} -> {ours:5.1f} dB: {ours - low:+.1f}{goal}, grain's floor {floor:.1f}")
    ratios = ("none seen" if band.ratio is None else f"{band.ratio:.2f}" for band in figures.grain)
    lines.append(f"  grain inside over outside, dark to bright: {', '.join(ratios)}")
    error = figures.highlight_error()
    lines.append("  highlights: " + ("none seen" if error is None else f"95 of 100 within {error:.1%}"))
    lines.append(f"  values changed outside the matte: {figures.changed}")
    return "\n".join(lines)


def main() -> None:
    """Print the figures of every scene that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="640x360, with a model of 192x112")
    parser.add_argument("--size", choices=["2k", "4k"], nargs="+", default=["2k", "4k"])
    parser.add_argument("--camera", choices=get_args(Camera), nargs="+", default=list(get_args(Camera)))
    parser.add_argument("--shows", choices=["yes", "no"], nargs="+", default=["yes", "no"])
    parser.add_argument("--object", type=float, nargs="+", default=[0.125], help="its width in widths of the picture")
    parser.add_argument("--no-shadow", action="store_true")
    parser.add_argument("--grain", type=float, default=1.0)
    parser.add_argument("--flicker", type=float, default=0.0)
    parser.add_argument("--frames", type=int, default=12)
    options = parser.parse_args()
    settings = ShotSettings.from_dict(QUICK if options.quick else {})
    sizes = ["quick"] if options.quick else options.size
    for size, camera, shows, width in itertools.product(sizes, options.camera, options.shows, options.object):
        # Apart from the object where real pixels are looked for; at its foot where the region should be compact.
        drop = None if options.no_shadow else 0.15 if shows == "yes" else 0.02
        scene = TruthScene(
            *SIZES[size], options.frames, camera, shows == "yes", width, drop, options.grain, options.flicker
        )
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            print(told(scene, judged(scene, settings, Path(folder))), flush=True)
        print(f"  ({time.perf_counter() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
