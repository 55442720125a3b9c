"""Removals by the tiny model where the truth is known, beside three methods without a model, on held-out scenes.

Prints a table of PSNR (dB; of all clips' mean squared error) against the true counterfactual, the share of a moved
body's contrast at its true place
(median), the share of centres within 1.5 cells, and flicker (255ths); the goals as ratios; and a line a kind.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import astuple, fields
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track

from void_server.model import VoidModel, WeightsFolder
from void_server.settings import ShotSettings
from void_server.training.baselines import BASELINES
from void_server.training.drawing import Pixels
from void_server.training.pairs import FIRST_HELD_OUT, Pair, empty, make_pair
from void_server.training.physics import KINDS
from void_server.training.quality import NEAR, Quality, Summary, measure, summarise
from void_server.training.shipped import FOLDER, SETTINGS, settings_of
from void_server.training.trained import both_passes

Figures = dict[str, list[Quality]]  # by method, a clip each

PASS1, PASS2, VAE = "pass 1", "pass 2", "its VAE alone on the truth"
GAIN, SHARE, CENTRES = 5.0, 0.5, 0.8  # the goals: dB in the mask, of the contrast, of the centres


def decoded(model: VoidModel, clip: Pixels) -> Pixels:
    """The clip through the autoencoder: as near to it as the passes could come."""
    pixels = torch.from_numpy(clip).permute(3, 0, 1, 2)[None] * 2 - 1
    with torch.inference_mode():
        returned = model.vae.decode(model.vae.encode(pixels))
    return ((returned[0].permute(1, 2, 3, 0) + 1) / 2).clamp(0, 1).numpy()


def results(model: VoidModel | None, pair: Pair, settings: ShotSettings | None) -> Iterator[tuple[str, Pixels]]:
    """What every method makes of a pair, with its name."""
    for name, fill in BASELINES.items():
        yield name, fill(pair.with_object, pair.quadmask)
    if model and settings:
        first, second = both_passes(model, pair.with_object, pair.quadmask, settings)
        yield PASS1, first
        yield PASS2, second
        yield VAE, decoded(model, pair.without)


def judged(pairs: list[Pair], model: VoidModel | None, settings: ShotSettings | None) -> Figures:
    """Every method's figures on every pair; tells on stderr how far it is."""
    figures: Figures = {}
    for pair in track(pairs, "removing", console=Console(stderr=True)):
        behind = empty(pair)
        for name, result in results(model, pair, settings):
            figures.setdefault(name, []).append(measure(pair, behind, result))
    return figures


def table(figures: Figures) -> str:
    """All methods, as Markdown."""
    names = [field.name for field in fields(Summary)]
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for method, found in figures.items():
        lines.append(f"| {method} | " + " | ".join(f"{value:.2f}" for value in astuple(summarise(found))) + " |")
    return "\n".join(lines)


def by_kind(figures: Figures, pairs: list[Pair], method: str) -> str:
    """A method's mask PSNR, share and centres for each kind of scene, with what the autoencoder alone allows."""
    lines = []
    for kind in KINDS:
        chosen = [index for index, pair in enumerate(pairs) if pair.kind == kind]
        if chosen:
            one, most = (summarise([figures[name][index] for index in chosen]) for name in (method, VAE))
            lines.append(
                f"{kind:8} {len(chosen):3} clips  mask {one.mask:5.2f} dB (VAE {most.mask:5.2f})  "
                f"share {one.share:5.2f} (VAE {most.share:5.2f})  within {NEAR} cells {one.near:5.2f}"
            )
    return "\n".join(lines)


def goals(figures: Figures, pairs: list[Pair]) -> str:
    """Each goal: what was reached, the limit, their ratio."""
    summaries = {name: summarise(found) for name, found in figures.items()}
    one, two = summaries[PASS1], summaries[PASS2]
    best = max(summaries[name].mask for name in BASELINES)
    support = summarise([q for q, pair in zip(figures[PASS1], pairs, strict=True) if pair.kind == "support"])
    told = [
        ("pass 1 over the best baseline in the mask, dB", one.mask - best, GAIN),
        ("support: median share of the ball's contrast", support.share, SHARE),
        (f"support: centres within {NEAR} cells", support.near, CENTRES),
        ("flicker of pass 1 over that of pass 2", one.flicker / two.flicker, 1.0),
        ("PSNR in the mask, pass 2 over pass 1", two.mask / one.mask, 1.0),
    ]
    return "\n".join(f"{name}: {value:.3f} (goal {goal:g}; ratio {value / goal:.2f})" for name, value, goal in told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=FOLDER, help=f"a weights folder with {SETTINGS} in it")
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--first", type=int, default=FIRST_HELD_OUT, help="seed of the first clip")
    parser.add_argument("--kind", choices=KINDS, help="scenes of one kind alone")
    parser.add_argument("--steps", type=int, help="denoising steps of both passes, other than the settings'")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--baselines", action="store_true", help="the methods without a model alone")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pairs = [make_pair(options.first + index, options.kind) for index in range(options.clips)]
    if options.baselines:
        print(table(judged(pairs, None, None)))
        return
    given = settings_of(options.weights)
    if options.steps:
        given |= {name: given[name] | {"steps": options.steps} for name in ("pass1", "pass2")}
    folder = WeightsFolder.find(options.weights)
    model = VoidModel.load(folder.base, folder.pass1, folder.pass2)
    figures = judged(pairs, model, ShotSettings.from_dict(given))
    print(table(figures), by_kind(figures, pairs, PASS1), goals(figures, pairs), sep="\n\n")


if __name__ == "__main__":
    main()
