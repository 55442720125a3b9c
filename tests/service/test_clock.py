"""The wall clock jumps, back and forth by days, under everything that a server has in hand: nothing comes of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from following import FRAMES, Following, make_job, state_of, take, until
from servers import Server
from void_client.client import Client

CLOCK = Path(__file__).parents[1] / "clock"


@pytest.mark.parametrize("hours", [-72.0, 72.0])
def test_jobs_that_run_wait_and_are_kept_outlive_a_jump_and_a_restart_after_it(
    shot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    monkeypatch.setenv("VOID_TEST_CLOCK", str(clock))
    monkeypatch.setenv("PYTHONPATH", f"{CLOCK}{os.pathsep}{os.environ['PYTHONPATH']}")
    server = Server(tmp_path / "spool", "--log-format", "json")  # results are kept for a day
    with Client(server.address) as client:
        sent = make_job(shot)
        fetched = client.submit(sent)
        kept = take(client, sent, fetched)
        halted = client.submit(sent)  # its frames have not come yet
        running = Following(server.address, make_job(shot, f"until {tmp_path / 'go'}"), "1" * 32)
        until(lambda: "pass1" in running.states, "the model is at work")
        queued = Following(server.address, sent, "2" * 32)
        until(lambda: state_of(client, "2" * 32) == "queued", "another waits")
        clock.write_text(str(hours))
        client.cancel(client.submit(sent))
        before = len(running.steps)
        until(lambda: len(running.steps) > before + 20, "the model goes on")
        states = [state_of(client, job_id) for job_id in (fetched, halted, "1" * 32, "2" * 32)]
        assert states == ["done", "receiving", "pass1", "queued"]
    server.kill()
    clock.write_text(str(-hours))
    server.start()
    (tmp_path / "go").touch()
    assert list(running.result()) == list(FRAMES)
    assert list(queued.result()) == list(FRAMES)
    with Client(server.address) as client:
        assert take(client, sent, fetched) == kept
        assert list(take(client, sent, halted)) == list(FRAMES)
    server.stop()
    days = {line.split('"time": "')[1][:10] for line in server.log().splitlines()}
    assert len(days) == 3, "the clock did jump"


def test_what_has_had_its_time_goes_though_the_clock_stands_in_the_past(
    shot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    monkeypatch.setenv("VOID_TEST_CLOCK", str(clock))
    monkeypatch.setenv("PYTHONPATH", f"{CLOCK}{os.pathsep}{os.environ['PYTHONPATH']}")
    server = Server(tmp_path / "spool", "--keep", 0.001)  # 3.6 seconds
    with Client(server.address) as client:
        sent = make_job(shot)
        fetched = client.submit(sent)
        take(client, sent, fetched)
        clock.write_text("-72")
        until(lambda: state_of(client, fetched) == "", "what was fetched goes")
    server.stop()
