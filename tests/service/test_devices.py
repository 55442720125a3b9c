"""Several workers behind one front: one queue, and each one's misfortune its own."""

from __future__ import annotations

import os
import signal
import uuid
from pathlib import Path
from typing import Any

import pytest
from following import Following, make_job, state_of, take, until
from servers import Server
from void_client.client import Client
from void_client.errors import JobCancelled

from void_server.service.devices import environment, parse_devices, visible_gpus
from void_server.service.socket import CannotServe


def workers(client: Client, state: str = "") -> list[dict[str, Any]]:
    """The server's workers; of a state, if one is named."""
    return [worker for worker in client.status()["workers"] if state in ("", worker["state"])]


def holding(client: Client, job_id: str) -> dict[str, Any]:
    """The worker that runs a job."""
    until(lambda: any(worker["job"] == job_id for worker in workers(client)), "it runs")
    return next(worker for worker in workers(client) if worker["job"] == job_id)


def test_two_workers_run_two_jobs_and_the_death_of_one_is_a_matter_of_its_job_alone(
    shot: Path, tmp_path: Path, void: Any
) -> None:
    server = Server(tmp_path / "spool", "--devices", "cpu,cpu")
    prompt = f"until {tmp_path / 'go'}"
    ids = [uuid.uuid4().hex for _ in range(3)]
    with Client(server.address) as client:
        until(lambda: len(workers(client, "ready")) == 2, "both are ready")
        first, second = (Following(server.address, make_job(shot, prompt), job_id) for job_id in ids[:2])
        one, two = (holding(client, job_id) for job_id in ids[:2])
        assert one["pid"] != two["pid"]
        third = Following(server.address, make_job(shot), ids[2])
        until(lambda: state_of(client, ids[2]) == "queued", "the third waits")
        assert [held["device"] for held in client.jobs()] == ["cpu", "cpu", ""]
        told = void("status", "--server", server.address).stdout
        assert told.count("cpu: running job ") == 2
        assert all(job_id in told for job_id in ids[:2])

        os.kill(one["pid"], signal.SIGKILL)
        until(lambda: "queued" in first.states[first.states.index("masking") :], "the first is to be tried again")
        again = holding(client, ids[0])
        assert again["pid"] not in (one["pid"], two["pid"])
        assert holding(client, ids[1])["pid"] == two["pid"], "the other has gone on"
        assert "masking" not in third.states, "one that was begun is ended before"

        client.cancel(ids[1])
        second.join(120)
        assert isinstance(second.error, JobCancelled)
        assert len(third.result()) == 6, "on the worker that has become free"
        (tmp_path / "go").touch()
        assert len(first.result()) == 6
    server.kill()
    server.start()
    with Client(server.address) as client:
        assert [state_of(client, job_id) for job_id in ids] == ["done", "cancelled", "done"]
    server.stop()


def test_a_worker_that_can_not_load_is_told_of_and_the_others_serve(shot: Path, tmp_path: Path) -> None:
    server = Server(tmp_path / "spool", "--devices", "cpu,cuda:99")
    with Client(server.address) as client:
        until(lambda: bool(workers(client, "down")), "the one that has no card is down")
        (down,) = workers(client, "down")
        assert down["device"] == "cuda:99"
        assert "can't use cuda:99" in down["message"]
        sent = make_job(shot)
        assert len(take(client, sent, client.submit(sent))) == 6
    server.stop()


def test_where_no_worker_can_load_the_server_says_why_and_ends(void: Any) -> None:
    done = void("serve", "--bind", "tcp://127.0.0.1:*", "--engine", "engines:Dimmer", "--devices", "cuda:98,cuda:99")
    assert done.returncode == 2
    assert "void: torch (built for" in done.stderr
    assert "--devices names others, or cpu" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["", "gpu", "cuda", "cuda:0,", "cuda:0,cuda:0", "cpu;cpu", "cuda:-1"])
def test_what_is_no_device_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(CannotServe, match="--devices"):
        parse_devices(text)


def test_devices_are_those_that_are_named() -> None:
    assert parse_devices("cpu,cpu") == ["cpu", "cpu"]
    assert parse_devices("cuda:1, cuda:0") == ["cuda:1", "cuda:0"]
    assert parse_devices("auto") == ([f"cuda:{index}" for index in range(visible_gpus())] or ["cpu"])


@pytest.mark.parametrize(
    ("ours", "device", "theirs"),
    [
        (None, "cuda:1", "1"),
        ("", "cuda:1", "1"),
        ("2,3", "cuda:1", "3"),
        ("GPU-5a, MIG-77", "cuda:1", "MIG-77"),
        ("2", "cuda:1", "-1"),
        (None, "cpu", "-1"),
        ("0", "cpu", "-1"),
    ],
)
def test_a_worker_sees_its_own_device_alone(
    monkeypatch: pytest.MonkeyPatch, ours: str | None, device: str, theirs: str
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if ours is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ours)
    assert environment(device)["CUDA_VISIBLE_DEVICES"] == theirs


def test_devices_may_come_from_the_config_and_the_environment(void: Any, tmp_path: Path) -> None:
    (tmp_path / "void.toml").write_text('[serve]\ndevices = "gpu"\n')
    from_config = void("--config", tmp_path / "void.toml", "serve")
    from_environment = void("serve", env={"VOID_SERVE_DEVICES": "gpu"})
    for done in (from_config, from_environment):
        assert done.returncode == 2
        assert "'gpu' is no device" in done.stderr
