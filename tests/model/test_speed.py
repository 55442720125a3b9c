"""What each speed setting changes in the latents, and what the first-block cache may never carry over."""

import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
import torch._inductor.config
from diffusers import DDIMScheduler
from torch._dynamo.utils import counters

from void_server.model import PassSettings, VoidModel, WeightsFolder
from void_server.model.checkpoint import Checkpoint
from void_server.model.denoise import denoise
from void_server.model.loading import load_transformer
from void_server.model.plan import PlanName
from void_server.model.speed import Speed, SpeedUnavailable, apply, attention_backend
from void_server.training.layout import SCHEDULER

STEPS = 8
WINDOW, OVERLAP = 4, 2
ROUNDING = 1e-5  # float32, of latents of unit variance

STOCK = {name: value for name, value in SCHEDULER.items() if name != "snr_shift_scale"}
SKIPPING = 0.5  # a threshold high enough for the tiny model, whose few steps are far apart

# (latent frames, guidance scale): one window and three, without guidance and with it.
SHOTS = pytest.mark.parametrize(("frames", "guidance"), [(4, 1.0), (8, 1.0), (4, 6.0), (8, 6.0)])

WITH_ALL = {"fuse_qkv": True, "first_block_cache": SKIPPING, "attention": "math"}

Transformers = Callable[..., Any]


@pytest.fixture(scope="module")
def transformer(tiny_folder: Path) -> Transformers:
    """A new tiny transformer at every call, with the speed settings of the call."""
    weights = WeightsFolder.find(tiny_folder)

    def load(**settings: Any) -> Any:
        model = load_transformer(weights.base, weights.pass1, device="cpu", dtype=torch.float32)
        apply(model, Speed(**settings))
        return model

    return load


def latents(model: Any, frames: int = WINDOW, guidance: float = 1.0, overlap: int = OVERLAP, **options) -> torch.Tensor:
    random = torch.Generator().manual_seed(frames)
    noise, conditioning, prompts = (
        torch.randn(shape, generator=random)
        for shape in ((1, frames, 16, 4, 6), (1, frames, 32, 4, 6), (1 if guidance == 1 else 2, 226, 32))
    )
    start, end = options.pop("part", (0, frames))
    with torch.inference_mode():
        return denoise(
            model,
            DDIMScheduler(**STOCK),
            Checkpoint(0, noise[:, start:end]),
            conditioning[:, start:end],
            prompts,
            guidance_scale=guidance,
            steps=STEPS,
            window=WINDOW,
            overlap=overlap,
            **options,
        )


def far(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).abs().max())


