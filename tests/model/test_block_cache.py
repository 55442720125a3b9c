"""A block cache that is put on a transformer keeps one past a window, and none from shot to shot."""

import numpy as np
import pytest
from diffusers import FirstBlockCacheConfig
from small_shots import run

from void_server.model import VoidModel


@pytest.mark.parametrize("frames", [13, 27])
def test_a_cache_that_never_hits_changes_nothing(model: VoidModel, frames: int) -> None:
    plain = run(model, frames, changes={"steps": 3})
    model.transformers[1].enable_cache(FirstBlockCacheConfig(threshold=0.0))
    try:
        np.testing.assert_array_equal(run(model, frames, changes={"steps": 3}), plain)
    finally:
        model.transformers[1].disable_cache()
    np.testing.assert_array_equal(run(model, frames, changes={"steps": 3}), plain)


def test_each_window_has_its_own_past_and_each_shot_a_new_one(model: VoidModel) -> None:
    transformer = model.transformers[1]
    tails = []
    hook = transformer.transformer_blocks[-1].attn1.register_forward_hook(lambda *_: tails.append(True))
    transformer.enable_cache(FirstBlockCacheConfig(threshold=1e9))  # every step after a window's first is skipped
    try:
        first = run(model, 27, changes={"steps": 3})
        assert len(tails) == 3  # one a window
        again = run(model, 27, changes={"steps": 3})
        assert len(tails) == 6
    finally:
        transformer.disable_cache()
        hook.remove()
    np.testing.assert_array_equal(first, again)
