"""The loop of every training here: steps, an average of the weights, a log, and a state to go on from.

Nothing but the step's number decides what a step does, so that a training that was stopped, or killed, ends with the
same weights to the bit as one that was not.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from void_server.training.optimiser import optimisers

STATE, LOG = "state.safetensors", "log.jsonl"

Figures = Mapping[str, float]
LossAt = Callable[[int], tuple[torch.Tensor, Figures]]
Judge = Callable[[], Figures]

JUDGED_EVERY = 50  # steps


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast.

    steps: in all. rate: Muon's, for matrices; others_rate: AdamW's, for the rest. warmup: steps in which the rates
    rise. cooldown: the part of the steps, at the end, in which they fall to a 20th. average: the most that a step
    keeps of the average of the weights. save_every: seconds between states on disk.
    """

    steps: int
    rate: float = 0.02
    others_rate: float = 2e-3
    warmup: int = 30
    cooldown: float = 0.22
    average: float = 0.998
    save_every: float = 120.0

    def factor(self, step: int) -> float:
        """What the rates are multiplied by at a step."""
        left = (self.steps - step) / max(1.0, self.cooldown * self.steps)
        return min(1.0, (step + 1) / max(1, self.warmup)) * max(0.05, min(1.0, left))


class Training:
    """A model that is being trained, in a folder that it can be taken up from again."""

    def __init__(self, model: nn.Module, folder: Path, schedule: Schedule) -> None:
        """Takes up the state in `folder` where there is one. Weights that need no gradient are not in it."""
        self.model, self.folder, self.schedule = model, folder, schedule
        self.step = 0
        self._trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.average = {name: weight.detach().clone() for name, weight in self._trained.items()}
        self._optimisers = optimisers(model, schedule.rate, schedule.others_rate)
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / STATE).is_file():
            self._load()

    def run(self, loss_at: LossAt, judge: Judge | None = None) -> None:
        """Every step that is left; loss_at(step) is asked for each step's loss.

        judge: asked now and then, with the average in place of the weights, for figures to log.
        """
        progress = _Progress(self.folder, self.step, self.schedule.steps)
        saved = time.monotonic()
        while self.step < self.schedule.steps:
            figures = self._one_step(loss_at)
            if judge and self.step % JUDGED_EVERY == 0:
                figures = {**figures, **self._of_average(judge)}
            progress.show(self.step, figures)
            if time.monotonic() - saved > self.schedule.save_every or self.step == self.schedule.steps:
                self.save()
                saved = time.monotonic()

    def _one_step(self, loss_at: LossAt) -> Figures:
        factor = self.schedule.factor(self.step)
        for optimiser in self._optimisers:
            optimiser.param_groups[0]["lr"] = factor * optimiser.param_groups[0]["initial_lr"]
        loss, figures = loss_at(self.step)
        loss.backward()
        for optimiser in self._optimisers:
            optimiser.step()
            optimiser.zero_grad()
        self.step += 1
        keep = min(self.schedule.average, self.step / (self.step + 10))
        with torch.no_grad():
            for name, weight in self._trained.items():
                self.average[name].lerp_(weight, 1 - keep)
        return {"loss": loss.item(), **figures, "rate": factor}

    def _of_average(self, judge: Judge) -> Figures:
        kept = {name: weight.detach().clone() for name, weight in self._trained.items()}
        self.use_average()
        with torch.no_grad():
            figures = judge()
            for name, weight in self._trained.items():
                weight.copy_(kept[name])
        return figures

    def use_average(self) -> None:
        """Put the average in place of the weights."""
        with torch.no_grad():
            for name, weight in self._trained.items():
                weight.copy_(self.average[name])

    def save(self) -> None:
        """Write the state, whole or not at all."""
        optimiser: dict[str, torch.Tensor] = {
            f"{name}/{key}": value
            for name, weight in self._trained.items()
            for each in self._optimisers
            for key, value in each.state.get(weight, {}).items()
        }
        parts: dict[str, Mapping[str, torch.Tensor]] = {
            "model": self._trained,
            "average": self.average,
            "optimiser": optimiser,
        }
        write_state(self.folder, parts, self.step)

    def _load(self) -> None:
        with safe_open(self.folder / STATE, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            self.step = int(file.metadata()["step"])
        parts: dict[str, dict[str, Any]] = {"model": {}, "average": {}, "optimiser": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = tensor
        with torch.no_grad():
            for name, weight in self._trained.items():
                weight.copy_(parts["model"][name])
                self.average[name].copy_(parts["average"][name])
                found = {
                    key.rpartition("/")[2]: tensor.to(weight.device) if tensor.dim() else tensor
                    for key, tensor in parts["optimiser"].items()
                    if key.rpartition("/")[0] == name
                }
                for optimiser in self._optimisers:
                    if found and any(weight is other for other in optimiser.param_groups[0]["params"]):
                        optimiser.state[weight] = found


def write_state(folder: Path, parts: Mapping[str, Mapping[str, torch.Tensor]], step: int) -> None:
    """What a training goes on from, whole or not at all: the parts "model", "average" and "optimiser", by name."""
    folder.mkdir(parents=True, exist_ok=True)
    # Copies: the model and its average may be one tensor, which a file would name once.
    tensors = {
        f"{part}/{name}": tensor.detach().clone() for part, held in parts.items() for name, tensor in held.items()
    }
    scratch = folder / f".{STATE}"
    save_file(tensors, scratch, metadata={"step": str(step)})
    scratch.replace(folder / STATE)


class _Progress:
    """A line in the log for every step, and one on stderr every few seconds with the time that is left."""

    def __init__(self, folder: Path, first: int, steps: int) -> None:
        self._log = folder / LOG
        self._first, self._steps = first, steps
        self._began = self._shown = time.monotonic()

    def show(self, step: int, figures: Figures) -> None:
        now = time.monotonic()
        rounded = {name: float(f"{value:.5g}") for name, value in figures.items()}
        with self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps({"step": step, "seconds": round(now - self._began, 1), **rounded}) + "\n")
        if now - self._shown > 5 or step == self._steps:
            self._shown = now
            left = (now - self._began) / (step - self._first) * (self._steps - step)
            told = "  ".join(f"{name} {value:g}" for name, value in rounded.items())
            print(f"step {step} of {self._steps}  {told}  {left / 60:.0f} min left", file=sys.stderr, flush=True)
