"""A pass that does not fit says so, lets go of what it held, and leaves a model that works."""

import weakref
from collections.abc import Callable

import numpy as np
import pytest
import torch
from small_shots import run

from void_server.model import OutOfMemory, VoidModel


def card_is_full() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee documentation")


def machine_is_full() -> None:
    torch.empty(1 << 55)


def numpy_is_full() -> None:
    np.empty(1 << 55, np.uint8)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(
    ("fail", "cause"),
    [(card_is_full, "Tried to allocate 2.00 GiB"), (machine_is_full, "allocate memory|memory"), (numpy_is_full, "PiB")],
)
def test_running_out_names_the_pass_its_size_and_the_way_out(
    model: VoidModel, number: int, fail: Callable[[], None], cause: str
) -> None:
    held: list[weakref.ref] = []

    def on_step(_: int, latents: torch.Tensor) -> None:
        held.append(weakref.ref(latents))
        fail()

    with pytest.raises(OutOfMemory, match=rf"pass {number} .* 32 x 48 .*29 frames in windows of 13 ") as raised:
        run(model, 27, number, on_step=on_step)
    assert raised.match(cause)
    assert raised.match("smaller window or picture, or a leaner plan .*`void weights plan`")
    assert held[0]() is None
    assert model._encoded is None
    assert np.isfinite(run(model, 27, number)).all()


def test_running_out_inside_the_transformer_leaves_the_next_pass_as_it_was(
    model: VoidModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run(model)
    held: list[weakref.ref] = []
    encode = model.encode_conditions

    def encode_conditions(*args) -> torch.Tensor:
        conditions = encode(*args)
        held.append(weakref.ref(conditions))
        return conditions

    with monkeypatch.context() as patch:
        patch.setattr(model, "encode_conditions", encode_conditions)
        patch.setattr(model.transformers[1], "forward", lambda **_: card_is_full())
        with pytest.raises(OutOfMemory):
            run(model)
    assert held[0]() is None
    np.testing.assert_array_equal(run(model), before)


def test_other_errors_pass_through(model: VoidModel) -> None:
    def on_step(_: int, latents: torch.Tensor) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1") as raised:
        run(model, on_step=on_step)
    assert raised.type is RuntimeError
