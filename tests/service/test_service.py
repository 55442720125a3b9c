"""A real `void serve`, its real worker process, real sockets; the engine alone is a stand-in."""

from __future__ import annotations

import hashlib
import os
import signal
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import zmq
from following import FRAMES, SETTINGS, make_job, take
from void_client import __version__, protocol
from void_client.client import Client, Job
from void_client.errors import JobCancelled, JobFailed, ProtocolMismatch, Refused
from void_client.sequences import FileSequence, FrameRange

from void_server.demo.scene import Scene
from void_server.plates.exr import read_frame, write_frame
from void_server.plates.frame import Frame, Part
from void_server.plates.window import Window


def wait_for(client: Client, job_id: str, *states: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if any(held["job"] == job_id and held["state"] in states for held in client.jobs()):
            return
        time.sleep(0.05)
    raise AssertionError(f"job {job_id} was never {states}: {client.jobs()}")


def test_a_job_comes_back_frame_by_frame_with_its_states_in_order(client: Client, shot: Path) -> None:
    sent = make_job(shot)
    states: list[str] = []
    job_id = client.submit(sent)
    frames = take(client, sent, job_id, on_state=lambda state: states.append(state["state"]))
    assert list(frames) == list(FRAMES)
    order = [*protocol.STAGES, "done"]
    positions = [order.index(state) for state in states]
    assert positions == sorted(positions)
    assert states[-1] == "done"
    for number, data in frames.items():
        image = read_frame(data)
        assert image.parts[0].header["void/job"] == job_id
        assert image.parts[0].header["void/result"] == "plate"
        assert image.parts[0].header["void/notice"] == "a stand-in for tests"
        assert image.parts[0].header["nuke/input/frame"] == str(number)


def test_a_job_may_be_longer_than_the_model_was_published_for(client: Client, tmp_path: Path) -> None:
    scene = Scene(width=64, height=36, count=210, overscan=0)
    scene.write(tmp_path)
    frames = FrameRange(scene.frames[0], scene.frames[-1])
    inputs = {name: FileSequence(tmp_path, f"{name}.%04d.exr") for name in ("plate", "roto")}
    sent = Job(frames, inputs, "", SETTINGS)
    assert list(take(client, sent, client.submit(sent))) == list(frames)


def test_a_job_for_the_quadmask_never_calls_the_engine(client: Client, shot: Path) -> None:
    sent = replace(make_job(shot, "crash"), result="quadmask")  # the engine would take the worker along
    worker = client.status()["workers"][0]["pid"]
    states: list[dict[str, Any]] = []
    job_id = client.submit(sent)
    frames = take(client, sent, job_id, on_state=states.append)
    assert [held["result"] for held in client.jobs() if held["job"] == job_id] == ["quadmask"]
    assert client.status()["workers"][0]["pid"] == worker
    seen = dict.fromkeys(state["state"] for state in states)
    assert list(seen) == ["receiving", "queued", "masking", "finishing", "done"]
    assert states[-1]["notices"] == [], "what the engine has to say is about plates"
    assert list(frames) == list(FRAMES)
    for number, data in frames.items():
        image = read_frame(data)
        assert {channel: pixels.dtype for channel, pixels in image.parts[0].channels.items()} == dict.fromkeys(
            "RGBA", np.float32
        )
        said = {name: value for name, value in image.parts[0].header.items() if name.startswith("void/")}
        assert said == {"void/job": job_id, "void/version": __version__, "void/result": "quadmask"}
        roto = read_frame(sent.inputs["roto"].path(number))
        here = roto.data_window.slices_in(image.data_window)
        assert np.array_equal(image.channel("R")[here] == 0, roto.channel("A") >= 1 / 32)


def test_a_job_for_the_quadmask_says_what_the_artist_can_mend(client: Client, shot: Path, tmp_path: Path) -> None:
    empty = {"roto": FileSequence(tmp_path, "roto.exr")}
    roto = Part({"displayWindow": Window(0, 0, 160, 90).box}, {"A": np.zeros((90, 160), np.float16)})
    (tmp_path / "roto.exr").write_bytes(write_frame(Frame((roto,))))
    sent = make_job(shot)
    sent = replace(sent, inputs=sent.inputs | empty, result="quadmask")
    with pytest.raises(JobFailed, match=r"the roto roto\.exr is empty") as caught:
        take(client, sent, client.submit(sent))
    assert caught.value.code == "bad_input"


def test_release_forgets_the_job(client: Client, shot: Path) -> None:
    sent = make_job(shot)
    job_id = client.submit(sent)
    take(client, sent, job_id)
    client.release(job_id)
    with pytest.raises(Refused, match="no job"):
        client.cancel(job_id)


def test_the_same_submission_twice_is_one_job(client: Client, shot: Path) -> None:
    sent = make_job(shot)
    job_id = uuid.uuid4().hex
    client.submit(sent, job_id)
    client.submit(sent, job_id)
    assert len(take(client, sent, job_id)) == 6
    client.submit(sent, job_id)
    assert [held["state"] for held in client.jobs() if held["job"] == job_id] == ["done"]


def test_a_client_may_leave_and_another_takes_the_result(server: str, shot: Path) -> None:
    sent = make_job(shot, "slow")
    with Client(server) as first:
        job_id = first.submit(sent)

        def leave(state: dict[str, Any]) -> None:
            if state["state"] == "pass1":
                raise ConnectionAbortedError

        with pytest.raises(ConnectionAbortedError):
            take(first, sent, job_id, on_state=leave)
    with Client(server) as second:
        assert len(take(second, sent, job_id)) == 6


def test_a_running_job_stops_within_a_step_when_cancelled(client: Client, shot: Path) -> None:
    sent = make_job(shot, "slow")  # ten seconds, if nobody stopped it
    job_id = client.submit(sent)
    steps: list[int] = []

    def note(state: dict[str, Any]) -> None:
        if state["state"] == "pass1":
            steps.append(state["step"])

    with pytest.raises(JobCancelled):
        take(client, sent, job_id, on_state=note, cancelled=lambda: len(steps) > 2)
    assert max(steps) < 100


def test_a_job_is_cancelled_while_it_waits_and_while_it_receives(server: str, client: Client, shot: Path) -> None:
    running, waiting = make_job(shot, "slow"), make_job(shot)
    with Client(server) as other:
        first = other.submit(running)

        def then(state: dict[str, Any]) -> None:
            if state["state"] != "pass1":
                return
            second = client.submit(waiting)
            with pytest.raises(JobCancelled):
                take(
                    client,
                    waiting,
                    second,
                    on_state=lambda s: s["state"] == "queued" and client.send("cancel", job=second),
                )
            third = client.submit(waiting)  # nobody sends its frames
            assert client.cancel(third)["state"] == "cancelled"
            other.send("cancel", job=first)

        with pytest.raises(JobCancelled):
            take(other, running, first, on_state=then)


def test_jobs_run_one_after_the_other(server: str, shot: Path) -> None:
    with Client(server) as one, Client(server) as two:
        slow, quick = make_job(shot, "slow"), make_job(shot)
        first = one.submit(slow)

        def then(state: dict[str, Any]) -> None:
            if state["state"] == "pass1" and state["step"] == 5:
                second = two.submit(quick)
                with pytest.raises(TimeoutError):
                    take(two, quick, second, on_state=_until_queued)
                held = {entry["job"]: entry["state"] for entry in one.jobs()}
                assert (held[first], held[second]) == ("pass1", "queued")

        def _until_queued(state: dict[str, Any]) -> None:
            if state["state"] == "queued":
                raise TimeoutError

        assert len(take(one, slow, first, on_state=then)) == 6


def test_a_job_that_brings_the_worker_down_twice_fails_and_the_next_runs(client: Client, shot: Path) -> None:
    sent = make_job(shot, "crash")
    with pytest.raises(JobFailed) as caught:
        take(client, sent, client.submit(sent))
    assert caught.value.code == "worker_died"
    again = make_job(shot)
    assert len(take(client, again, client.submit(again))) == 6


def test_a_job_whose_worker_dies_once_is_tried_again(client: Client, shot: Path, tmp_path: Path) -> None:
    sent = make_job(shot, f"crash once {tmp_path / 'crashed'}")
    assert len(take(client, sent, client.submit(sent))) == 6
    assert (tmp_path / "crashed").exists()


def test_a_worker_killed_from_outside_is_replaced(client: Client, shot: Path) -> None:
    before = client.status()["workers"][0]["pid"]
    os.kill(before, signal.SIGKILL)
    sent = make_job(shot)
    assert len(take(client, sent, client.submit(sent))) == 6
    assert client.status()["workers"][0]["pid"] != before


def test_a_defect_is_told_without_a_traceback_and_the_service_goes_on(client: Client, shot: Path) -> None:
    sent = make_job(shot, "defect")
    with pytest.raises(JobFailed) as caught:
        take(client, sent, client.submit(sent))
    assert caught.value.code == "internal"
    assert "ZeroDivisionError" in str(caught.value)
    assert "Traceback" not in str(caught.value)
    again = make_job(shot)
    assert len(take(client, again, client.submit(again))) == 6


def test_too_little_memory_is_told_with_what_to_do_and_the_next_job_runs(client: Client, shot: Path) -> None:
    sent = make_job(shot, "memory")
    with pytest.raises(JobFailed, match="take a smaller window") as caught:
        take(client, sent, client.submit(sent))
    assert (caught.value.code, caught.value.exit_code) == ("out_of_memory", 1)
    again = make_job(shot)
    assert len(take(client, again, client.submit(again))) == 6


def test_another_version_is_told_both_numbers(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = protocol.VERSION
    monkeypatch.setattr(protocol, "VERSION", 99)
    with pytest.raises(ProtocolMismatch, match=rf"speaks protocol {ours}, this client 99: the server is older"):
        Client(server)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"first": 5, "last": 1}, "1 to 20000 frames"),
        ({"last": 2001}, "frames"),
        ({"inputs": {"plate": {"name": "p", "sizes": [1] * 6}}}, "roto"),
        ({"inputs": {"plate": {"name": "p", "sizes": [1] * 6}, "roto": {"name": "r", "sizes": [1] * 5}}}, "5 frames"),
        ({"inputs": {"../../etc": {"name": "p", "sizes": [1]}}}, "not of this protocol"),
        ({"settings": {"sede": 1}}, "sede"),
        ({"surprise": 1}, "not of this protocol"),
        ({"result": "mask"}, r"\$\.spec\.result"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused_by_name(
    client: Client, shot: Path, change: dict[str, Any], word: str
) -> None:
    spec = make_job(shot).spec() | change
    before = client.jobs()
    with pytest.raises(Refused, match=word):
        client.request("submit", ("accepted",), job=uuid.uuid4().hex, spec=spec, user="", priority="batch")
    assert client.jobs() == before


@pytest.mark.parametrize(
    "frames",
    [
        [b""],
        [b"\xc1"],
        [msgpack.packb([1, 2])],
        [msgpack.packb({"v": protocol.VERSION})],
        [msgpack.packb({"v": "1", "type": "hello"})],
        [msgpack.packb({"v": protocol.VERSION, "type": "launch"})],
        [msgpack.packb({"v": protocol.VERSION, "type": "hello", "client": 7})],
        [msgpack.packb({"v": protocol.VERSION, "type": "cancel", "job": "../../../etc/passwd"})],
        [msgpack.packb({"v": protocol.VERSION, "type": "hello", "client": "x"}), b"payload"],
        [msgpack.packb({"v": protocol.VERSION, "type": "hello", "client": "x"}), b"", b""],
        [b"\x81" * 5000],
        [b"\x91" * 100_000],
    ],
)
def test_rubbish_is_refused_and_changes_nothing(server: str, client: Client, frames: list[bytes]) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as raw:
        raw.setsockopt(zmq.LINGER, 0)
        raw.connect(server)
        raw.send_multipart(frames)
        assert raw.poll(5000)
        answer = protocol.unpack(raw.recv_multipart()[0])
    assert (answer["type"], answer["code"]) == ("refused", "bad_message")
    assert client.status()["ready"]


def test_a_chunk_that_nobody_asked_for_changes_nothing(client: Client, shot: Path) -> None:
    sent = make_job(shot)
    job_id = client.submit(sent)
    fields = {"job": job_id, "input": "plate", "frame": 1003, "offset": 0, "size": 4, "sha256": "0" * 64}
    client.send("chunk", b"evil", **fields)
    frames = take(client, sent, job_id)
    source = read_frame(sent.inputs["plate"].path(1003))
    result = read_frame(frames[1003])
    outside = result.channel("void.matte") == 0
    assert np.array_equal(result.channel("R")[outside], source.channel("R")[outside])


def test_what_was_asked_for_and_lost_is_asked_for_again(client: Client, shot: Path) -> None:
    sent = make_job(shot)
    job_id = client.submit(sent)
    while client.receive(0.5):
        pass  # the wants, gone
    assert len(take(client, sent, job_id)) == 6


def test_a_frame_that_arrives_damaged_fails_the_job(client: Client, shot: Path) -> None:
    sent = make_job(shot)
    job_id = client.submit(sent)
    message, _ = client.receive(5) or ({}, b"")
    assert (message["type"], message["input"], message["offset"]) == ("want", "plate", 0)
    data = FileSequence(shot, "plate.%04d.exr").path(1001).read_bytes()
    flipped = bytes([data[0] ^ 1]) + data[1:]
    digest = hashlib.sha256(data).hexdigest()
    client.send("chunk", flipped, job=job_id, input="plate", frame=1001, offset=0, size=len(data), sha256=digest)
    with pytest.raises(JobFailed) as caught:
        take(client, sent, job_id)
    assert caught.value.code == "damaged"
    assert "frame 1001 of plate.%04d.exr" in str(caught.value)


def test_frames_of_many_chunks_arrive_whole(client: Client, shot: Path, tmp_path: Path) -> None:
    """A frame of several megabytes: more pieces than may be in flight."""
    import OpenEXR

    noise = np.random.default_rng(0).standard_normal((1200, 2000), np.float32)
    plate = Part({"compression": OpenEXR.NO_COMPRESSION}, dict.fromkeys("RGB", noise))
    (tmp_path / "plate.exr").write_bytes(write_frame(Frame((plate,))))
    roto = Part({}, {"A": np.eye(1200, 2000, dtype=np.float16)})
    (tmp_path / "roto.exr").write_bytes(write_frame(Frame((roto,))))
    assert (tmp_path / "plate.exr").stat().st_size > 20 * protocol.CHUNK
    inputs = {name: FileSequence(tmp_path, f"{name}.exr") for name in ("plate", "roto")}
    sent = Job(FrameRange(1, 1), inputs, "", {**SETTINGS, "feather": 0.0})
    (result,) = take(client, sent, client.submit(sent)).values()
    outside = read_frame(result).channel("void.matte") == 0
    assert np.array_equal(read_frame(result).channel("R")[outside], noise[outside])


def test_the_front_imports_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, void_server.cli, void_server.service.front, void_server.run; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
