"""How to hold the model on a card of so much memory: what each way needs, and which one to take.

Weights are exact: elements from the files' headers, times the bytes of an element. Activations are estimates: the
largest set of tensors alive at once, as counted on the CPU with the real layers at small sizes, scaled by what each
grows with. None of the peaks has been measured on a card.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from void_server.model.settings import latent_frames
from void_server.model.weights import BadWeights, TensorInfo, read_config, read_header, shard_files

PlanName = Literal["resident", "swap", "fp8"]

GIB = 2**30
TEXT_TOKENS = 226

# Tensors alive at once, in copies of [batch, tokens, width]; 12.6 were counted, in float32 and bfloat16 alike.
# Attention is taken to be fused: no tokens x tokens matrix.
TRANSFORMER_COPIES = 13
# The same in the autoencoder's last level, in copies of a chunk's pixels times that level's channels; what its causal
# convolutions carry from chunk to chunk is in it.
ENCODE_COPIES = 10
DECODE_COPIES = 11
ENCODE_FRAMES, DECODE_FRAMES = 13, 8  # of the largest chunk: encoding, the first has eight frames and five
# A guess: the libraries' own buffers, what the allocator can't use, and the clip's latents (0.2 MB a frame at 384x672).
RESERVE = GIB

# What layerwise casting leaves at full precision: diffusers' own list and CogVideoX's.
_NOT_FP8 = re.compile(r"pos_embed|patch_embed|norm|^proj_in$|^proj_out$")


class BadPlan(BadWeights):
    """No way of holding the model fits the card; the message names what is needed, what is free and what helps."""


@dataclass(frozen=True)
class Shape:
    """What a pass is run at: pixels, and frames in one window of the transformer."""

    height: int = 384
    width: int = 672
    window: int = 85


@dataclass(frozen=True)
class Sizes:
    """Bytes of the weights as they would lie in memory, and the widths that activations grow with."""

    transformers: tuple[int, ...]
    transformers_fp8: tuple[int, ...]
    vae: int
    text_encoder: int
    width: int  # of the transformer's tokens
    encode_channels: int
    decode_channels: int
    element: int  # bytes of an activation


@dataclass(frozen=True)
class Plan:
    """One way of holding the model. peak: bytes on the card; host: bytes of main memory for weights, pinned."""

    name: PlanName
    peak: int
    host: int
    encoder_device: Literal["card", "cpu"]
    why: str


def weigh(base: Path, passes: Sequence[Path], element: int = 2) -> Sizes:
    """Sizes of the weights in these files at `element` bytes each (2: bfloat16); only headers and configs are read.

    A checkpoint of 33 input channels counts as it is; widened it has three megabytes more. Raises BadWeights.
    """
    headers = [read_header(path) for path in passes]
    transformer = read_config(base / "transformer" / "config.json")
    channels = read_config(base / "vae" / "config.json").get("block_out_channels", (128, 256, 256, 512))
    return Sizes(
        transformers=tuple(element * count_elements(header) for header in headers),
        transformers_fp8=tuple(fp8_bytes(header, element) for header in headers),
        vae=element * _elements_of(shard_files(base / "vae", "diffusion_pytorch_model")),
        text_encoder=element * _elements_of(shard_files(base / "text_encoder", "model")),
        width=transformer.get("num_attention_heads", 30) * transformer.get("attention_head_dim", 64),
        encode_channels=channels[0],
        decode_channels=max(channels[:2]),
        element=element,
    )


def count_elements(header: Mapping[str, TensorInfo]) -> int:
    """Numbers in all tensors of a file."""
    return sum(tensor.elements for tensor in header.values())


def fp8_bytes(header: Mapping[str, TensorInfo], element: int = 2) -> int:
    """Bytes of a transformer under layerwise casting: one an element, but for norms and the first and last layer."""
    return sum(
        tensor.elements * (element if _NOT_FP8.search(name.rpartition(".")[0]) else 1)
        for name, tensor in header.items()
    )


def _elements_of(files: Sequence[Path]) -> int:
    return sum(count_elements(read_header(path)) for path in files)


def tokens(shape: Shape) -> int:
    """Tokens of one window: 226 of text, and one for 16x16 pixels of two latent frames (eight frames)."""
    return TEXT_TOKENS + (shape.height // 16) * (shape.width // 16) * ((latent_frames(shape.window) + 1) // 2)


def transformer_activations(sizes: Sizes, shape: Shape, batch: int = 2) -> int:
    """Estimate, bytes: copies x batch x tokens x width x bytes an element. batch: 2 with guidance, as pass 2 has."""
    return TRANSFORMER_COPIES * batch * tokens(shape) * sizes.width * sizes.element


def encode_activations(sizes: Sizes, shape: Shape) -> int:
    """Estimate, bytes: copies x 13 frames x pixels x channels of the first level."""
    return ENCODE_COPIES * ENCODE_FRAMES * sizes.encode_channels * shape.height * shape.width * sizes.element


def decode_activations(sizes: Sizes, shape: Shape) -> int:
    """Estimate, bytes: copies x 8 frames x pixels x channels that enter the last level."""
    return DECODE_COPIES * DECODE_FRAMES * sizes.decode_channels * shape.height * shape.width * sizes.element


def plans(sizes: Sizes, shape: Shape) -> list[Plan]:
    """Every way of holding the model, the best first: fast and exact, then exact, then in 8 bits."""
    one, both = max(sizes.transformers), sum(sizes.transformers)
    ways: list[tuple[PlanName, int, int, int, str]] = [
        ("resident", both, 0, 0, "both transformers stay on the card: nothing is moved"),
        ("swap", 0, one, both, "each transformer is on the card for its own pass: one copy of it a pass"),
        (
            "fp8",
            0,
            max(sizes.transformers_fp8),
            sum(sizes.transformers_fp8),
            "as swap, stored in float8_e4m3fn and computed in bfloat16: the picture changes a little",
        ),
    ]
    return [_plan(name, stays, visits, host, why, sizes, shape) for name, stays, visits, host, why in ways]


def _plan(name: PlanName, stays: int, visits: int, host: int, why: str, sizes: Sizes, shape: Shape) -> Plan:
    """stays: bytes of transformer on the card all the time; visits: bytes that come for the denoising alone."""
    stages = (
        visits + transformer_activations(sizes, shape),
        encode_activations(sizes, shape),
        decode_activations(sizes, shape),
    )
    # T5 comes and goes before any of these; where it alone would set the peak, it runs on the CPU.
    on_cpu = sizes.text_encoder > max(stages)
    return Plan(
        name=name,
        peak=RESERVE + stays + sizes.vae + max(stages),
        host=host + (sizes.text_encoder if on_cpu else 0),
        encoder_device="cpu" if on_cpu else "card",
        why=why,
    )


def choose(offered: Sequence[Plan], free: int) -> Plan:
    """The first plan whose peak is at most `free` bytes. Raises BadPlan."""
    for plan in offered:
        if plan.peak <= free:
            return plan
    least = min(offered, key=lambda plan: plan.peak)
    raise BadPlan(
        f"the model does not fit: {free / GIB:.1f} GiB of the card's memory are free, and the smallest plan, "
        f"{least.name}, needs {least.peak / GIB:.1f} GiB; end other programs on the card, lower the model's height and "
        "width, or take a card with more memory"
    )
