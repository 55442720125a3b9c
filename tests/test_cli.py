"""The `void` command as a user meets it: a process of its own, against a server that is another."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
import zmq
from conftest import Void, flat
from void_client import protocol
from void_client.client import Client
from void_client.errors import ServerUnreachable

from void_server.plates.exr import read_frame, write_frame
from void_server.plates.frame import Frame, Part


def test_a_run_writes_frames_and_last_a_manifest(void: Void, arguments: dict[str, object], tmp_path: Path) -> None:
    done = void("run", *flat(arguments))
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["manifest.json", *(f"plate.{frame}.exr" for frame in range(1001, 1007))]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["settings"]["pass1"] == {"steps": 1}
    assert manifest["result"] == "plate"
    assert manifest["notices"] == ["a stand-in for tests"]
    assert done.stderr.count("note: a stand-in for tests") == 1
    assert "reading plate and roto 6/6" in done.stderr, "progress goes to stderr"
    assert done.stdout.count("\n") == 1, "results, and nothing else, go to stdout"


def test_json_is_for_machines(void: Void, arguments: dict[str, object], tmp_path: Path) -> None:
    done = void("run", *flat(arguments), "--json")
    facts = json.loads(done.stdout)
    assert (facts["frames"], facts["manifest"]) == (6, str(tmp_path / "out" / "manifest.json"))
    again = void("run", *flat(arguments), "--json")
    assert again.returncode == 2
    assert "exists already" in json.loads(again.stdout)["error"]
    assert void("run", *flat(arguments), "--overwrite").returncode == 0


def test_options_come_from_the_environment_and_from_a_file_too(
    void: Void, arguments: dict[str, object], tmp_path: Path
) -> None:
    config = tmp_path / "void.toml"
    pairs = [f"{name[2:]} = {json.dumps(str(value))}" for name, value in arguments.items() if name != "--server"]
    config.write_text("[run]\n" + "\n".join(pairs))
    done = void("--config", config, "run", env={"VOID_SERVER": str(arguments["--server"])})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "manifest.json").is_file()


def test_a_held_roto_and_an_affected_one(void: Void, arguments: dict[str, object], shot: Path, tmp_path: Path) -> None:
    arguments["--roto"] = shot / "roto.1003.exr"
    arguments["--affected"] = shot / "affected.%04d.exr"
    assert void("run", *flat(arguments)).returncode == 0
    quadmasks = [read_frame(tmp_path / "out" / f"plate.{f}.exr").channel("void.quadmask") for f in range(1001, 1007)]
    primaries = [np.rint(q.astype(float) * 255) <= 63 for q in quadmasks]
    assert all(np.array_equal(primaries[0], primary) for primary in primaries)
    assert len({q.tobytes() for q in quadmasks}) > 2, "what is affected moves"


def test_both_passes_run_on_weights_in_the_real_layout(
    void: Void, arguments: dict[str, object], tiny_server: str, tmp_path: Path
) -> None:
    arguments["--server"] = tiny_server
    done = void("run", *flat(arguments))
    assert done.returncode == 0, done.stderr
    assert "untrained weights: the fill is noise" in done.stderr
    for stage in ("pass 1 1/1", "warping noise 1/1", "pass 2 1/1", "writing frames 6/6"):
        assert stage in done.stderr
    header = read_frame(tmp_path / "out" / "plate.1001.exr").parts[0].header
    assert header["void/notice"] == "untrained weights: the fill is noise"
    assert "untrained weights" in void("status", "--server", tiny_server).stdout


def test_ctrl_c_cancels_the_job(void: Void, arguments: dict[str, object], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "void_server", "run", *map(str, flat(arguments)), "--prompt", "slow"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    for line in process.stderr:
        if "pass 1" in line:
            process.send_signal(signal.SIGINT)
            break
    rest = process.stderr.read()
    assert process.wait(20) == 130
    assert "was cancelled" in rest
    assert "Traceback" not in rest
    assert not (tmp_path / "out").exists()


def test_ctrl_c_in_a_terminal_reaches_the_client_alone_and_a_killed_client_takes_its_server_along(
    arguments: dict[str, object],
) -> None:
    """Ctrl-C goes to every process of the terminal's foreground group; the server of one's own must not be hit."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        arguments["--server"] = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    script = (
        "import void_server.cli as cli, void_server.serving as serving\n"
        "own = serving.own_server\n"
        "serving.own_server = lambda **given: own(**given | {'weights': None, 'engine': 'engines:Dimmer'})\n"
        "cli.app()\n"
    )
    command = [sys.executable, "-c", script, "run", *map(str, flat(arguments)), "--prompt", "slow", "--serve"]
    for end, status in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        assert process.stderr
        said = []
        for line in process.stderr:
            said.append(line)
            if "pass 1" in line:
                os.killpg(process.pid, end)
                break
        assert process.wait(20) == status, said
        process.stderr.close()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                Client(str(arguments["--server"]), timeout=0.3).close()
            except ServerUnreachable:
                break
        else:
            raise AssertionError("the server is still there")


