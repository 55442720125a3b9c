"""Bakes against a real server: recorded on disk, taken up after anything dies, gone when cancelled."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from servers import Server
from void_client.bake import RECORD, Bake, carry_out
from void_client.client import Client
from void_client.colour import Colour
from void_client.errors import BadInput, JobCancelled, JobFailed, ServerLost
from void_client.sequences import FrameRange

from void_server.plates.exr import read_frame

ACESCG: Colour = {
    "name": "ACEScg",
    "matrix": [1.70505, -0.62179, -0.08326, -0.13026, 1.14080, -0.01055, -0.02400, -0.12897, 1.15297],
}
SETTINGS = {"height": 32, "width": 48, "window": 13, "overlap": 8, "passes": 1}


@pytest.fixture
def killable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("killable") / "spool")
    yield server
    server.stop()


def new_bake(folder: Path, shot: Path, views: tuple[str, ...] = ("main",), prompt: str = "") -> Bake:
    """A recorded bake whose inputs have been rendered."""
    bake = Bake.new(
        folder,
        list(views),
        frames=FrameRange(1001, 1006),
        inputs=("plate", "roto"),
        result="plate",
        prompt=prompt,
        settings=SETTINGS,
        label="a test",
        facts={"node": "VOID1"},
    )
    for view in views:
        for name in bake.inputs:
            target = bake.input(name, view)
            target.folder.mkdir(parents=True, exist_ok=True)
            for frame in bake.frames:
                shutil.copy(shot / f"{name}.{frame}.exr", target.path(frame))
    bake.write()
    return bake


def until_pass1(happened: threading.Event):
    return lambda view, state: happened.set() if state["state"] == "pass1" else None


def test_the_record_is_read_as_it_was_written(tmp_path: Path, shot: Path) -> None:
    bake = new_bake(tmp_path / "v001", shot, ("left", "right"), 'ein Würfel \\ "x"')
    bake = replace(bake, colour=ACESCG)
    bake.write()
    assert Bake.read(tmp_path / "v001") == bake


def test_a_record_from_before_working_spaces_is_of_linear_rec709_and_is_carried_out(
    server: str, tmp_path: Path, shot: Path
) -> None:
    new_bake(tmp_path / "v001", shot)
    record = json.loads((tmp_path / "v001" / RECORD).read_text())
    del record["colour"]
    (tmp_path / "v001" / RECORD).write_text(json.dumps(record))
    carry_out(Bake.read(tmp_path / "v001"), server)
    manifest = json.loads((tmp_path / "v001" / "manifest.json").read_text())
    assert manifest["colourspace"] == {"name": "linear Rec.709", "matrix": [1, 0, 0, 0, 1, 0, 0, 0, 1]}


def test_the_working_space_of_a_bake_is_in_its_manifest_and_its_frames(server: str, tmp_path: Path, shot: Path) -> None:
    bake = replace(new_bake(tmp_path / "v001", shot), colour=ACESCG)
    carry_out(bake, server)
    assert json.loads((tmp_path / "v001" / "manifest.json").read_text())["colourspace"] == ACESCG
    assert read_frame(tmp_path / "v001" / "plate.1003.exr").parts[0].header["void/colourspace"] == "ACEScg"


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"frames": [1]}', '{"frames": [1, 2], "inputs": [], "new": 1}'])
def test_a_damaged_record_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(BadInput, match=r"job\.json can't be read as a bake"):
        Bake.read(tmp_path)


def test_a_whole_result_leaves_frames_and_manifest_and_nothing_else(server: str, tmp_path: Path, shot: Path) -> None:
    bake = new_bake(tmp_path / "v001", shot)
    carry_out(bake, server)
    names = {path.name for path in (tmp_path / "v001").iterdir()}
    assert names == {"manifest.json", *(f"plate.{frame}.exr" for frame in range(1001, 1007))}
    manifest = json.loads((tmp_path / "v001" / "manifest.json").read_text())
    assert manifest["job"] == bake.ids["main"]
    assert manifest["node"] == "VOID1"
    with Client(server) as client:
        assert bake.ids["main"] not in [job["job"] for job in client.jobs()], "the server was told that it may forget"


def test_each_view_is_a_job_with_a_folder_of_its_own(server: str, tmp_path: Path, shot: Path) -> None:
    bake = new_bake(tmp_path / "v001", shot, ("left", "right"))
    seen = []
    carry_out(bake, server, on_state=lambda view, state: seen.append(view))
    assert list(dict.fromkeys(seen)) == ["left", "right"]
    for view in ("left", "right"):
        assert (tmp_path / "v001" / view / "plate.1006.exr").is_file()
        assert json.loads((tmp_path / "v001" / view / "manifest.json").read_text())["view"] == view


def test_a_bake_goes_on_by_itself_when_its_server_is_killed_and_comes_back(
    killable: Server, tmp_path: Path, shot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("void_client.protocol.SILENCE", 1.5)
    bake = new_bake(tmp_path / "v001", shot, prompt=f"until {tmp_path / 'go'}")
    in_pass1, silent = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=carry_out,
        args=(bake, killable.address),
        kwargs={"on_state": until_pass1(in_pass1), "on_silence": lambda seconds: silent.set()},
    )
    thread.start()
    assert in_pass1.wait(60)
    killable.kill()
    assert silent.wait(60), "whoever waits is told"
    killable.start()
    (tmp_path / "go").touch()
    thread.join(120)
    manifest = json.loads((tmp_path / "v001" / "manifest.json").read_text())
    assert (manifest["job"], manifest["engine"]) == (bake.ids["main"], "dimmer")
    assert len(list((tmp_path / "v001").glob("plate.*.exr"))) == 6


def test_a_bake_whose_server_stays_away_is_carried_out_by_the_next_one(
    killable: Server, tmp_path: Path, shot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("void_client.protocol.PATIENCE", 4.0)
    bake = new_bake(tmp_path / "v001", shot, prompt=f"until {tmp_path / 'go'}")
    in_pass1 = threading.Event()

    def kill() -> None:
        in_pass1.wait(30)
        killable.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ServerLost):
        carry_out(bake, killable.address, on_state=until_pass1(in_pass1))
    killer.join()
    killable.start()
    (tmp_path / "go").touch()
    carry_out(Bake.read(tmp_path / "v001"), killable.address)
    assert len(list((tmp_path / "v001").glob("plate.*.exr"))) == 6


def test_a_bake_whose_client_is_killed_goes_on_and_is_taken_up(server: str, tmp_path: Path, shot: Path) -> None:
    bake = new_bake(tmp_path / "v001", shot, prompt=f"until {tmp_path / 'go'}")
    code = (
        "import sys; from pathlib import Path; from void_client.bake import Bake, carry_out\n"
        "carry_out(Bake.read(Path(sys.argv[1])), sys.argv[2],"
        " on_state=lambda view, state: print(state['state'], flush=True))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "v001"), server]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert any("pass1" in line for line in process.stdout)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    states: list[str] = []

    def let_go(view: str, state: dict) -> None:
        states.append(state["state"])
        (tmp_path / "go").touch()

    carry_out(bake, server, on_state=let_go)
    assert states[0] == "pass1", "it went on while nobody followed, and did not start again"
    assert len(list((tmp_path / "v001").glob("plate.*.exr"))) == 6


def test_a_cancelled_bake_leaves_nothing_behind(server: str, tmp_path: Path, shot: Path) -> None:
    bake = new_bake(tmp_path / "v001", shot, prompt="slow")
    in_pass1 = threading.Event()
    with pytest.raises(JobCancelled):
        carry_out(bake, server, on_state=until_pass1(in_pass1), cancelled=in_pass1.is_set)
    assert not (tmp_path / "v001").exists()


def test_a_failed_bake_leaves_nothing_behind_and_says_why(server: str, tmp_path: Path, shot: Path) -> None:
    bake = new_bake(tmp_path / "v001", shot, prompt="memory")
    with pytest.raises(JobFailed, match="smaller window"):
        carry_out(bake, server)
    assert not (tmp_path / "v001").exists()


def test_a_result_cut_short_on_disk_is_fetched_anew(server: str, tmp_path: Path, shot: Path) -> None:
    bake = new_bake(tmp_path / "v001", shot)
    (tmp_path / "v001" / "plate.1001.exr").write_bytes(b"half a frame of a client that died")
    (tmp_path / "v001" / "plate.1002.exr.0a1b2c3d.tmp").write_bytes(b"and what it was writing")
    carry_out(bake, server)
    assert not list((tmp_path / "v001").glob("*.tmp"))
    assert (tmp_path / "v001" / "plate.1001.exr").stat().st_size > 1000


def test_of_two_that_follow_the_slower_one_finds_it_done(server: str, tmp_path: Path, shot: Path) -> None:
    bake = new_bake(tmp_path / "v001", shot, prompt=f"until {tmp_path / 'go'}")
    both_see_it = threading.Barrier(3)
    errors: list[BaseException] = []

    def follow() -> None:
        seen = threading.Event()

        def on_state(view: str, state: dict) -> None:
            if state["state"] == "pass1" and not seen.is_set():
                seen.set()
                both_see_it.wait(30)

        try:
            carry_out(bake, server, on_state=on_state)
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=follow) for _ in range(2)]
    for thread in threads:
        thread.start()
    both_see_it.wait(30)
    (tmp_path / "go").touch()
    for thread in threads:
        thread.join(30)
    assert not errors
    assert len(list((tmp_path / "v001").glob("plate.*.exr"))) == 6
    assert (tmp_path / "v001" / "manifest.json").exists()
