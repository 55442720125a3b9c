"""A job's own book-keeping."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import msgspec
import pytest
from job_specs import SPEC

from void_server.service.jobs import Job


@pytest.mark.parametrize("events", list(permutations([1, 2, "done"])), ids=str)
def test_it_is_fetched_once_it_is_done_and_each_frame_was_had_in_whatever_order(events: tuple[int | str, ...]) -> None:
    """A client that keeps up has the last frame before the worker says that the job is done."""
    spec = msgspec.structs.replace(SPEC, last=2)
    job = Job("0" * 32, 1, "ana", "batch", spec, SPEC.check(), Path(), state="compositing")
    for event in events:
        assert not job.fetched
        if event == "done":
            job.move("done")
        else:
            job.has_served(int(event))
    assert job.fetched
