"""Nothing holds a shot at plate resolution."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.memory import DISTINCT, given, measured
from bench.scenes import TruthScene

pytestmark = pytest.mark.slow

PLATE = 960 * 540 * 3 * 2  # bytes; half R, G and B


def test_the_memory_a_shot_takes_beside_what_the_model_is_given_does_not_grow_with_it(tmp_path: Path) -> None:
    """Both are longer than what may be under way at a time, which differs from run to run by a few frames."""
    TruthScene(960, 540, DISTINCT, drop=0.02).write(tmp_path)
    short, long = (measured(tmp_path, count)[1] - given(count) for count in (12, 48))
    assert long - short < 0.5 * (48 - 12) * PLATE
