"""A job that waits for a reasoner's answer can be cancelled meanwhile."""

from __future__ import annotations

import threading

import pytest

from void_server.masking import _patiently
from void_server.masks.endpoint import CannotReason


class Cancelled(Exception):
    """What a progress raises for a job that is to stop."""


def test_waiting_ends_when_the_job_is_cancelled() -> None:
    answered = threading.Event()
    looks = []

    def wait() -> None:
        looks.append(1)
        if len(looks) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        _patiently(lambda: answered.wait(30), wait)
    answered.set()


@pytest.mark.parametrize("error", [CannotReason("no network"), TimeoutError("read timed out")])
def test_what_asking_raises_comes_through(error: Exception) -> None:
    def ask():
        raise error

    with pytest.raises(type(error), match=str(error)):
        _patiently(ask, lambda: None)