def test_jobs_cancel_and_attach(void: Void, arguments: dict[str, object], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "void_server", "run", *map(str, flat(arguments)), "--prompt", "slow"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    job = process.stderr.readline().split()[2]
    for line in process.stderr:
        if "pass 1" in line:
            break
    process.kill()  # the client is gone; the job is not
    process.wait()
    server = ("--server", arguments["--server"])
    listed = void("jobs", *server).stdout
    assert job in listed
    assert "pass1" in listed
    taken = void("attach", job, "--out", tmp_path / "late" / "plate.####.exr", *server)
    assert taken.returncode == 0, taken.stderr
    assert len(list((tmp_path / "late").glob("plate.*.exr"))) == 6
    assert void("cancel", job, *server).returncode == 2, "it was taken and forgotten"


def test_a_server_of_its_own_for_one_shot(void: Void, arguments: dict[str, object], tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        arguments["--server"] = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    assert void("weights", "tiny", tmp_path / "w").returncode == 0
    done = void("run", *flat(arguments), "--serve", "--weights", tmp_path / "w")
    assert done.returncode == 0, done.stderr
    assert "starting one for the time being" in done.stderr
    assert void("status", "--server", arguments["--server"]).returncode == 2, "it is gone again"


def spoil_missing(shot: Path) -> None:
    (shot / "plate.1003.exr").unlink()


def spoil_truncated(shot: Path) -> None:
    path = shot / "plate.1004.exr"
    path.write_bytes(path.read_bytes()[:-200])


def spoil_format(shot: Path) -> None:
    (shot / "roto.1002.exr").write_bytes(write_frame(Frame((Part({}, {"A": np.ones((8, 8), np.float16)}),))))


def spoil_empty_roto(shot: Path) -> None:
    _every_roto(shot, np.float16(0))


def spoil_nan_roto(shot: Path) -> None:
    _every_roto(shot, np.float16(np.nan))


def _every_roto(shot: Path, value: np.float16) -> None:
    for path in shot.glob("roto.*.exr"):
        part = read_frame(path).parts[0]
        path.write_bytes(write_frame(Frame((Part(part.header, {"A": np.full_like(part.channels["A"], value)}),))))


def spoil_deep(shot: Path) -> None:
    samples = np.empty((90, 160), object)
    for index in np.ndindex(samples.shape):
        samples[index] = np.ones(1, np.float32)
    header = {"compression": OpenEXR.ZIPS_COMPRESSION, "type": OpenEXR.deepscanline}
    with OpenEXR.File(header, {name: OpenEXR.Channel(samples) for name in "RGB"}) as deep:
        deep.write(str(shot / "plate.1005.exr"))


@pytest.fixture
def own_shot(shot: Path, tmp_path: Path) -> Path:
    """A copy of the shot that may be spoilt."""
    folder = tmp_path / "shot"
    folder.mkdir()
    for path in shot.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_missing, ["frame 1003 of plate.%04d.exr is missing", "1001-1006"]),
        (spoil_truncated, ["frame 1004 of plate.%04d.exr", "truncated or damaged", "render it again"]),
        (spoil_format, ["frame 1002 of roto.####.exr", "8x8", "160x90", "render both in one format"]),
        (spoil_empty_roto, ["roto.####.exr is empty", "1001-1006", "paint"]),
        (spoil_nan_roto, ["frame 1001 of roto.####.exr", "nan", "pixel"]),
        (spoil_deep, ["frame 1005 of plate.%04d.exr", "deep"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_bad_input_is_named_and_nothing_is_written(
    void: Void, arguments: dict[str, object], own_shot: Path, tmp_path: Path, spoil: Any, words: list[str]
) -> None:
    spoil(own_shot)
    arguments["--plate"] = own_shot / "plate.%04d.exr"
    arguments["--roto"] = own_shot / "roto.####.exr"
    refused(void, arguments, tmp_path, words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--frames": "1001-1008"}, ["frames 1007, 1008 of plate.%04d.exr are missing"]),
        ({"--frames": "ten"}, ["'ten' is not a frame range"]),
        ({"--out": "/proc/nothing/plate.%04d.exr"}, ["/proc/nothing can't be written", "choose another"]),
        ({"--out": "plate.exr"}, ["one file for 6 frames"]),
        ({"--quadmask": "q.%04d.exr"}, ["--roto", "--quadmask", "one of the two"]),
        ({"--settings": "/nowhere.toml"}, ["/nowhere.toml can't be read"]),
        ({"--server": "tcp://127.0.0.1:9"}, ["no VOID server answered at tcp://127.0.0.1:9", "void serve"]),
        ({"--server": "localhost"}, ["is no address"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_bad_usage_is_named_and_nothing_is_written(
    void: Void, arguments: dict[str, object], tmp_path: Path, change: dict[str, object], words: list[str]
) -> None:
    refused(void, {**arguments, **change}, tmp_path, words, server_answers="--server" not in change)


def refused(
    void: Void, arguments: dict[str, object], tmp_path: Path, words: list[str], *, server_answers: bool = True
) -> None:
    done = void("run", *flat(arguments))
    assert done.returncode == 2, done.stderr
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
    if server_answers:
        assert void("status", "--server", arguments["--server"]).returncode == 0, "the server survives"


def test_a_setting_that_does_not_exist_is_named(
    void: Void, arguments: dict[str, object], settings: Path, tmp_path: Path
) -> None:
    settings.write_text("sede = 3\n")
    refused(void, arguments, tmp_path, ["no 'sede'", "seed"])
    settings.write_text("seed = = 3\n")
    refused(void, arguments, tmp_path, ["is not TOML", "line 1"])


@pytest.fixture
def newer_server() -> Iterator[str]:
    """Something that answers every message in the protocol after ours."""
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    port = router.bind_to_random_port("tcp://127.0.0.1")
    stop = threading.Event()

    def answer() -> None:
        import msgpack

        while not stop.is_set():
            if router.poll(50):
                client = router.recv_multipart()[0]
                router.send_multipart([client, msgpack.packb({"v": protocol.VERSION + 1, "type": "welcome"})])

    thread = threading.Thread(target=answer)
    thread.start()
    yield f"tcp://127.0.0.1:{port}"
    stop.set()
    thread.join()
    context.destroy(linger=0)


def test_a_newer_server_is_told_from_an_older_client(
    void: Void, arguments: dict[str, object], newer_server: str, tmp_path: Path
) -> None:
    done = void("run", *flat({**arguments, "--server": newer_server}))
    assert done.returncode == 2
    ours = protocol.VERSION
    assert f"speaks protocol {ours + 1}, this client {ours}: the client is older" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_server_that_falls_silent_is_told_and_the_job_named(
    void: Void, arguments: dict[str, object], tmp_path: Path
) -> None:
    serve = [sys.executable, "-m", "void_server", "serve", "--json", "--bind", "tcp://127.0.0.1:*"]
    server = subprocess.Popen([*serve, "--engine", "engines:Dimmer"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert server.stdout
    address = json.loads(server.stdout.readline())["address"]
    worker = json.loads(void("status", "--server", address, "--json").stdout)["workers"][0]["pid"]
    threading.Timer(2.0, lambda: os.kill(server.pid, signal.SIGKILL)).start()
    done = void("run", *flat({**arguments, "--server": address}), "--prompt", "slow", "--patience", 12)
    assert done.returncode == 1
    assert "has said nothing for 10 s; waiting for it to come back" in done.stderr
    assert "has said nothing for 12 s. It keeps the job" in done.stderr
    assert "void attach" in done.stderr
    server.wait()
    deadline = time.monotonic() + 15
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{worker}").exists(), "a worker does not outlive its front"


def test_help_names_every_option_and_its_variable(void: Void) -> None:
    text = void("run", "--help", env={"COLUMNS": "200"}).stdout
    for option in (
        "--plate",
        "--roto",
        "--affected",
        "--quadmask",
        "--frames",
        "--out",
        "--settings",
        "--serve",
        "--json",
    ):
        assert option in text
    assert "VOID_SERVER" in text
    assert "VOID_RUN_PLATE" in text
