"""The bar of a bake: it never falls back, whatever the job does."""

from __future__ import annotations

from typing import Any

from void_client.progress import percent, stage_in_words
from void_nuke.bake import Reporting


class Listener:
    """Somebody who waits for a bake."""

    def __init__(self) -> None:
        self.percents: list[int] = []
        self.notes: list[str] = []

    def progress(self, text: str, percent: int) -> None:
        self.percents.append(percent)

    def note(self, identity: str, text: str) -> None:
        self.notes.append(text)


def state(stage: str, step: int = 0, steps: int = 0, part: int = 1, parts: int = 1, *notices: str) -> dict[str, Any]:
    return {
        "state": stage,
        "step": step,
        "steps": steps,
        "eta": None,
        "part": part,
        "parts": parts,
        "notices": list(notices),
    }


def three_windows() -> list[dict[str, Any]]:
    stages = (("pass1", 30), ("warping", 1), ("pass2", 50))
    return [
        state(stage, step, steps, part, 3) for part in (1, 2, 3) for stage, steps in stages for step in range(steps + 1)
    ]


def test_each_window_has_a_third_of_what_the_passes_have() -> None:
    shown = [percent(told) for told in three_windows()]
    assert shown == sorted(shown)
    passes = percent(state("finishing")) - percent(state("pass1"))
    for part in (1, 2, 3):
        begins = percent(state("pass1", 0, 30, part, 3)) - percent(state("pass1"))
        assert abs(begins - passes * (part - 1) / 3) <= 1
    assert shown[-1] == percent(state("finishing"))
    assert "pass 2, part 3 of 3, step 1 of 50" in stage_in_words(state("pass2", 1, 50, 3, 3))


def test_the_bar_waits_where_a_job_is_read_again_tried_again_or_silent() -> None:
    listener = Listener()
    reporting = Reporting(listener, "me")  # type: ignore[arg-type]
    for told in (state("masking", 6, 6), state("masking", 0, 6), state("pass1", 20, 30), state("queued")):
        reporting.on_state(["main"], "main", told)
    reporting.on_silence(11.0)
    assert listener.percents == sorted(listener.percents)
    assert listener.percents[-1] == percent(state("pass1", 20, 30))


def test_the_second_view_goes_on_where_the_first_one_ended() -> None:
    listener = Listener()
    reporting = Reporting(listener, "me")  # type: ignore[arg-type]
    for view in ("left", "right"):
        for told in (state("receiving"), state("pass1", 15, 30), state("done")):
            reporting.on_state(["left", "right"], view, told)
    assert listener.percents[2:4] == [50, 50]
    assert listener.percents[-1] == 100


def test_each_notice_is_said_once_and_stays_beside_the_next() -> None:
    listener = Listener()
    reporting = Reporting(listener, "me")  # type: ignore[arg-type]
    for notices in ((), ("a",), ("a",), ("a", "b")):
        reporting.on_state(["main"], "main", state("pass1", 1, 30, 1, 1, *notices))
    assert listener.notes == ["baking. a", "baking. a. b"]
