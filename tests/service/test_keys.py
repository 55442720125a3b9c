"""A server that others can reach: allowed keys alone, each user's own jobs, and nothing for who listens."""

from __future__ import annotations

import contextlib
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import OpenEXR
import pytest
import zmq
from following import SETTINGS, make_job, take, until
from servers import Server
from void_client import keys, protocol
from void_client.client import Client, Job
from void_client.errors import BadInput, Refused, ServerUnreachable
from void_client.sequences import FileSequence, FrameRange

from void_server.plates.exr import write_frame
from void_server.plates.frame import Frame, Part


class Guarded:
    """A server with keys, and the folders of two users that it allows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = folder / "keys"
        self.public = keys.new_pair(self.keys).public.decode()
        for name in ("ana", "ben"):
            keys.allow(self.keys, name, keys.new_pair(folder / name).public.decode())
        keys.new_pair(folder / "eve")
        self.server = Server(folder / "spool", "--keys", self.keys)
        self.address = self.server.address


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    made = Guarded(tmp_path_factory.mktemp("guarded"))
    yield made
    made.server.stop()


@pytest.fixture
def as_user(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client with a user's keys."""

    def connect(name: str, address: str = guarded.address, timeout: float = 20.0) -> Client:
        monkeypatch.setenv("VOID_SERVER_KEY", guarded.public)
        monkeypatch.setenv("VOID_KEYS", str(guarded.folder / name))
        return Client(address, timeout=timeout)

    return connect


def test_an_allowed_key_is_served(as_user: Any, shot: Path) -> None:
    with as_user("ana") as client:
        sent = make_job(shot)
        assert len(take(client, sent, client.submit(sent))) == 6


def test_a_plate_larger_than_a_chunk_is_served_to_one_with_a_key(as_user: Any, tmp_path: Path) -> None:
    """What encryption adds to a full chunk is not held against it."""
    noise = np.random.default_rng(0).standard_normal((360, 640), np.float32)
    plate = Part({"compression": OpenEXR.NO_COMPRESSION}, dict.fromkeys("RGB", noise))
    (tmp_path / "plate.exr").write_bytes(write_frame(Frame((plate,))))
    roto = Part({}, {"A": np.eye(360, 640, dtype=np.float16)})
    (tmp_path / "roto.exr").write_bytes(write_frame(Frame((roto,))))
    assert (tmp_path / "plate.exr").stat().st_size > 2 * protocol.CHUNK
    inputs = {name: FileSequence(tmp_path, f"{name}.exr") for name in ("plate", "roto")}
    sent = Job(FrameRange(1, 1), inputs, "", SETTINGS)
    with as_user("ana") as client:
        (data,) = take(client, sent, client.submit(sent), patience=30.0).values()
    assert len(data) > 2 * protocol.CHUNK


def test_no_key_another_key_and_the_key_of_another_server_are_refused(
    guarded: Guarded, as_user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ServerUnreachable, match="or it wants keys"):
        Client(guarded.address, timeout=2.0)
    with pytest.raises(ServerUnreachable):
        as_user("eve", timeout=2.0)
    eve = keys.read_pair(guarded.folder / "eve").public.decode()
    until(lambda: f"the key {eve} is not allowed" in guarded.server.log(), "it is in the log")
    monkeypatch.setenv("VOID_SERVER_KEY", eve)  # a server that only says that it is ours
    monkeypatch.setenv("VOID_KEYS", str(guarded.folder / "ana"))
    with pytest.raises(ServerUnreachable):
        Client(guarded.address, timeout=2.0)
    with as_user("ana") as client:
        assert client.status()["ready"]


def test_a_revoked_key_is_refused_at_once_and_when_it_comes_again(guarded: Guarded, as_user: Any) -> None:
    keys.allow(guarded.keys, "carl", keys.new_pair(guarded.folder / "carl").public.decode())
    with as_user("carl") as client:
        assert client.status()["ready"]
        keys.revoke(guarded.keys, "carl")
        with pytest.raises(Refused, match="revoked") as caught:
            client.status()
        assert caught.value.code == "not_allowed"
    with pytest.raises(ServerUnreachable):
        as_user("carl", timeout=2.0)
    assert "this key has been revoked" in guarded.server.log()


def test_each_user_sees_their_own_jobs_alone(as_user: Any, shot: Path) -> None:
    with as_user("ana") as ana, as_user("ben") as ben:
        sent = make_job(shot)
        job_id = ana.submit(sent)
        assert [(held["job"], held["user"]) for held in ana.jobs() if held["job"] == job_id] == [(job_id, "ana")]
        assert job_id not in [held["job"] for held in ben.jobs()]
        for ask in (ben.cancel, lambda job: ben.submit(sent, job), lambda job: take(ben, sent, job)):
            with pytest.raises(Refused) as caught:
                ask(job_id)
            assert caught.value.code == "unknown_job"
        with pytest.raises(Refused, match="no job"):
            ben.request("release", ("released",), job=job_id)
        assert len(take(ana, sent, job_id)) == 6


