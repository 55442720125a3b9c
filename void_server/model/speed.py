"""Ways to a faster pass, each behind a setting; with none set, every number stays what it is to the last bit.

`apply` goes once over a transformer when it is loaded, `attention_backend` goes around every pass. docs/speed.md has
what each setting brings and what it costs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from diffusers import FirstBlockCacheConfig
from diffusers.models.attention_processor import FusedCogVideoXAttnProcessor2_0
from torch.nn.attention import SDPBackend, sdpa_kernel

from void_server.model.plan import PlanName

Attention = Literal["auto", "math", "flash"]

_KERNELS = {"math": SDPBackend.MATH, "flash": SDPBackend.FLASH_ATTENTION}


class SpeedUnavailable(RuntimeError):
    """A speed setting that cannot be followed here; the message says what to install or to set instead."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What may be done to make a pass faster.

    compile: compile the transformer's blocks when first used; rounding changes. Needs a C++ compiler.
    first_block_cache: how much, relative to itself, the first block's residual may change from one step to the next
        for the other blocks' work to be taken from the step before; 0.0 is off. Changes the picture.
    fuse_qkv: project queries, keys and values in one multiplication; rounding may change.
    attention: the attention kernel; "auto" leaves it to torch, "flash" never forms the matrix of all pairs of tokens,
        "math" does: slow, but the one that the others can be checked against.

    Raises ValueError, which names the field, its value and what to put instead.
    """

    compile: bool = False
    first_block_cache: float = 0.0
    fuse_qkv: bool = False
    attention: Attention = "auto"

    def __post_init__(self) -> None:
        for name in ("compile", "fuse_qkv"):
            if type(getattr(self, name)) is not bool:
                self._refuse(name, "must be True or False")
        threshold = self.first_block_cache
        if type(threshold) not in (int, float) or not 0 <= threshold < 1:
            self._refuse("first_block_cache", "must be a number from 0 (off) to less than 1; 0.05 is a cautious one")
        if self.attention not in ("auto", *_KERNELS):
            self._refuse("attention", 'must be "auto", "math" or "flash"')

    def _refuse(self, name: str, rule: str) -> None:
        raise ValueError(f"{name} is {getattr(self, name)!r}; it {rule}")


def check_plan(speed: Speed, how: PlanName) -> None:
    """Raises SpeedUnavailable where a transformer that is held as `how` says cannot be changed as `speed` says."""
    for name in ("compile", "fuse_qkv"):
        if how != "resident" and getattr(speed, name):
            raise SpeedUnavailable(
                f'{name} is True, which goes with the plan "resident" alone, and this one is "{how}"; '
                f"set {name} to False, or take a card that holds the whole model"
            )


def apply(transformer: Any, speed: Speed) -> None:
    """Change a CogVideoX transformer in place, on the device where it will run; once for each transformer.

    Raises SpeedUnavailable where torch.compile does not work.
    """
    if speed.fuse_qkv:
        _fuse_qkv(transformer)
    if speed.compile:
        _check_compiler(transformer.device)
        _compile_blocks(transformer)
    if speed.first_block_cache:
        transformer.enable_cache(FirstBlockCacheConfig(threshold=speed.first_block_cache))


@contextmanager
def attention_backend(speed: Speed) -> Iterator[None]:
    """Inside, attention runs on the kernel that is set. Raises SpeedUnavailable where that kernel cannot be used."""
    if speed.attention == "auto":
        yield
        return
    # diffusers' set_attention_backend does not reach CogVideoX: its processor calls torch's attention by itself.
    with sdpa_kernel(_KERNELS[speed.attention]):
        try:
            yield
        except RuntimeError as error:
            if "No available kernel" not in str(error):
                raise
            raise SpeedUnavailable(
                f'attention is "{speed.attention}", which cannot run on this device with this data type; '
                'set it to "auto"'
            ) from error


def _fuse_qkv(transformer: Any) -> None:
    # As transformer.fuse_qkv_projections() does, which keeps the three single projections in memory as well.
    for block in transformer.transformer_blocks:
        block.attn1.fuse_projections()
        del block.attn1.to_q, block.attn1.to_k, block.attn1.to_v
    transformer.set_attn_processor(FusedCogVideoXAttnProcessor2_0())
    transformer.requires_grad_(False)


def _compile_blocks(transformer: Any) -> None:
    # The first block is given views of one tensor, which would take a second graph, compiled for it alone.
    for block in transformer.transformer_blocks[1:]:
        # The method, not the module as in compile_repeated_blocks: hooks of the first-block cache go around the method,
        # and a graph that holds them is compiled again for every window and every step that is skipped.
        # Not fullgraph: with it, one shape more than torch keeps graphs for is an error, without it a slower pass.
        block.forward = torch.compile(block.forward)


def _check_compiler(device: torch.device) -> None:
    # A failed compilation is told when the model is loaded, not after a shot was queued.
    try:
        torch.compile(_probe)(torch.ones(8, device=device))
    except RuntimeError as error:
        raise SpeedUnavailable(
            f"compile is True, but torch.compile does not work here ({str(error).strip().splitlines()[0]}); install a "
            "C++ compiler (and, for a GPU, Triton), or set compile to False"
        ) from error


def _probe(x: torch.Tensor) -> torch.Tensor:
    return x.sin() + 1
