"""The real model's code on tiny weights: worker and server are killed at random moments, and every bit stays."""

from __future__ import annotations

import os
import random
import signal
import uuid
from pathlib import Path

import pytest
from following import Following, make_job, take, until
from servers import Server
from void_client.client import Client, Job

from void_server.checkpoints import EVERY

STEPS = 24
SETTINGS = {"passes": 2, "pass1": {"steps": STEPS}, "pass2": {"steps": STEPS}}


def undisturbed(server: Server, sent: Job, job_id: str) -> dict[int, bytes]:
    with Client(server.address) as client:
        client.submit(sent, job_id)
        return take(client, sent, job_id)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_anywhere_a_job_ends_in_the_bits_of_one_that_was_not(
    shot: Path, tiny_folder: Path, tmp_path: Path, seed: int
) -> None:
    """Three times the server and once the worker; a result's header names its job, so both have the same id."""
    sent, job_id = make_job(shot, "An empty table.", **SETTINGS), uuid.uuid4().hex
    calm = Server(tmp_path / "calm", "--weights", tiny_folder, engine="void")
    expected = undisturbed(calm, sent, job_id)
    calm.stop()
    chance = random.Random(seed)
    server = Server(tmp_path / "killed", "--weights", tiny_folder, engine="void")
    following = Following(server.address, sent, job_id)
    try:
        for who in chance.sample(["server", "server", "server", "worker"], 4):
            stage, step = chance.choice(["pass1", "pass2"]), chance.randrange(STEPS)
            seen = len(following.steps)
            until(lambda: _reached(following, seen, stage, step), f"{stage} {step}")  # noqa: B023
            if who == "server":
                server.kill()
                server.start()
            else:
                with Client(server.address) as client:
                    os.kill(client.status()["workers"][0]["pid"], signal.SIGKILL)
        assert following.result() == expected
    finally:
        server.stop()
    before, after = _around_restarts(following.steps)
    assert after >= before - EVERY, "no more is done again than since the last checkpoint"


def _reached(following: Following, seen: int, stage: str, step: int) -> bool:
    """Whether the job has come so far since, or further; or has ended."""
    far = [place(*told) for told in following.steps[seen:]]
    return not following.is_alive() or any(here >= place(stage, step) for here in far)


def place(stage: str, step: int) -> int:
    """Steps that lie behind."""
    if stage in ("finishing", "done"):
        return 2 * STEPS
    return {"pass1": 0, "warping": STEPS, "pass2": STEPS}.get(stage, -1) + (step if stage != "warping" else 0)


def _around_restarts(told: list[tuple[str, int]]) -> tuple[int, int]:
    """Of the restart that lost most: how far the job was, and where it went on."""
    worst = (0, 0)
    best = 0
    waiting = False
    for stage, step in told:
        if stage in ("queued", "masking"):
            waiting = best > 0
            continue
        here = place(stage, step)
        if waiting and best - here > worst[0] - worst[1]:
            worst = (best, here)
        waiting = False
        best = max(best, here)
    return worst
