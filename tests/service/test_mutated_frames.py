"""Damaged EXRs through the whole service: `bench/mutated_frames.py` says what it does, and what is right."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers import Server

from bench.mutated_frames import hammer

FLAT = 64  # MiB; of the front, which is to hold nothing of a job that was released


@pytest.mark.parametrize(
    ("count", "seed"), [(150, 3), pytest.param(2000, 1, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_each_damaged_frame_is_a_clear_failure_of_its_job_or_right_pixels(
    tmp_path: Path, count: int, seed: int
) -> None:
    server = Server(tmp_path / "spool", "--frame-limit", 120)
    figures = hammer(server, tmp_path / "files", count, seed)
    assert figures.wrong == {}
    assert figures.worker_deaths == 0
    assert figures.growth["front"] < FLAT
    assert figures.refused + figures.right + figures.unseen == count
    assert figures.right > count / 20, "some damage is only other pixels"
    assert figures.refused > count / 3, "most is found"
    assert "Traceback" not in server.log()
    server.stop()
