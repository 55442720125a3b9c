"""A worker that dies, grows or hangs, at any time: a failed attempt of its job, and never the end of the service."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from following import Following, make_job, state_of, take, until
from servers import Server, free_address
from void_client.client import Client
from void_client.errors import JobFailed, ServerUnreachable

from void_server.service.watch import Limits, Watch, own_memory


@pytest.fixture
def deaths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """How many more times a worker dies while it loads."""
    path = tmp_path / "deaths"
    path.write_text("0")
    monkeypatch.setenv("VOID_TEST_LOADS", str(path))
    return path


@pytest.mark.slow
def test_a_worker_that_dies_while_it_loads_again_does_not_end_the_server(
    deaths: Path, shot: Path, tmp_path: Path
) -> None:
    server = Server(tmp_path / "spool")
    with Client(server.address) as client:
        deaths.write_text("3")  # more often than a first load may
        os.kill(client.status()["workers"][0]["pid"], signal.SIGKILL)
        until(lambda: not client.status()["ready"], "the server says that it is not ready")
        sent = make_job(shot)
        assert len(take(client, sent, client.submit(sent))) == 6, "jobs wait for the worker"
    assert deaths.read_text() == "0"
    server.stop()


@pytest.mark.slow
def test_a_first_load_is_tried_three_times(void: Any, deaths: Path, shot: Path, tmp_path: Path) -> None:
    deaths.write_text("2")
    server = Server(tmp_path / "spool")
    server.stop()
    assert deaths.read_text() == "0"
    deaths.write_text("9")
    done = void("serve", "--bind", "tcp://127.0.0.1:*", "--engine", "engines:Dimmer", env={"VOID_TEST_LOADS": deaths})
    assert done.returncode == 2
    assert "the worker ended 3 times before it was ready (status -9)" in done.stderr
    assert "Traceback" not in done.stderr
    assert deaths.read_text() == "6"


def test_a_worker_that_takes_too_much_memory_is_ended_and_the_job_says_so(shot: Path, tmp_path: Path) -> None:
    server = Server(tmp_path / "spool", "--memory", 1.5)
    with Client(server.address) as client:
        sent = make_job(shot, "hog")
        with pytest.raises(JobFailed, match=r"went down 2 times \(it took more than 1\.5 GiB of memory") as caught:
            take(client, sent, client.submit(sent))
        assert caught.value.code == "worker_died"
        sent = make_job(shot)
        assert len(take(client, sent, client.submit(sent))) == 6
    server.stop()


def test_a_frame_that_is_never_decoded_costs_the_worker_and_the_job_is_tried_again(shot: Path, tmp_path: Path) -> None:
    server = Server(tmp_path / "spool", "--frame-limit", 5)
    with Client(server.address) as client:
        worker = client.status()["workers"][0]["pid"]
        os.kill(worker, signal.SIGSTOP)  # as if it hung in a library
        sent = make_job(shot)
        following = Following(server.address, sent, "0" * 32)
        until(lambda: state_of(client, "0" * 32) == "masking", "it is given to the worker that hangs")
        assert len(following.result()) == 6
        assert client.status()["workers"][0]["pid"] != worker
    assert "it came no further for 5 s" in server.log()
    server.stop()


@pytest.mark.slow
def test_a_worker_that_is_stopped_is_noticed_in_any_stage_and_a_long_step_is_not(shot: Path, tmp_path: Path) -> None:
    server = Server(tmp_path / "spool", "--heartbeat-limit", 10, "--devices", "cpu")
    go = tmp_path / "go"
    with Client(server.address) as client:
        sent = make_job(shot, f"quiet until {go}")
        following = Following(server.address, sent, "1" * 32)
        until(lambda: "pass1" in following.states, "the model is at work, and says nothing of it")
        (worker,) = client.status()["workers"]
        time.sleep(15)
        assert client.status()["workers"][0]["pid"] == worker["pid"], "a step may take longer than that"
        os.kill(worker["pid"], signal.SIGSTOP)
        until(lambda: "queued" in following.states[following.states.index("pass1") :], "it is to be tried again")
        go.touch()
        assert len(following.result()) == 6
        assert client.status()["workers"][0]["pid"] != worker["pid"]
    assert "it gave no sign of life for 10 s" in server.log()
    server.stop()


def test_a_front_that_was_asleep_itself_does_not_take_its_worker_for_dead(shot: Path, tmp_path: Path) -> None:
    server = Server(tmp_path / "spool", "--heartbeat-limit", 6, "--devices", "cpu")
    with Client(server.address) as client:
        (worker,) = client.status()["workers"]
        for pid in (server.pid, worker["pid"]):
            os.kill(pid, signal.SIGSTOP)  # as a laptop's lid does
        time.sleep(8)
        for pid in (server.pid, worker["pid"]):
            os.kill(pid, signal.SIGCONT)
        sent = make_job(shot)
        assert len(take(client, sent, client.submit(sent))) == 6
        assert client.status()["workers"][0]["pid"] == worker["pid"]
    server.stop()


def test_a_worker_that_hangs_does_not_hold_up_the_front(shot: Path, tmp_path: Path) -> None:
    """What a job brings along may be more than a pipe takes."""
    server = Server(tmp_path / "spool", "--heartbeat-limit", 8, "--devices", "cpu")
    with Client(server.address) as client:
        os.kill(client.status()["workers"][0]["pid"], signal.SIGSTOP)
        sent = replace(make_job(shot), hints=" " * (200 << 10))
        following = Following(server.address, sent, "2" * 32)
        until(lambda: state_of(client, "2" * 32) == "masking", "it is given to the worker that hangs")
        assert client.status()["workers"][0]["state"] == "running"
        following.join(150)
        assert not following.is_alive(), "it has ended, by the next worker"
    assert "it gave no sign of life for 8 s" in server.log()
    server.stop()


def test_a_warm_up_comes_before_ready_and_its_failure_is_told(
    void: Any, shot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOID_TEST_WARM", "fail")
    done = void("serve", "--bind", "tcp://127.0.0.1:*", "--engine", "engines:Warming")
    assert done.returncode == 2
    assert "the small removal that warms up " in done.stderr
    assert "(RuntimeError: no kernel image)" in done.stderr
    monkeypatch.setenv("VOID_TEST_WARM", str(tmp_path / "go"))
    address = free_address()
    command = [sys.executable, "-m", "void_server", "serve", "--bind", address, "--engine", "engines:Warming"]
    with subprocess.Popen([*command, "--spool", str(tmp_path / "spool")], stdout=subprocess.PIPE) as process:
        try:
            until(lambda: warming(address), "it answers, and says what it does")
            told = void("status", "--server", address).stdout
            assert "alive, and not ready yet" in told
            assert "warming up with a small removal for " in told
            (tmp_path / "go").touch()
            assert process.stdout
            assert b"VOID server ready at" in process.stdout.readline()
        finally:
            process.terminate()


def warming(address: str) -> bool:
    try:
        with Client(address, timeout=2.0) as client:
            status = client.status()
            return not status["ready"] and status["workers"][0]["state"] == "warming"
    except ServerUnreachable:
        return False


def test_the_model_may_take_its_time() -> None:
    watch = Watch(Limits(memory=0, decoding=1e-9, silence=0))
    assert [bool(watch.trouble(os.getpid(), stage)) for stage in ("", "masking", "pass1", "pass2", "finishing")] == [
        False,
        True,
        False,
        False,
        True,
    ]


def test_memory_is_what_a_process_holds_itself() -> None:
    before = own_memory(os.getpid())
    held = bytearray(os.urandom(1 << 20) * 64)
    assert before + (60 << 20) < own_memory(os.getpid()) < before + (200 << 20)
    assert len(held) == 64 << 20
    assert own_memory(2**30) == 0, "nobody's"
    little = Limits(memory=before // 2, decoding=0, silence=0)
    assert Watch(little).trouble(os.getpid(), "").startswith("it took more than")
