"""Which job runs next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from void_client import protocol

from .jobs import Job


def next_job(jobs: Iterable[Job], turns: Mapping[str, int], now: float) -> Job | None:
    """The queued job whose turn it is, or None.

    Those that somebody waits for go before the batch; of these, one that has been begun; then the user whose last
    turn is longest ago (`turns` counts up); each user's in the order of submission. now: time.monotonic(), before
    which a job may have been put off.
    """
    queued = [job for job in jobs if job.state == "queued" and job.not_before <= now]
    return min(
        queued,
        key=lambda job: (
            protocol.PRIORITIES.index(job.priority),
            job.crashes + job.interruptions == 0,
            turns.get(job.user, 0),
            job.number,
        ),
        default=None,
    )
