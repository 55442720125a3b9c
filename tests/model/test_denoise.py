"""Windows: how a long clip is cut and blended."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from void_server.model import Checkpoint
from void_server.model.denoise import denoise, rope_tables, window_ramp, window_spans


def test_windows_advance_by_window_less_overlap() -> None:
    assert window_spans(22, 22, 4) == [(0, 22)]
    assert window_spans(24, 22, 4) == [(0, 22), (18, 24)]
    assert window_spans(50, 22, 4) == [(0, 22), (18, 40), (36, 50)]
    assert window_spans(4, 22, 4) == [(0, 4)]
    assert window_spans(8, 4, 0) == [(0, 4), (4, 8)]


def test_ramps_are_at_inner_edges_only() -> None:
    first, middle, last = (window_ramp(start, end, 50, 4).flatten() for start, end in window_spans(50, 22, 4))
    rising = torch.tensor([0.2, 0.4, 0.6, 0.8])
    torch.testing.assert_close(first[-4:], rising.flip(0))
    torch.testing.assert_close(middle[:4], rising)
    torch.testing.assert_close(middle[-4:], rising.flip(0))
    torch.testing.assert_close(last[:4], rising)
    assert (first[:-4] == 1).all()
    assert (last[4:] == 1).all()


class Still:
    """A transformer that predicts nothing, and a scheduler that changes nothing."""

    dtype = torch.float32
    config = SimpleNamespace(attention_head_dim=16)
    timesteps = torch.tensor([999, 500])

    def __init__(self) -> None:
        self.contexts: list[str] = []

    @contextmanager
    def cache_context(self, name: str):
        self.contexts.append(name)
        yield

    def _reset_stateful_cache(self) -> None:
        self.contexts.append("reset")

    def __call__(self, *, hidden_states: torch.Tensor, **_: object) -> tuple[torch.Tensor]:
        return (torch.zeros_like(hidden_states[:, :, :16]),)

    def set_timesteps(self, steps: int, device: object) -> None:
        assert steps == 2

    def step(
        self, velocity: torch.Tensor, timestep: torch.Tensor, sample: torch.Tensor, return_dict: bool
    ) -> tuple[torch.Tensor]:
        return (sample + velocity,)


@pytest.mark.parametrize("overlap", [0, 2, 4])
def test_blending_windows_that_agree_changes_nothing(overlap: int) -> None:
    still = Still()
    noise = torch.randn(1, 14, 16, 4, 6)
    latents = denoise(
        still,
        still,
        Checkpoint(0, noise),
        torch.zeros(1, 14, 32, 4, 6),
        torch.zeros(1, 226, 8),
        guidance_scale=1.0,
        steps=2,
        window=6,  # so an overlap of 4 lays up to three windows over a frame
        overlap=overlap,
    )
    torch.testing.assert_close(latents, noise)
    windows = [f"window {index}" for index in range({0: 3, 2: 3, 4: 5}[overlap])]
    assert still.contexts == [*windows, *windows, "reset"]


def test_positions_are_made_once_and_serve_training_too() -> None:
    with torch.inference_mode():
        tables = rope_tables(16, 6, 4, 8, torch.device("cpu"))
    assert rope_tables(16, 6, 4, 8, torch.device("cpu")) is tables
    assert tables[0].shape == (3 * 2 * 4, 16)
    assert not tables[0].is_inference()
