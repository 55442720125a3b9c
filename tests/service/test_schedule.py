"""Whose turn it is, as a table of queued jobs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_specs import SPEC

from void_server.service.jobs import Job
from void_server.service.schedule import next_job


def queued(number: int, user: str = "ana", priority: str = "interactive", crashes: int = 0) -> Job:
    return Job(f"{number:032x}", number, user, priority, SPEC, SPEC.check(), Path(), state="queued", crashes=crashes)


def order(jobs: list[Job]) -> list[int]:
    """The numbers of the jobs as they would run, one after the other."""
    turns: dict[str, int] = {}
    ran = []
    while job := next_job(jobs, turns, now=0.0):
        job.move("done")
        ran.append(job.number)
        turns[job.user] = len(ran)
    return ran


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ([queued(1), queued(2), queued(3)], [1, 2, 3]),
        ([queued(1, priority="batch"), queued(2), queued(3, priority="batch"), queued(4)], [2, 4, 1, 3]),
        ([queued(1), queued(2), queued(3), queued(4, "ben"), queued(5, "ben")], [1, 4, 2, 5, 3]),
        ([queued(1), queued(2), queued(3, "ben"), queued(4, "cleo")], [1, 3, 4, 2]),
        ([queued(1), queued(2, crashes=1), queued(3, priority="batch", crashes=1)], [2, 1, 3]),
    ],
    ids=["as submitted", "batch waits", "users in turn", "three users", "what was begun is ended"],
)
def test_the_order_is(jobs: list[Job], expected: list[int]) -> None:
    assert order(jobs) == expected


def test_a_job_that_is_put_off_lets_the_others_pass() -> None:
    late, other = queued(1), queued(2)
    late.not_before = 10.0
    assert next_job([late, other], {}, now=9.0) is other
    assert next_job([late], {}, now=9.0) is None
    assert next_job([late, other], {}, now=10.0) is late


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["interactive", "batch"])), max_size=12))
def test_every_job_runs_once_and_no_user_waits_for_two_of_another(asked: list[tuple[str, str]]) -> None:
    jobs = [queued(number, user, priority) for number, (user, priority) in enumerate(asked)]
    by_number = {job.number: job for job in jobs}
    ran = order(jobs)
    assert sorted(ran) == sorted(by_number)
    kinds = [by_number[number].priority for number in ran]
    assert kinds == sorted(kinds, key=["interactive", "batch"].index)
    for kind in ("interactive", "batch"):
        users = [by_number[number].user for number in ran if by_number[number].priority == kind]
        for place, user in enumerate(users[:-1]):
            if users[place + 1] == user:
                assert set(users[place + 1 :]) == {user}, "twice in a row only where nobody else is left"
