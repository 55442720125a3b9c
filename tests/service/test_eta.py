"""How much of a job is left, in steps of the stage at hand."""

from __future__ import annotations

import pytest

from void_server.service.reporter import steps_left
from void_server.settings import ShotSettings

SETTINGS = {"pass1": {"steps": 30, "guidance_scale": 1.0}, "pass2": {"steps": 50, "guidance_scale": 6.0}}


@pytest.mark.parametrize(
    ("passes", "stage", "left", "parts", "expected"),
    [
        (1, "pass1", 12, 0, 12),
        (1, "pass1", 12, 2, 12 + 2 * 30),
        (2, "pass1", 12, 0, 12 + 2 * 50),
        (2, "pass1", 12, 3, 12 + 2 * 50 + 3 * (30 + 2 * 50)),
        (2, "pass2", 12, 0, 12),
        (2, "pass2", 12, 3, 12 + 3 * (30 + 2 * 50) / 2),
        (2, "masking", 7, 0, 7),
    ],
)
def test_what_is_left_counts_the_second_pass_and_the_other_parts(
    passes: int, stage: str, left: int, parts: int, expected: float
) -> None:
    settings = ShotSettings.from_dict({"passes": passes, **SETTINGS})
    assert steps_left(settings, stage, left, parts) == expected
