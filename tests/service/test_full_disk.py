"""A disk that is really full: a job waits and says so, goes on once there is room, and ends in the very same bits."""

from __future__ import annotations

import os
import shutil
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from following import FRAMES, Following, make_job, state_of, take, until
from servers import Server
from small_disk import SmallDisk, small_disk
from void_client.client import Client
from void_client.errors import Refused

STEPS = {"steps": 6}  # a checkpoint after five, and one after the last
SETTINGS = {"passes": 2, "pass1": STEPS, "pass2": STEPS}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", megabytes=8) as mounted:
        yield mounted


def waits(following: Following) -> bool:
    """Whether the job says what it is waiting for."""
    return bool(following.messages) and "disk is full" in following.messages[-1]


@pytest.mark.parametrize(
    ("engine", "stage", "frames"),
    [
        ("engines:Dimmer", "receiving", 0.0),
        ("engines:Dimmer", "masking", 0.0),
        ("engines:Dimmer", "masking", 2.5),
        pytest.param("void", "masking", 2.5, marks=pytest.mark.slow),
    ],
)
def test_a_job_waits_for_room_wherever_it_was_and_its_result_is_the_same(
    disk: SmallDisk, shot: Path, tmp_path: Path, engine: str, stage: str, frames: float, request: pytest.FixtureRequest
) -> None:
    """frames: of the result, for which there is room. Checkpoints are far smaller."""
    options = ["--weights", request.getfixturevalue("tiny_folder")] if engine == "void" else []
    sent, job_id = make_job(shot, "An empty table.", **SETTINGS), uuid.uuid4().hex
    calm = Server(tmp_path / "calm", *options, engine=engine)
    expected = Following(calm.address, sent, job_id).result()
    calm.stop()
    server = Server(disk.folder / "spool", *options, engine=engine)
    with Client(server.address) as client:
        worker = client.status()["workers"][0]["pid"]
        os.kill(worker, signal.SIGSTOP)  # until the disk is full
        client.submit(sent, job_id)
        if stage == "receiving":
            disk.fill()
        following = Following(server.address, sent, job_id)
        until(lambda: stage in following.states, f"the job is {stage}")
        disk.fill(leave=int(frames * len(expected[1001])))
        os.kill(worker, signal.SIGCONT)
        until(lambda: waits(following), "the job says that it waits")
        assert state_of(client, job_id) in ("receiving", "queued")
        assert client.status()["ready"], "the service answers all the while"
        disk.make_room()
        assert following.result() == expected
        assert client.status()["workers"][0]["pid"] == worker
    assert "Traceback" not in server.log()
    server.stop()


def test_a_server_that_stops_and_starts_on_a_full_disk_has_lost_nothing(
    disk: SmallDisk, shot: Path, tmp_path: Path
) -> None:
    server = Server(disk.folder / "spool")
    held, waiting = uuid.uuid4().hex, uuid.uuid4().hex
    with Client(server.address) as client:
        sent = make_job(shot)
        client.submit(sent, held)
        kept = take(client, sent, held)
        following = Following(server.address, make_job(shot, f"until {tmp_path / 'go'}"), waiting)
        until(lambda: "pass1" in following.states, "the model is at work")
        disk.fill()
        with pytest.raises(Refused, match=r"spool can't be written .*: make room in ") as caught:
            client.submit(sent)
        assert caught.value.code == "no_room"
    server.stop()
    server.start()
    with Client(server.address) as client:
        assert take(client, sent, held) == kept
        (tmp_path / "go").touch()
        until(lambda: waits(following), "the other one waits for room")
        disk.make_room()
        assert list(following.result()) == list(FRAMES)
    server.stop()
    server.start()
    with Client(server.address) as client:
        assert [state_of(client, job_id) for job_id in (held, waiting)] == ["done", "done"]
        assert take(client, sent, held) == kept
    server.stop()


def test_a_frame_that_the_journal_has_no_room_for_is_made_again(disk: SmallDisk, shot: Path, tmp_path: Path) -> None:
    """The journal alone is on the full disk: the frames themselves can be written."""
    server = Server(tmp_path / "spool")
    server.stop()
    journal = server.spool / "journal.sqlite"
    shutil.move(journal, disk.folder)
    journal.symlink_to(disk.folder / "journal.sqlite")
    server.start()
    following = Following(server.address, make_job(shot, f"until {tmp_path / 'go'}"), uuid.uuid4().hex)
    until(lambda: "pass1" in following.states, "the model is at work")
    disk.fill()
    (tmp_path / "go").touch()
    until(lambda: "journal can't be written" in following.messages[-1], "the job says that it waits")
    disk.make_room()
    assert sorted(following.result()) == list(FRAMES)
    server.stop()
