"""Nothing holds a shot at plate resolution."""

from __future__ import annotations

from pathlib import Path

from bench.memory import DISTINCT, given, measured
from bench.scenes import TruthScene


def test_a_shot_eight_times_as_long_takes_no_more_memory_but_for_what_the_model_is_given(tmp_path: Path) -> None:
    """25 frames of 960x540 in half are 78 MB, half of what a process of ours takes without any."""
    TruthScene(960, 540, DISTINCT, drop=0.02).write(tmp_path)
    short, long = (measured(tmp_path, count)[1] - given(count) for count in (5, 30))
    assert long <= 1.1 * short
