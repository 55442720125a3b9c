"""Memory that runs out in the worker: its job says so, the next one is done, and nothing of the lost one is held."""

from __future__ import annotations

import resource
import uuid
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from following import FRAMES, SETTINGS, Following, make_job, take
from servers import Server
from void_client.client import Client, Job
from void_client.errors import JobFailed
from void_client.sequences import FileSequence, FrameRange

from void_server.plates.exr import write_frame
from void_server.plates.frame import Frame, Part
from void_server.service.watch import own_memory

STEPS = {"steps": 3}
# A quarter of what each job held when it ran out (starving.py); the allocator keeps some of what it is given back.
LEVEL = 64 << 20


def test_in_denoising_and_decoding_the_next_job_is_done_and_the_memory_is_back(
    shot: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    server = Server(tmp_path / "spool", "--weights", tiny_folder, engine="starving:Starving")

    def frames_of(prompt: str) -> Following:
        sent = make_job(shot, prompt, pass1=STEPS, pass2=STEPS)
        following = Following(server.address, sent, uuid.uuid4().hex)
        following.join(180)
        return following

    assert list(frames_of("a table").result()) == list(FRAMES)
    leaner = frames_of("decoding card 1")
    assert list(leaner.result()) == list(FRAMES), "once more, with less on the card, is enough"
    assert any("one is there at a time" in notice for notice in leaner.notices)
    with Client(server.address) as client:
        worker = client.status()["workers"][0]["pid"]
        before = own_memory(worker)
        for part in ("denoising", "decoding"):
            for how in ("card", "machine", "limit"):
                error = frames_of(f"{part} {how} 9").error
                assert isinstance(error, JobFailed), error
                assert (error.code, error.exit_code) == ("out_of_memory", 1)
                assert "pass 1 ran out of memory at 32 x 48" in str(error)
                assert "take a smaller window or picture" in str(error)
                assert own_memory(worker) < before + LEVEL, (part, how)
        assert list(frames_of("a table").result()) == list(FRAMES)
        assert client.status()["workers"][0]["pid"] == worker, "it has done all of it"
        assert own_memory(worker) < before + LEVEL
    assert "Traceback" not in server.log()
    server.stop()


@pytest.fixture
def large(tmp_path: Path) -> Job:
    """Few bytes on disk, 192 MB of pixels."""
    flat = np.zeros((4000, 4000), np.float32)
    plate = Part({"compression": OpenEXR.ZIP_COMPRESSION}, dict.fromkeys("RGB", flat))
    (tmp_path / "plate.exr").write_bytes(write_frame(Frame((plate,))))
    roto = Part({"displayWindow": plate.data_window.box}, {"A": np.ones((64, 64), np.float16)})
    (tmp_path / "roto.exr").write_bytes(write_frame(Frame((roto,))))
    inputs = {name: FileSequence(tmp_path, f"{name}.exr") for name in ("plate", "roto")}
    return Job(FrameRange(1, 1), inputs, "", SETTINGS)


def test_in_decoding_a_frame_it_is_not_taken_for_damage_and_the_next_job_is_done(
    large: Job, shot: Path, tmp_path: Path
) -> None:
    """For real: the system grants the worker 64 MiB more than it has."""
    server = Server(tmp_path / "spool")
    with Client(server.address) as client:
        sent = make_job(shot)
        take(client, sent, client.submit(sent))
        worker = client.status()["workers"][0]["pid"]
        before = own_memory(worker)
        whole = resource.prlimit(worker, resource.RLIMIT_AS)
        pages = int(Path(f"/proc/{worker}/statm").read_text().split()[0])
        held = pages * resource.getpagesize() + (64 << 20)
        resource.prlimit(worker, resource.RLIMIT_AS, (held, whole[1]))
        for _ in range(3):
            with pytest.raises(JobFailed, match="memory") as caught:
                take(client, large, client.submit(large))
            assert (caught.value.code, caught.value.exit_code) == ("out_of_memory", 1)
        resource.prlimit(worker, resource.RLIMIT_AS, whole)
        assert len(take(client, sent, client.submit(sent))) == 6
        assert client.status()["workers"][0]["pid"] == worker
        assert own_memory(worker) < before + (64 << 20), "of 183 MiB that a frame would have taken"
    server.stop()
