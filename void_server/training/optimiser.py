"""The optimiser of every training here: Muon for matrices and convolutions, AdamW for the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

MOMENTUM = 0.95
# Times the rate, of each step. Updates are orthogonal, so it bounds singular values at its inverse; without it the
# strided convolutions of an autoencoder, which lie on its residual path, grow until the blocks beside them don't count.
DECAY = 0.5
# Newton-Schulz coefficients of Keller Jordan's Muon: five rounds bring all singular values near 1.
_COEFFICIENTS, _ROUNDS = (3.4445, -4.7750, 2.0315), 5


class Muon(torch.optim.Optimizer):
    """Momentum whose update of each weight is made orthogonal (Jordan 2024); a convolution is a matrix [out, rest].

    PyTorch's own takes matrices only and works in bfloat16, which a processor without it runs 10 to 70 times slower.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update from the gradients at hand; `closure` is not used."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                momentum = state["momentum"].lerp_(weight.grad, 1 - MOMENTUM)
                update = weight.grad.lerp(momentum, MOMENTUM).flatten(1)  # Nesterov's
                scale = max(1.0, update.shape[0] / update.shape[1]) ** 0.5
                weight.mul_(1 - DECAY * group["lr"])
                weight.add_(orthogonal(update).view_as(weight), alpha=-group["lr"] * scale)


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """[rows, columns] with its singular values moved to about 1 (0.7 to 1.2), in the matrix's own precision."""
    a, b, c = _COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(_ROUNDS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    result: torch.Tensor = x.T if tall else x
    return result


def optimisers(model: nn.Module, rate: float, others_rate: float) -> list[torch.optim.Optimizer]:
    """Muon at `rate` for the inner matrices of `model`, AdamW at `others_rate` for first and last layers and vectors.

    First and last layers speak to the outside, where directions are not alike; Muon's authors leave them to AdamW too.
    """
    outer = ("conv_in", "conv_out", "patch_embed", "proj_out", "time_embedding", "lora_")
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    inner = [weight for name, weight in trained.items() if weight.dim() > 1 and not any(part in name for part in outer)]
    chosen = set(inner)
    rest = [weight for weight in trained.values() if weight not in chosen]
    made: list[torch.optim.Optimizer] = []
    if inner:
        made.append(Muon(inner, rate))
    if rest:
        made.append(torch.optim.AdamW(rest, others_rate, betas=(0.9, 0.98), weight_decay=0.0))
    for optimiser in made:
        optimiser.param_groups[0]["initial_lr"] = optimiser.param_groups[0]["lr"]
    return made
