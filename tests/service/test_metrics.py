"""What Prometheus is told, against what has happened."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from following import make_job, take, until
from prometheus_client.parser import text_string_to_metric_families
from servers import Server, free_address
from void_client.client import Client
from void_client.errors import JobFailed, Refused


def asked(address: str) -> dict[str, float]:
    """Every number at an address, by name and labels."""
    # Not by way of a proxy.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{address}/metrics", timeout=20) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    return {
        sample.name + "".join(f" {value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_numbers_are_those_of_what_has_happened(shot: Path, tmp_path: Path) -> None:
    address = free_address().removeprefix("tcp://")
    server = Server(tmp_path / "spool", "--metrics", address, "--spool-cap", 2, "--devices", "cpu")
    with Client(server.address) as client:
        sent = make_job(shot)
        frames = take(client, sent, client.submit(sent))
        crashing = make_job(shot, "crash")
        with pytest.raises(JobFailed):
            take(client, crashing, client.submit(crashing))
        with pytest.raises(Refused):
            client.cancel("0" * 32)
        client.submit(sent)
        until(lambda: asked(address)["void_jobs receiving"] == 1, "it is looked at once a second")
        until(lambda: asked(address)["void_ready"] == 1, "the worker is back")
        numbers = asked(address)
    one = sum(path.stat().st_size for path in shot.glob("plate.*")) + sum(
        path.stat().st_size for path in shot.glob("roto.*")
    )
    plates = sum(path.stat().st_size for path in shot.glob("plate.*"))
    results = sum(map(len, frames.values()))
    assert numbers["void_received_bytes_total"] == 2 * one
    assert numbers["void_sent_bytes_total"] == results
    # code and state, in that order
    assert numbers["void_jobs_ended_total  done"] == 1
    assert numbers["void_jobs_ended_total worker_died failed"] == 1
    assert numbers["void_refused_total unknown_job"] == 1
    assert [numbers[f"void_jobs {state}"] for state in ("queued", "running", "done", "failed", "cancelled")] == [
        0,
        0,
        1,
        1,
        0,
    ]
    assert numbers["void_worker_starts cpu 0"] == 3
    assert numbers["void_worker_memory_bytes cpu 0"] > 10 << 20
    assert [numbers[f"void_worker_{what} cpu 0"] for what in ("ready", "busy")] == [1, 0]
    assert numbers["void_spool_bytes"] == results + 2 * (one + plates), "what crashed keeps its frames"
    assert numbers["void_spool_cap_bytes"] == 2 << 30
    server.stop()


def test_without_the_option_nobody_is_told(server: str, void: Any) -> None:
    address = free_address().removeprefix("tcp://")
    with pytest.raises(urllib.error.URLError):
        asked(address)
    done = void("serve", "--bind", "tcp://127.0.0.1:*", "--engine", "engines:Dimmer", "--metrics", "here:99999")
    assert done.returncode == 2
    assert "give --metrics HOST:PORT" in done.stderr
    assert "Traceback" not in done.stderr