@contextlib.contextmanager
def eavesdropper(address: str) -> Iterator[tuple[str, bytearray]]:
    """An address that leads to the same server, and all bytes that pass, in both directions."""
    where = urlsplit(address)
    heard = bytearray()
    listening = socket.create_server(("127.0.0.1", 0))

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                heard.extend(data)
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listening.accept()
                far = socket.create_connection((where.hostname, where.port))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=pass_on, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"tcp://127.0.0.1:{listening.getsockname()[1]}", heard
    listening.close()


def overheard(heard: bytes, shot: Path) -> list[str]:
    """What of a job can be read in the bytes that passed."""
    frame = (shot / "plate.1001.exr").read_bytes()
    words = {
        "prompt": b"a secret wall",
        "label": b"a test",
        "field": b"settings",
        "magic": b"\x76\x2f\x31\x01\x02\x00\x00\x00",
        "channels": b"channels\x00chlist",
        "pixels": frame[len(frame) // 2 :][:24],
        "result": b"void/engine",
    }
    return [name for name, word in words.items() if word in heard]


def test_who_listens_on_the_link_reads_nothing_of_ours(guarded: Guarded, as_user: Any, server: str, shot: Path) -> None:
    sent = make_job(shot, "a secret wall")
    with eavesdropper(server) as (address, heard):
        with Client(address, timeout=20.0) as client:
            take(client, sent, client.submit(sent))
        assert len(overheard(heard, shot)) == 7, "without keys, all of it can be read: the listener can listen"
    with eavesdropper(guarded.address) as (address, heard):
        with as_user("ana", address) as client:
            frames = take(client, sent, client.submit(sent))
        assert len(heard) > sum(map(len, frames.values()))
        assert overheard(heard, shot) == []


def test_another_address_than_loopback_needs_keys_and_somebody_who_is_allowed(
    void: Any, tmp_path: Path, guarded: Guarded
) -> None:
    everywhere = ("serve", "--engine", "engines:Dimmer", "--spool", tmp_path / "spool", "--bind", "tcp://0.0.0.0:*")
    (tmp_path / "none").mkdir()
    keys.new_pair(tmp_path / "nobody")
    for options, words in [
        ((), "not a loopback address"),
        (("--keys", tmp_path / "none"), "no key pair"),
        (("--keys", tmp_path / "nobody"), "allows nobody"),
    ]:
        done = void(*everywhere, *options)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_with_keys_it_serves_on_every_address(guarded: Guarded, as_user: Any, tmp_path: Path) -> None:
    server = Server(tmp_path / "spool", "--keys", guarded.keys)
    server.stop()
    server.address = server.address.replace("127.0.0.1", "0.0.0.0")
    server.start()
    with as_user("ana", server.address.replace("0.0.0.0", "127.0.0.1")) as client:
        assert client.status()["ready"]
    server.stop()


def test_the_command_makes_allows_and_revokes(void: Any, tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    public = void("keys", "new", "--keys", folder).stdout.strip()
    assert keys.read_pair(folder).public.decode() == public
    secret = folder / "void.key_secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert keys.read_pair(folder).secret.decode() not in (folder / "void.key").read_text()
    again = void("keys", "new", "--keys", folder)
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert void("keys", "allow", "ana", public, "--keys", folder).returncode == 0
    assert keys.allowed(folder) == {public: "ana"}
    assert void("keys", "revoke", "ana", "--keys", folder).returncode == 0
    assert keys.allowed(folder) == {}
    assert void("keys", "revoke", "ana", "--keys", folder).returncode == 2


@pytest.mark.parametrize(
    ("name", "key"),
    [("../ana", "0" * 40), ("", "0" * 40), ("ana", "0" * 39), ("ana", "\N{SNOWMAN}" * 40), ("ana", " " * 40)],
)
def test_what_is_no_name_or_no_key_lets_nobody_in(tmp_path: Path, name: str, key: str) -> None:
    with pytest.raises(BadInput, match=r"no name|no public key"):
        keys.allow(tmp_path, name, key)
    assert not list(tmp_path.rglob("*.key"))


def test_no_public_key_begins_with_a_dash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = zmq.curve_keypair()
    pairs = iter([(b"-" + made[0][1:], made[1]), made])
    monkeypatch.setattr("zmq.curve_keypair", lambda: next(pairs))
    assert keys.new_pair(tmp_path / "ana").public == made[0]
