"""How transformers are held: on the device, in main memory between their passes, or there in 8 bits."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from void_server.model.loading import load_transformer
from void_server.model.plan import PlanName, Shape, choose, plans, weigh

# Storage of the fp8 plan; 4 exponent and 3 mantissa bits hold weights closer than 5 and 2.
FP8 = torch.float8_e4m3fn


def decide(
    base: Path, passes: Sequence[Path], plan: PlanName | None, *, device: str, dtype: torch.dtype
) -> tuple[PlanName, str]:
    """How to hold the transformers, and the device that T5 runs on.

    plan: None for the best that the card's free memory allows at the usual size of picture; a named one is taken as
    it is, for a peak is an estimate. Off a card it is `resident`. Raises BadPlan, before anything is loaded.
    """
    if torch.device(device).type != "cuda":
        return plan or "resident", device
    offered = plans(weigh(base, passes, dtype.itemsize), Shape())
    if plan is None:
        chosen = choose(offered, torch.cuda.mem_get_info(device)[0])
    else:
        chosen = next(offer for offer in offered if offer.name == plan)
    return chosen.name, device if chosen.encoder_device == "card" else "cpu"


def load_held(base: Path, weights: Path, how: PlanName, *, device: str, dtype: torch.dtype) -> Any:
    """The transformer of one pass, held as `how` says. Raises BadWeights."""
    waits_on = device if how == "resident" else "cpu"
    transformer: Any = load_transformer(base, weights, device=waits_on, dtype=dtype)
    if how == "fp8":
        transformer.enable_layerwise_casting(storage_dtype=FP8, compute_dtype=dtype)
    if how != "resident" and torch.device(device).type == "cuda":
        for tensor in _tensors(transformer):
            tensor.data = tensor.data.pin_memory()
    return transformer


@contextmanager
def on_device(transformer: Any, how: PlanName, device: str) -> Iterator[Any]:
    """The transformer, ready to run on `device` for the length of a `with`.

    What waits in main memory is copied to the device; afterwards the copy is dropped and nothing is copied back, for
    weights don't change.
    """
    if how == "resident":
        yield transformer
        return
    places = [
        (held, name, tensor)
        for module in transformer.modules()
        for held in (module._parameters, module._buffers)
        for name, tensor in held.items()
        if tensor is not None
    ]
    try:
        with torch.inference_mode(False):
            for held, name, tensor in places:
                moved = tensor.data.to(device, non_blocking=True)
                is_weight = isinstance(tensor, torch.nn.Parameter)
                held[name] = torch.nn.Parameter(moved, requires_grad=False) if is_weight else moved
        yield transformer
    finally:
        for held, name, tensor in places:
            held[name] = tensor


def _tensors(module: torch.nn.Module) -> list[torch.Tensor]:
    return list(chain(module.parameters(), module.buffers()))