def blocks_run(model: Any) -> list[int]:
    """Appended to each time that a block other than the first does its work."""
    seen: list[int] = []
    for number, block in enumerate(model.transformer_blocks[1:], start=1):
        block.ff.register_forward_hook(lambda *_, number=number: seen.append(number))
    return seen


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"compile": 1}, "compile is 1; it must be True or False"),
        ({"fuse_qkv": "yes"}, "fuse_qkv is 'yes'; it must be True or False"),
        ({"first_block_cache": -0.1}, r"first_block_cache is -0.1; it must be .* from 0 \(off\) to less than 1"),
        ({"first_block_cache": 1.0}, "first_block_cache is 1.0; it must be"),
        ({"first_block_cache": float("nan")}, "first_block_cache is nan; it must be"),
        ({"first_block_cache": True}, "first_block_cache is True; it must be a number"),
        ({"attention": "cudnn"}, 'attention is \'cudnn\'; it must be "auto", "math" or "flash"'),
    ],
)
def test_bad_settings_are_refused_with_a_way_out(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Speed(**settings)


@pytest.fixture(scope="module")
def plain(tiny_folder: Path) -> Callable[[int, float], torch.Tensor]:
    """Latents of the tiny transformer as it is loaded, which this module never touched."""
    weights = WeightsFolder.find(tiny_folder)
    model = load_transformer(weights.base, weights.pass1, device="cpu", dtype=torch.float32)
    return cache(lambda frames=WINDOW, guidance=1.0: latents(model, frames, guidance))


@SHOTS
def test_nothing_set_changes_no_bit(transformer: Transformers, plain: Any, frames: int, guidance: float) -> None:
    with attention_backend(Speed()):
        assert torch.equal(latents(transformer(), frames, guidance), plain(frames, guidance))


@SHOTS
def test_fused_projections_change_no_more_than_rounding(
    transformer: Transformers, plain: Any, frames: int, guidance: float
) -> None:
    assert far(latents(transformer(fuse_qkv=True), frames, guidance), plain(frames, guidance)) <= ROUNDING


def test_fused_projections_are_used_and_take_no_more_memory(transformer: Transformers) -> None:
    single, fused = transformer(), transformer(fuse_qkv=True)
    calls: list[str] = []
    for name, module in fused.named_modules():
        module.register_forward_hook(lambda *_, name=name: calls.append(name))
    latents(fused)
    assert "transformer_blocks.0.attn1.to_qkv" in calls
    assert sum(p.numel() for p in fused.parameters()) == sum(p.numel() for p in single.parameters())
    assert not any(p.requires_grad for p in fused.parameters())


@pytest.mark.parametrize(("kernel", "called"), [("math", "attention_math"), ("flash", "flash_attention_for_cpu")])
def test_attention_runs_on_the_kernel_that_is_set(
    transformer: Transformers, plain: Any, kernel: Any, called: str
) -> None:
    model = transformer(attention=kernel)
    with torch.profiler.profile() as profile, attention_backend(Speed(attention=kernel)):
        result = latents(model)
    kernels = {event.key for event in profile.key_averages() if "_scaled_dot_product" in event.key}
    assert [name for name in kernels if called in name]
    assert len(kernels) == 1
    assert far(result, plain()) <= ROUNDING


def test_a_kernel_that_cannot_run_is_named() -> None:
    tokens = torch.zeros(1, 1, 4, 8)
    with (
        pytest.raises(SpeedUnavailable, match=r'attention is "flash", which cannot run .*; set it to "auto"'),
        attention_backend(Speed(attention="flash")),
    ):
        torch.nn.functional.scaled_dot_product_attention(tokens, tokens, tokens, dropout_p=0.5)


def test_other_errors_of_a_pass_come_through() -> None:
    with pytest.raises(RuntimeError, match=r"^the lights went out$"), attention_backend(Speed(attention="math")):
        raise RuntimeError("the lights went out")


@SHOTS
def test_the_first_block_cache_saves_work_and_stays_near(
    transformer: Transformers, plain: Any, frames: int, guidance: float
) -> None:
    model = transformer(first_block_cache=SKIPPING)
    seen = blocks_run(model)
    error = far(latents(model, frames, guidance), plain(frames, guidance))
    windows = 1 if frames == WINDOW else 3
    assert windows <= len(seen) <= windows * STEPS // 2
    assert 0 < error <= 0.15  # of latents with a deviation of 1.24


def test_a_first_block_cache_that_never_hits_changes_no_bit(transformer: Transformers, plain: Any) -> None:
    assert torch.equal(latents(transformer(first_block_cache=1e-9), 8, 6.0), plain(8, 6.0))


def test_a_second_run_gives_the_same_bits(transformer: Transformers) -> None:
    model = transformer(first_block_cache=SKIPPING)
    first = latents(model, 8)
    latents(model)  # another shot in between
    assert torch.equal(latents(model, 8), first)


def test_a_cancelled_run_leaves_nothing_to_the_next(transformer: Transformers) -> None:
    model = transformer(first_block_cache=SKIPPING)
    first = latents(model, 8)

    def cancel(step: int, _: torch.Tensor) -> None:
        if step == STEPS // 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        latents(model, 8, on_step=cancel)
    assert torch.equal(latents(model, 8), first)


def test_a_run_that_dies_between_two_blocks_leaves_nothing_to_the_next(transformer: Transformers) -> None:
    model = transformer(first_block_cache=SKIPPING)
    first = latents(model, 8)

    def die(*_: Any) -> None:
        raise InterruptedError

    hook = model.transformer_blocks[1].attn1.register_forward_pre_hook(die)
    with pytest.raises(InterruptedError):
        latents(model, 8)
    hook.remove()
    assert torch.equal(latents(model, 8), first)


def test_no_window_is_given_another_s_work(transformer: Transformers) -> None:
    model = transformer(first_block_cache=SKIPPING)
    both = latents(model, 8, overlap=0)
    # Windows that do not overlap know nothing of each other, so each is what it would be alone.
    for part in ((0, 4), (4, 8)):
        assert torch.equal(both[:, slice(*part)], latents(model, 8, overlap=0, part=part))


@pytest.mark.parametrize("plan", get_args(PlanName))
def test_the_first_block_cache_works_however_the_model_is_held(tiny_folder: Path, plan: Any) -> None:
    weights, settings = WeightsFolder.find(tiny_folder), PassSettings.pass2(height=32, width=48, window=13, steps=STEPS)
    clip, quadmask = np.full((13, 32, 48, 3), 0.5, np.float32), np.zeros((13, 32, 48), np.uint8)
    whole, cached = (
        VoidModel.load(weights.base, weights.pass1, weights.pass2, plan=plan, speed=speed)
        for speed in (None, Speed(first_block_cache=SKIPPING, attention="math"))
    )
    seen = blocks_run(cached.transformers[2])
    first, again, plain = (model.run_pass(2, clip, quadmask, "", settings) for model in (cached, cached, whole))
    np.testing.assert_array_equal(first, again)
    assert 2 <= len(seen) <= STEPS
    assert 0 < np.abs(first - plain).max() <= 0.1


@pytest.mark.parametrize("name", ["compile", "fuse_qkv"])
def test_blocks_that_are_not_resident_are_not_rebuilt(tiny_folder: Path, name: str) -> None:
    weights = WeightsFolder.find(tiny_folder)
    with pytest.raises(SpeedUnavailable, match=f'{name} is True, .*"resident" alone.* "swap"; set {name} to False'):
        VoidModel.load(weights.base, weights.pass1, weights.pass2, plan="swap", speed=Speed(**{name: True}))


def test_the_model_takes_its_speed_to_both_passes(tiny_folder: Path) -> None:
    weights = WeightsFolder.find(tiny_folder)
    fused = VoidModel.load(weights.base, weights.pass1, weights.pass2, speed=Speed(fuse_qkv=True))
    assert all(hasattr(fused.transformers[number].transformer_blocks[1].attn1, "to_qkv") for number in (1, 2))


def test_compiling_without_a_compiler_is_refused_when_the_model_is_loaded(
    transformer: Transformers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    torch._dynamo.reset()
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    no_compiler = torch._inductor.config.patch({"cpp.cxx": ("no-such-compiler",)})
    refused = pytest.raises(SpeedUnavailable, match=r"compile is True, but .*; install a C\+\+ compiler .* to False")
    with no_compiler, refused:
        transformer(compile=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which(os.environ.get("CXX", "g++")) is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize("others", [{}, WITH_ALL], ids=["alone", "with all"])
def test_compiled_blocks_change_no_more_than_rounding(transformer: Transformers, others: dict[str, Any]) -> None:
    torch._dynamo.reset()
    counters.clear()
    plain, compiled = transformer(**others), transformer(compile=True, **others)
    with attention_backend(Speed(**others)):
        for frames, guidance in ((4, 1.0), (8, 6.0)):
            assert far(latents(compiled, frames, guidance), latents(plain, frames, guidance)) <= ROUNDING
    # One for each shape: neither windows nor skipped steps may cost another.
    assert counters["stats"]["unique_graphs"] == 3  # and the one that tries the compiler
    assert not counters["graph_break"]
