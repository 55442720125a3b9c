"""The soak, shorter: `bench/soak.py` says what it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.soak import soak


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_of_jobs_whose_front_worker_and_clients_are_killed_none_is_lost_or_done_twice_or_changed(
    tmp_path: Path,
) -> None:
    figures = soak(tmp_path, kills=21, seed=8, devices="cpu,cpu")
    assert dict(figures.kills) == {"front": 7, "worker": 7, "client": 7}
    assert figures.jobs >= 7
    assert figures.whole(), figures
