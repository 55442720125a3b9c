"""What a server leaves in its spool, and what the next one makes of it. No process is killed here, but files are."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from void_client import protocol

from void_server.service.folder import input_file, result_file
from void_server.service.jobs import Job, Result
from void_server.service.journal import NAME, SCHEMA, BadJournal
from void_server.service.messages import JobSpec, RefusedMessage, Submit
from void_server.service.store import CRASHES, INTERRUPTIONS, JobStore, Keeping

KEEPING = Keeping(keep=3600.0, cap=1 << 30)
ROOM = 3 * (100 + 10) + 3 * 100  # frames, and a result as large as the plate


def submission(number: int, **changes: object) -> Submit:
    spec = {
        "first": 1001,
        "last": 1003,
        "inputs": {"plate": {"name": "p", "sizes": [100] * 3}, "roto": {"name": "r", "sizes": [10] * 3}},
        "prompt": 'a "wall" \N{HEAVY BLACK HEART}',
        "settings": {"seed": 2**63 - 1},
        "result": "plate",
        **changes,
    }
    return Submit(
        v=protocol.VERSION, job=f"{number:032x}", spec=msgspec.convert(spec, JobSpec), user="ana", priority="batch"
    )


def fill(job: Job) -> None:
    """All its frames, as if they had come."""
    for frame in job.spec.frames:
        for name, given in job.spec.inputs.items():
            input_file(job.folder, name, frame).write_bytes(b"x" * given.sizes[0])


def reopened(store: JobStore, keeping: Keeping = KEEPING) -> JobStore:
    """The store of a server that was started after this one."""
    store.close()
    return JobStore(next(iter(store)).folder.parent, keeping)


def durable(job: Job) -> dict[str, object]:
    return {name: getattr(job, name) for name in ("id", "number", "user", "priority", "spec", "settings", "results")}


def test_a_job_comes_back_as_it_was(tmp_path: Path) -> None:
    store = JobStore(tmp_path, KEEPING)
    job = store.add(submission(1))
    fill(job)
    job.move("finishing")
    job.notices, job.hints, job.engine, job.crashes = ["one", "two"], "{}", "void", 1
    store.save(job)
    for frame in (1001, 1002):
        assert store.add_result(job, Result(frame, frame * 2**20, f"{frame:064x}"))
    back = reopened(store).find(job.id)
    assert durable(back) == durable(job)
    assert (back.notices, back.hints, back.engine, back.crashes) == (["one", "two"], "{}", "void", 1)


@pytest.mark.parametrize(
    ("state", "there", "then"),
    [
        ("receiving", False, "receiving"),
        ("queued", True, "queued"),
        ("queued", False, "receiving"),
        ("masking", True, "queued"),
        ("pass2", True, "queued"),
        ("finishing", True, "queued"),
        ("done", False, "done"),
        ("cancelled", False, "cancelled"),
    ],
)
def test_a_restart_goes_on_from_where_a_job_was(tmp_path: Path, state: str, there: bool, then: str) -> None:
    store = JobStore(tmp_path, KEEPING)
    job = store.add(submission(1))
    if there:
        fill(job)
    job.move(state)
    store.save(job)
    back = reopened(store).find(job.id)
    assert back.state == then
    assert back.interruptions == (state in ("masking", "pass2", "finishing"))


def test_of_frames_that_had_come_only_the_others_are_asked_for(tmp_path: Path) -> None:
    store = JobStore(tmp_path, KEEPING)
    job = store.add(submission(1))
    fill(job)
    input_file(job.folder, "roto", 1002).unlink()
    input_file(job.folder, "plate", 1003).write_bytes(b"cut short")
    upload = reopened(store).find(job.id).upload
    assert upload
    assert [(want.input, want.frame, want.length) for want in upload.ask()] == [
        ("roto", 1002, 10),
        ("plate", 1003, 100),
    ]


def test_a_cancellation_that_its_worker_never_confirmed_holds(tmp_path: Path) -> None:
    store = JobStore(tmp_path, KEEPING)
    job = store.add(submission(1))
    fill(job)
    job.move("pass1")
    job.cancelling = True
    store.save(job)
    assert reopened(store).find(job.id).state == "cancelled"


def test_a_job_that_takes_the_server_along_each_time_is_set_aside_with_its_frames(tmp_path: Path) -> None:
    store = JobStore(tmp_path, KEEPING)
    job = store.add(submission(1))
    fill(job)
    for restart in range(1, INTERRUPTIONS + 1):
        job.move("pass1")
        store.save(job)
        store = reopened(store)
        job = store.find(job.id)
        assert (job.state == "queued") == (restart < INTERRUPTIONS)
    assert (job.state, job.code) == ("failed", "worker_died")
    assert input_file(job.folder, "plate", 1001).exists()
    assert reopened(store).find(job.id).state == "failed"
    assert CRASHES == 2


def test_an_ended_job_keeps_its_results_alone(tmp_path: Path) -> None:
    store = JobStore(tmp_path, KEEPING)
    job = store.add(submission(1))
    fill(job)
    result_file(job.folder, 1001).write_bytes(b"frame")
    (job.folder / "result.1002.exr.0a1b2c3d.tmp").write_bytes(b"half")
    job.move("done")
    store.save(job)
    assert [path.name for path in job.folder.iterdir()] == ["result.1001.exr"]


def test_a_removal_that_was_cut_short_is_ended_by_the_next_server(tmp_path: Path) -> None:
    store = JobStore(tmp_path, KEEPING)
    job, other = store.add(submission(1)), store.add(submission(2))
    job.move("cancelled")
    job.released = True
    store.save(job)
    back = reopened(store)
    assert [held.id for held in back] == [other.id]
    assert not job.folder.exists()
    assert [held.id for held in reopened(back)] == [other.id]


def test_the_same_submission_is_the_same_job_also_after_a_restart(tmp_path: Path) -> None:
    store = JobStore(tmp_path, KEEPING)
    job = store.add(submission(1))
    assert store.add(submission(1)) is job
    back = reopened(store)
    assert back.add(submission(1)).number == job.number
    assert back.add(submission(2)).number == job.number + 1


def test_what_nobody_asks_for_goes_and_what_nobody_has_fetched_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("void_server.service.store.time.monotonic", lambda: clock[0])
    store = JobStore(tmp_path, KEEPING)
    fetched, waiting, failed, never_came, queued = (store.add(submission(number)) for number in range(5))
    for job in (fetched, waiting):
        job.move("done")
    fetched.fetched = True
    failed.fail("bad_input", "")
    queued.move("queued")
    for job in store:
        store.save(job)
    clock[0] = 3500.0
    assert store.sweep() == []
    assert len(list(store)) == 5
    store.close()
    clock[0] = 100_000.0  # nobody's server runs; what had passed before is not forgotten
    store = JobStore(tmp_path, KEEPING)
    clock[0] = 100_050.0
    assert store.sweep() == []
    assert len(list(store)) == 5
    clock[0] = 100_150.0
    assert [job.id for job in store.sweep()] == [never_came.id]
    assert {job.id for job in store} == {waiting.id, never_came.id, queued.id}
    assert not fetched.folder.exists()


def test_the_spool_has_a_cap_and_makes_room_of_what_is_fetched(tmp_path: Path) -> None:
    store = JobStore(tmp_path, Keeping(keep=3600.0, cap=2 * ROOM))
    first, second = store.add(submission(1)), store.add(submission(2))
    with pytest.raises(RefusedMessage, match=r"this job needs .* raise its --spool-cap") as caught:
        store.add(submission(3))
    assert caught.value.code == "no_room"
    assert not (tmp_path / f"{3:032x}").exists()
    for frame in first.spec.frames:
        store.add_result(first, Result(frame, 100, "0" * 64))
    first.move("done")
    store.save(first)
    with pytest.raises(RefusedMessage):
        store.add(submission(3))
    first.fetched = True
    store.add(submission(3))
    assert [job.id for job in store] == [second.id, f"{3:032x}"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def held(tmp_path: Path) -> Path:
    """A spool with a job, its server stopped."""
    store = JobStore(tmp_path, KEEPING)
    fill(store.add(submission(1)))
    store.close()
    return tmp_path


def test_a_newer_journal_is_refused_and_nothing_touched(tmp_path: Path) -> None:
    spool = held(tmp_path)
    with sqlite3.connect(spool / NAME) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    database.close()
    before = contents(spool)
    with pytest.raises(BadJournal, match=rf"newer version \({SCHEMA + 1}, this server knows {SCHEMA}\): start the new"):
        JobStore(spool, KEEPING)
    assert contents(spool) == before


@pytest.mark.parametrize(
    "damage", ["no database", "header", "a page", "cut", "a job", "empty", "missing", "log of something else"]
)
def test_a_damaged_journal_is_refused_and_nothing_touched(tmp_path: Path, damage: str) -> None:
    spool = held(tmp_path)
    path = spool / NAME
    data = path.read_bytes()
    page = len(data) // 4096 - 1
    if damage == "no database":
        path.write_bytes(b"rubbish" * 1000)
    elif damage == "a page":
        path.write_bytes(data[: 4096 * page] + b"\xa5" * 4096)
    elif damage == "header":
        path.write_bytes(b"\xa5" * 100 + data[100:])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "missing":
        path.unlink()
    elif damage == "log of something else":
        path.with_name(f"{NAME}-wal").write_bytes(b"rubbish" * 1000)
    elif damage == "cut":
        path.write_bytes(data[: 4096 * (page - 1)])
    else:
        with sqlite3.connect(path) as database:
            database.execute("UPDATE jobs SET spec = x'93'")
        database.close()
    before = contents(spool)
    with pytest.raises(BadJournal, match=r"is damaged .*move the folder .* away to start with an empty one"):
        JobStore(spool, KEEPING)
    assert contents(spool) == before


def test_a_journal_without_its_log_is_refused_where_the_log_had_all(tmp_path: Path) -> None:
    """Of a server that was killed soon after its first start: the tables are in the log alone."""
    (tmp_path / "living").mkdir()
    store = JobStore(tmp_path / "living", KEEPING)
    fill(store.add(submission(1)))
    killed = Path(shutil.copytree(tmp_path / "living", tmp_path / "killed"))
    store.close()
    assert [job.number for job in JobStore(shutil.copytree(killed, tmp_path / "whole"), KEEPING)] == [1]
    (killed / f"{NAME}-wal").unlink()
    before = contents(killed)
    with pytest.raises(BadJournal, match=r"is damaged \(it is empty, and there are folders of jobs"):
        JobStore(killed, KEEPING)
    assert contents(killed) == before


def test_a_log_that_was_cut_short_gives_what_came_before(tmp_path: Path) -> None:
    """As when the power went while it was being written: what had been confirmed is there."""
    (tmp_path / "living").mkdir()
    store = JobStore(tmp_path / "living", KEEPING)
    fill(store.add(submission(1)))
    confirmed = (tmp_path / "living" / f"{NAME}-wal").stat().st_size
    fill(store.add(submission(2)))
    killed = Path(shutil.copytree(tmp_path / "living", tmp_path / "killed"))
    store.close()
    log = killed / f"{NAME}-wal"
    log.write_bytes(log.read_bytes()[:confirmed] + b"\xa5" * 3000)
    frames = set(killed.rglob("*.exr"))
    assert [job.number for job in JobStore(killed, KEEPING)] == [1]
    assert set(killed.rglob("*.exr")) == frames, "of a job that is not in the journal, too"


@pytest.mark.parametrize("trouble", ["a folder", "no rights"])
def test_a_journal_that_can_not_be_opened_is_refused_and_nothing_touched(tmp_path: Path, trouble: str) -> None:
    with tempfile.TemporaryDirectory() as name:  # for pytest's own is root's alone
        spool = held(Path(name))
        path = spool / NAME
        if trouble == "a folder":
            path.rename(spool / "aside")
            path.mkdir()
        else:
            path.chmod(0)
            spool.chmod(0o777)
        before = contents(spool)
        reader = as_nobody() if trouble == "no rights" else contextlib.nullcontext()
        with reader, pytest.raises(BadJournal, match=r"can't be opened \(.*\): check the disk and its rights"):
            JobStore(spool, KEEPING)
        assert contents(spool) == before


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything; nobody may not."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        yield


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / NAME) as database:
        database.execute("CREATE TABLE songs (title TEXT)")
    database.close()
    with pytest.raises(BadJournal, match="not a journal of VOID"):
        JobStore(tmp_path, KEEPING)


def test_one_spool_has_one_server(tmp_path: Path) -> None:
    store = JobStore(tmp_path, KEEPING)
    with pytest.raises(BadJournal, match="another server works in the spool"):
        JobStore(tmp_path, KEEPING)
    store.close()
    JobStore(tmp_path, KEEPING).close()
