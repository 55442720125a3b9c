"""A real `void serve` that is killed, stopped and started again on the same spool."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from following import FRAMES, Following, make_job, state_of, take, until
from servers import Server
from void_client.client import Client, Job
from void_client.errors import JobCancelled, JobFailed, Refused


@pytest.fixture
def killable(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "spool")
    yield server
    server.stop()


def test_a_running_job_survives_the_server_and_its_client_hardly_notices(
    killable: Server, shot: Path, tmp_path: Path
) -> None:
    sent, job_id = make_job(shot, f"until {tmp_path / 'go'}"), uuid.uuid4().hex
    following = Following(killable.address, sent, job_id)
    until(lambda: "pass1" in following.states, "the model is at work")
    killable.kill()
    killable.start()
    (tmp_path / "go").touch()
    assert list(following.result()) == list(FRAMES)


def test_jobs_that_wait_are_not_lost_and_run_in_their_order(killable: Server, shot: Path, tmp_path: Path) -> None:
    prompts = [f"until {tmp_path / 'go'}", "", ""]
    ids = [uuid.uuid4().hex for _ in prompts]
    with Client(killable.address) as client:
        for job_id, prompt in zip(ids, prompts, strict=True):
            sent = make_job(shot, prompt)
            client.submit(sent, job_id)
            with pytest.raises(ConnectionAbortedError):
                take(client, sent, job_id, on_state=_leave_once_sent)
    killable.kill()
    killable.start()
    with Client(killable.address) as client:
        until(lambda: state_of(client, ids[0]) == "pass1", "the first one runs again")
        assert [state_of(client, job_id) for job_id in ids[1:]] == ["queued", "queued"]
        (tmp_path / "go").touch()
        for job_id in ids:
            assert len(take(client, make_job(shot), job_id)) == 6


def _leave_once_sent(state: dict[str, Any]) -> None:
    if state["state"] not in ("receiving",):
        raise ConnectionAbortedError


def wants(client: Client) -> list[tuple[str, int]]:
    """The frames whose first piece the server asks for, until it has no more to say."""
    asked = []
    while received := client.receive(1.0):
        if received[0]["type"] == "want" and received[0]["offset"] == 0:
            asked.append((received[0]["input"], received[0]["frame"]))
    return asked


def test_of_a_job_that_was_half_sent_only_what_is_missing_is_sent(killable: Server, shot: Path) -> None:
    sent, job_id = make_job(shot), uuid.uuid4().hex
    with Client(killable.address) as client:
        client.submit(sent, job_id)
        first = wants(client)
        assert first == [(name, frame) for frame in range(1001, 1005) for name in ("plate", "roto")]
        for name, frame in first[:3]:
            _send(client, sent, job_id, name, frame)
        until(lambda: len(list((killable.spool / job_id).glob("*.exr"))) == 3, "three frames are there")
    killable.kill()
    (killable.spool / job_id / "roto.1002.part").write_bytes(b"half a frame")
    killable.start()
    with Client(killable.address) as client:
        client.send("attach", job=job_id, results=0, sends=False)
        assert wants(client) == [], "one that has no frames is not asked for any"
        client.send("attach", job=job_id, results=0, sends=True)
        assert wants(client)[:3] == [("roto", 1002), ("plate", 1003), ("roto", 1003)]
        assert len(take(client, sent, job_id)) == 6


def _send(client: Client, sent: Job, job_id: str, name: str, frame: int) -> None:
    data = sent.inputs[name].path(frame).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    client.send("chunk", data, job=job_id, input=name, frame=frame, offset=0, size=len(data), sha256=digest)


def test_results_are_there_after_a_restart_byte_for_byte(killable: Server, shot: Path) -> None:
    sent, job_id = make_job(shot), uuid.uuid4().hex
    with Client(killable.address) as client:
        client.submit(sent, job_id)
        before = take(client, sent, job_id)
        assert {path.name for path in (killable.spool / job_id).iterdir()} == {
            f"result.{frame}.exr" for frame in FRAMES
        }
    killable.kill()
    killable.start()
    with Client(killable.address) as client:
        client.submit(sent, job_id)
        assert state_of(client, job_id) == "done", "the same submission twice is one job, across a restart"
        assert take(client, sent, job_id) == before
        client.release(job_id)
        assert not (killable.spool / job_id).exists()
    killable.kill()
    killable.start()
    with Client(killable.address) as client, pytest.raises(Refused, match="no job"):
        client.cancel(job_id)


def test_a_result_that_was_announced_is_not_made_again(killable: Server, shot: Path, tmp_path: Path) -> None:
    """The journal names a frame that the attempt before had finished: it stays, whatever is in it."""
    sent, job_id = make_job(shot, f"until {tmp_path / 'go'}"), uuid.uuid4().hex
    following = Following(killable.address, sent, job_id)
    until(lambda: "pass1" in following.states, "the model is at work")
    killable.kill()
    (killable.spool / job_id / "result.1001.exr").write_bytes(b"as it was announced")
    with sqlite3.connect(killable.spool / "journal.sqlite") as database:
        (number,) = database.execute("SELECT number FROM jobs").fetchone()
        digest = hashlib.sha256(b"as it was announced").hexdigest()
        database.execute("INSERT INTO results VALUES (?, 1001, 19, ?)", (number, digest))
    database.close()
    killable.start()
    (tmp_path / "go").touch()
    frames = following.result()
    assert frames[1001] == b"as it was announced"
    assert len(frames) == 6
    with Client(killable.address) as client:
        assert take(client, sent, job_id) == frames


def test_a_job_that_crashes_its_worker_is_set_aside_for_good(killable: Server, shot: Path) -> None:
    sent, job_id = make_job(shot, "crash"), uuid.uuid4().hex
    with Client(killable.address) as client:
        client.submit(sent, job_id)
        with pytest.raises(JobFailed, match="set aside"):
            take(client, sent, job_id)
        worker = client.status()["workers"][0]["pid"]
    killable.kill()
    killable.start()
    with Client(killable.address) as client:
        client.submit(sent, job_id)
        assert state_of(client, job_id) == "failed"
        other = client.submit(make_job(shot))
        assert len(take(client, make_job(shot), other)) == 6
        assert client.status()["workers"][0]["pid"] != worker
    assert len(list((killable.spool / job_id).glob("plate.*.exr"))) == 6, "its frames stay to be looked at"


def test_a_crash_before_a_restart_counts(killable: Server, shot: Path, tmp_path: Path) -> None:
    """One crash, then the server is killed, then another crash: that makes two."""
    sent, job_id = make_job(shot, f"until {tmp_path / 'go'}"), uuid.uuid4().hex
    following = Following(killable.address, sent, job_id)

    def crash() -> None:
        seen = len(following.states)
        until(lambda: "pass1" in following.states[seen:], "the model is at work")
        with Client(killable.address) as client:
            os.kill(client.status()["workers"][0]["pid"], signal.SIGKILL)

    crash()
    until(lambda: following.states[-1] == "queued", "it is to be tried again")
    killable.kill()
    killable.start()
    crash()
    following.join(120)
    assert isinstance(following.error, JobFailed)
    assert following.error.code == "worker_died"


def test_sigterm_leaves_the_running_job_to_the_next_server(killable: Server, shot: Path, tmp_path: Path) -> None:
    sent, job_id = make_job(shot, f"until {tmp_path / 'go'}"), uuid.uuid4().hex
    following = Following(killable.address, sent, job_id)
    until(lambda: "pass1" in following.states, "the model is at work")
    killable.stop()
    assert f"job {job_id}: queued" in killable.log()
    killable.start()
    (tmp_path / "go").touch()
    assert len(following.result()) == 6


def test_while_it_drains_the_server_ends_what_runs_and_takes_nothing_new(shot: Path, tmp_path: Path) -> None:
    server = Server(tmp_path / "spool", "--drain", 120)
    sent, job_id = make_job(shot, f"until {tmp_path / 'go'}"), uuid.uuid4().hex
    following = Following(server.address, sent, job_id)
    until(lambda: "pass1" in following.states, "the model is at work")
    os.kill(server.pid, signal.SIGTERM)
    with Client(server.address) as client:
        until(lambda: _refused(client, shot) == "draining", "new jobs are refused")
    (tmp_path / "go").touch()
    server.stop()  # asked twice, it does not wait any more; by then the job may have ended
    server.start()
    assert len(following.result()) == 6
    server.stop()


def _refused(client: Client, shot: Path) -> str:
    try:
        client.cancel(client.submit(make_job(shot)))
    except Refused as error:
        return error.code
    return ""


def test_a_cancellation_outlives_the_server(killable: Server, shot: Path, tmp_path: Path) -> None:
    sent, job_id = make_job(shot, f"until {tmp_path / 'go'}"), uuid.uuid4().hex
    following = Following(killable.address, sent, job_id)
    until(lambda: "pass1" in following.states, "the model is at work")
    with Client(killable.address) as client:
        worker = client.status()["workers"][0]["pid"]
        os.kill(worker, signal.SIGSTOP)  # it will not confirm
        assert client.cancel(job_id)["state"] == "pass1"
    killable.kill()
    os.kill(worker, signal.SIGKILL)
    killable.start()
    following.join(120)
    assert isinstance(following.error, JobCancelled)


@pytest.mark.slow
def test_what_has_been_fetched_goes_after_its_time_and_what_has_not_stays(shot: Path, tmp_path: Path) -> None:
    server = Server(tmp_path / "spool", "--keep", 0.003)
    with Client(server.address) as client:
        sent = make_job(shot)
        kept = client.submit(sent)
        with pytest.raises(ConnectionAbortedError):
            take(client, sent, kept, on_state=_leave_once_sent)
        fetched = client.submit(sent)
        until(lambda: state_of(client, kept) == "done", "the one that nobody fetches is done")
        assert len(take(client, sent, fetched)) == 6
        until(lambda: state_of(client, fetched) == "", "the one that was fetched goes")
        assert not (server.spool / fetched).exists()
        assert state_of(client, kept) == "done"
        client.cancel(kept)  # nobody waits for it any more
        until(lambda: state_of(client, kept) == "", "so it goes, too")
    server.stop()


def test_frames_that_never_come_end_the_job(shot: Path, tmp_path: Path) -> None:
    server = Server(tmp_path / "spool", "--keep", 0)
    with Client(server.address) as client:
        job_id = client.submit(make_job(shot))
        until(lambda: state_of(client, job_id) == "", "it fails, and then nobody asks for it")
    assert f"job {job_id}: its frames did not come" in server.log()
    server.stop()


def test_a_full_disk_is_waited_for_and_said(killable: Server, shot: Path) -> None:
    """What the server writes goes to /dev/full, which is full."""
    sent, job_id = make_job(shot), uuid.uuid4().hex
    with Client(killable.address) as client:
        client.submit(sent, job_id)
    part = killable.spool / job_id / "plate.1001.part"
    part.symlink_to("/dev/full")
    following = Following(killable.address, sent, job_id)
    until(lambda: any("disk is full" in message for message in following.messages), "the job says so")
    assert set(following.states) == {"receiving"}
    part.unlink()
    assert len(following.result()) == 6
    assert following.messages[-1] == "", "and says no more of it"


def test_a_full_spool_refuses_with_what_to_do(shot: Path, tmp_path: Path) -> None:
    server = Server(tmp_path / "spool", "--spool-cap", 0.0001)
    with Client(server.address) as client, pytest.raises(Refused, match="raise its --spool-cap") as caught:
        client.submit(make_job(shot))
    assert caught.value.code == "no_room"
    server.stop()


def test_those_that_somebody_waits_for_go_before_the_batch(killable: Server, shot: Path, tmp_path: Path) -> None:
    ids = [uuid.uuid4().hex for _ in range(3)]
    prompts = [f"until {tmp_path / 'go'}", "", ""]
    order: list[str] = []
    threads = []
    for job_id, prompt, priority in zip(ids, prompts, ("batch", "batch", "interactive"), strict=True):
        sent = replace(make_job(shot, prompt), priority=priority)
        threads.append(Following(killable.address, sent, job_id))
        with Client(killable.address) as client:
            until(lambda job_id=job_id: state_of(client, job_id) in ("queued", "pass1"), "it is there")
    (tmp_path / "go").touch()
    for thread in threads:
        thread.result()
    until(lambda: killable.log().count(": done") == 3, "the log has them all")
    log = killable.log()
    order = sorted(ids, key=lambda job_id: log.index(f"job {job_id}: done"))
    assert order == [ids[0], ids[2], ids[1]]


def test_a_damaged_journal_keeps_the_server_from_starting_and_stays_as_it_is(
    void: Any, killable: Server, tmp_path: Path
) -> None:
    spool = tmp_path / "other"
    spool.mkdir()
    (spool / "journal.sqlite").write_bytes(b"rubbish" * 1000)
    for folder, words in [(spool, "is damaged"), (killable.spool, "another server works in the spool")]:
        done = void("serve", "--bind", "tcp://127.0.0.1:5999", "--spool", folder, "--engine", "engines:Dimmer")
        assert done.returncode == 2, done.stderr
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert (spool / "journal.sqlite").read_bytes() == b"rubbish" * 1000
