"""A log that a facility's collector can read: every line JSON, every line about a job with its id."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from following import make_job, take
from servers import Server
from void_client.client import Client
from void_client.errors import JobFailed


def test_every_line_is_json_and_names_its_job(shot: Path, tmp_path: Path) -> None:
    server = Server(tmp_path / "spool", "--log-format", "json")
    with Client(server.address) as client:
        sent = make_job(shot)
        good = client.submit(sent)
        take(client, sent, good)
        broken = make_job(shot, "defect")
        bad = client.submit(broken)
        with pytest.raises(JobFailed):
            take(client, broken, bad)
    server.stop()
    lines = [json.loads(line) for line in server.log().splitlines()]
    assert {frozenset(line) for line in lines} == {frozenset({"time", "level", "origin", "job", "message"})}
    for line in lines:
        assert datetime.fromisoformat(line["time"]).tzinfo is not None
    assert [line["message"] for line in lines if line["job"] == good][-1] == f"job {good}: done"
    from_worker = [line for line in lines if line["origin"] == "void.worker"]
    assert [line["job"] for line in from_worker] == [bad]
    assert "ZeroDivisionError: on purpose" in from_worker[0]["message"], "the traceback is in the same line"
    said = next(line for line in lines if "hello from" in line["message"])
    assert (said["job"], said["level"], said["origin"]) == ("", "info", "void.front")
