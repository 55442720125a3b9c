"""Clients that stall, and many at once: the others are served all the same."""

from __future__ import annotations

import socket
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import OpenEXR
import pytest
import zmq
from following import Following, make_job, take, until
from servers import Server
from void_client import protocol
from void_client.client import Client, Job
from void_client.sequences import FileSequence, FrameRange

from void_server.plates.exr import write_frame
from void_server.plates.frame import Frame, Part
from void_server.service.socket import BACKLOG
from void_server.service.watch import own_memory


@pytest.fixture
def large(tmp_path: Path) -> Job:
    """One frame whose result has many chunks."""
    noise = np.random.default_rng(0).standard_normal((1200, 2000), np.float32)
    plate = Part({"compression": OpenEXR.NO_COMPRESSION}, dict.fromkeys("RGB", noise))
    (tmp_path / "plate.exr").write_bytes(write_frame(Frame((plate,))))
    roto = Part({}, {"A": np.eye(1200, 2000, dtype=np.float16)})
    (tmp_path / "roto.exr").write_bytes(write_frame(Frame((roto,))))
    inputs = {name: FileSequence(tmp_path, f"{name}.exr") for name in ("plate", "roto")}
    settings = {"height": 32, "width": 48, "window": 13, "overlap": 8, "passes": 1, "feather": 0.0}
    return Job(FrameRange(1, 1), inputs, "", settings)


def test_a_client_that_asks_and_never_reads_costs_no_more_than_its_backlog(
    large: Job, shot: Path, tmp_path: Path
) -> None:
    server = Server(tmp_path / "spool")
    with Client(server.address) as client, zmq.Context() as context, context.socket(zmq.DEALER) as raw:
        job_id = client.submit(large)
        (data,) = take(client, large, job_id).values()
        assert len(data) > 8 * protocol.CHUNK
        before = own_memory(server.pid)
        raw.setsockopt(zmq.LINGER, 0)
        raw.setsockopt(zmq.RCVHWM, 1)
        raw.setsockopt(zmq.SNDTIMEO, 60_000)
        raw.connect(server.address)
        for _ in range(5 * BACKLOG):
            raw.send(protocol.pack("fetch", job=job_id, frame=1, offset=0, length=protocol.CHUNK))
        raw.send(protocol.pack("hello", client="the last one"))
        until(lambda: "hello from the last one" in server.log(), "all of it has been looked at")
        assert own_memory(server.pid) < before + (BACKLOG + 100 << 20)
        sent = make_job(shot)
        assert len(take(client, sent, client.submit(sent))) == 6
    server.stop()


def test_connections_that_send_a_byte_now_and_then_and_no_more_hinder_nobody(server: str, shot: Path) -> None:
    where = urlsplit(server)
    connections = [socket.create_connection((where.hostname, where.port)) for _ in range(50)]
    try:
        for byte in b"\xff\x00\x00":  # how a greeting begins
            for connection in connections:
                connection.send(bytes([byte]))
            with Client(server) as client:
                assert client.status()["ready"]
        sent = make_job(shot)
        with Client(server) as client:
            assert len(take(client, sent, client.submit(sent))) == 6
    finally:
        for connection in connections:
            connection.close()


def test_fifty_clients_at_once_all_get_their_own(server: str, shot: Path) -> None:
    jobs = [(make_job(shot, seed=number), uuid.uuid4().hex) for number in range(50)]
    all_of_them = [Following(server, sent, job_id) for sent, job_id in jobs]
    for following, (_, job_id) in zip(all_of_them, jobs, strict=True):
        frames = following.result()
        assert len(frames) == 6
        assert all(job_id.encode() in data for data in frames.values())
