"""`void batch` as a user meets it: a process of its own, against a server that is another, on real EXRs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio as otio
import pytest
from conftest import Void, dimming_server
from edits import clip, sequence, span, write
from servers import Server
from void_client.client import Client

from void_server.batch.prepare import Defaults, prepare, tasks_of
from void_server.batch.timeline import Shot, read_timeline
from void_server.colourspace import colour_of
from void_server.plates.exr import read_frame

SETTINGS = {"height": 32, "width": 48, "window": 13, "overlap": 8}
NAMES = [f"sh{number}0" for number in range(1, 7)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One of these tests' own: some look whether anything is left on it, and some take it up to a gate."""
    with dimming_server(tmp_path_factory.mktemp("server") / "log") as address:
        yield address


@pytest.fixture
def plates(shot: Path, tmp_path: Path) -> Path:
    """A copy of the shot, 1001-1006, that may be spoilt, in the folder of the timeline."""
    return Path(shutil.copytree(shot, tmp_path / "edit" / "plates a"))


def marked(name: str, first: int = 1002, count: int = 3, **mark: Any) -> otio.schema.Clip:
    """A clip of the plates, at 01:00:00:00, written as editors do."""
    media = sequence("plates%20a", count=6, starts=86400, rate=23.98)
    given = {"roto": "plates a/roto.####.exr", "settings": SETTINGS, **mark}
    return clip(name, media, span(86400 + first - 1001, count, 23.976), **given)


def retimed(name: str) -> otio.schema.Clip:
    found = marked(name)
    found.effects.append(otio.schema.LinearTimeWarp(time_scalar=2.0))
    return found


def write_edit(plates: Path, *clips: otio.schema.Clip) -> Path:
    return write(plates.parent / "cut.otio", *clips)


def states(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {shot["name"]: shot["state"] for shot in json.loads(done.stdout)["shots"]}


def submitted(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The shots for which a job went to the server."""
    return sorted(line.split()[1].rstrip(":") for line in done.stderr.splitlines() if ", job " in line)


def test_four_of_six_shots_come_back_two_are_named_and_a_second_run_does_but_those_two(
    void: Void, plates: Path, server: str, tmp_path: Path
) -> None:
    whole = [marked(NAMES[0], affected="plates a/affected.%04d.exr"), marked(NAMES[1]), marked(NAMES[2], first=1003)]
    broken = [retimed(NAMES[3]), marked(NAMES[4], roto="gone/roto.%04d.exr")]
    edit = write_edit(plates, *whole, *broken, marked(NAMES[5], prompt="a floor"))
    out = tmp_path / "out"
    command = ("batch", edit, "--out", out, "--server", server, "--handles", 1)
    first = void(*command)
    assert first.returncode == 1, first.stderr
    for line, words in zip(
        first.stdout.splitlines()[3:5],
        (("sh40", "retimed (LinearTimeWarp x2)"), ("sh50", "no folder", "check the path")),
        strict=True,
    ):
        assert all(word in line for word in words)
    assert "6 shots: 4 done, 2 failed" in first.stdout
    assert "Traceback" not in first.stderr
    came = [NAMES[index] for index in (0, 1, 2, 5)]
    assert sorted(path.name for path in out.iterdir()) == ["cut.otio", "report.html", *came]
    names = sorted(path.name for path in (out / "sh30").iterdir())
    assert names == ["manifest.json", "picture.jpg", *(f"plate.{frame}.exr" for frame in range(1002, 1007))]
    before = {path: path.stat().st_mtime_ns for path in out.glob("sh*/*")}

    second = void(*command, "--json")
    assert second.returncode == 1
    assert states(second) == {name: "kept" if name in came else "failed" for name in NAMES}
    assert submitted(second) == []
    assert {path: path.stat().st_mtime_ns for path in out.glob("sh*/*")} == before

    write_edit(plates, *whole, marked(NAMES[3]), marked(NAMES[4], first=1001), marked(NAMES[5], prompt="a floor"))
    third = void(*command, "--json")
    assert third.returncode == 0
    assert submitted(third) == NAMES[3:5]


def test_what_a_result_was_made_from_decides_whether_it_is_made_anew(
    void: Void, plates: Path, server: str, tmp_path: Path
) -> None:
    out, mine = tmp_path / "out", shutil.copytree(plates, plates.parent / "mine")

    def edit(**mark: Any) -> Path:
        return write_edit(plates, marked("a", roto="mine/roto.####.exr"), marked("b", **mark))

    def due(handles: int | None = None, redo: bool = False, **mark: Any) -> dict[str, str]:
        """What would be made, and why."""
        found = prepare(read_timeline(edit(**mark), handles), out, Defaults({}, None, None), colour_of, redo=redo)
        return {task.shot.name: task.why for task in tasks_of(found)}

    assert due() == {"a": "", "b": ""}
    assert void("batch", edit(), "--out", out, "--server", server).returncode == 0
    assert due() == {}
    assert due(redo=True).keys() == {"a", "b"}
    assert due(prompt="a floor") == {"b": "changed: prompt"}
    assert due(settings={**SETTINGS, "seed": 1}) == {"b": "changed: settings"}
    assert due(roto_keys=[1002]) == {"b": "changed: roto_keys"}
    assert due(colourspace="ACEScg") == {"b": "changed: colourspace"}
    assert due(affected="plates a/affected.%04d.exr") == {"b": "changed: affected"}
    os.utime(mine / "roto.1003.exr", ns=(2, 2))
    assert due() == {"a": "changed: roto"}
    os.utime(plates / "plate.1006.exr", ns=(2, 2))
    assert due(handles=0) == {"a": "changed: frames, plate, roto", "b": "changed: frames, plate, roto"}

    again = void("batch", edit(), "--out", out, "--server", server, "--handles", 0)
    assert "b: frames 1002-1004" in again.stderr
    assert "anew (changed: frames, plate, roto)" in again.stderr
    frames = [f"plate.{frame}.exr" for frame in (1002, 1003, 1004)]
    assert sorted(path.name for path in (out / "b").glob("*.exr")) == frames, "the handles of before are gone"
    assert due(handles=0) == {}
    (out / "b" / frames[1]).unlink()
    assert due(handles=0) == {"b": "frames of its result are gone"}


def test_the_timeline_comes_back_with_a_second_reference_whose_every_frame_is_there(
    void: Void, plates: Path, server: str, tmp_path: Path
) -> None:
    unmarked = clip("plain", otio.schema.ExternalReference("films/a b.mov"), span(0, 3))
    bare = marked("bare")
    bare.source_range = None
    edit = write_edit(plates, marked("sh10"), unmarked, retimed("sh20"), bare)
    out = tmp_path / "deep" / "out"
    assert void("batch", edit, "--out", out, "--server", server, "--handles", 1).returncode == 1
    written = otio.adapters.read_from_file(str(out / "cut.otio"))
    sh10, plain, sh20, bare = written.find_clips()
    assert plain.media_reference.target_url == "../../edit/films/a b.mov"
    assert list(sh20.media_references()) == ["DEFAULT_MEDIA"]
    for found, first, last in ((sh10, 1001, 1005), (bare, 1001, 1006)):
        references = found.media_references()
        assert list(references) == ["DEFAULT_MEDIA", "VOID"]
        assert found.active_media_reference_key == "VOID"
        original, result = references["DEFAULT_MEDIA"], references["VOID"]
        assert result.rate == result.available_range.duration.rate == found.source_range.duration.rate == 24000 / 1001
        shown = [
            otio.opentime.RationalTime(found.source_range.start_time.value + index, 24000 / 1001)
            for index in range(int(found.source_range.duration.value))
        ]
        for time in shown:
            number = original.frame_for_time(time)
            assert result.frame_for_time(time) == number
            assert url(result, number) == f"{found.name}/plate.{number}.exr"
            assert (out / url(result, number)).is_file()
            assert url(original, number) == f"../../edit/plates%20a/plate.{number}.exr"
        assert result.end_frame() == last
        assert result.start_frame == first


def url(reference: otio.schema.ImageSequenceReference, number: int) -> str:
    index = number - reference.start_frame
    assert index >= 0, "OpenTimelineIO names another file for -1"
    return str(reference.target_url_for_image_number(index))


def test_the_written_timeline_can_be_given_again_from_where_it_lies(
    void: Void, plates: Path, server: str, tmp_path: Path
) -> None:
    words = otio.schema.Marker('void {roto = "plates a/roto.####.exr", settings = {height = 32, width = 48}}')
    said = marked("sh20")
    del said.metadata["void"]
    said.markers.append(words)
    edit = write_edit(plates, marked("sh10"), said)
    out = tmp_path / "deep" / "out"
    for active, key in (("original", "DEFAULT_MEDIA"), ("void", "VOID")):
        done = void("batch", edit, "--out", out, "--server", server, "--active", active)
        assert done.returncode == 0, done.stderr
        written = out / "cut.otio"
        clips = otio.adapters.read_from_file(str(written)).find_clips()
        assert [clip.active_media_reference_key for clip in clips] == [key, key]
        for before, after in zip(read_timeline(edit).shots, read_timeline(written).shots, strict=True):
            assert isinstance(before, Shot)
            assert isinstance(after, Shot)
            assert (after.frames, after.cut, after.start) == (before.frames, before.cut, before.start)
            for name, files in before.inputs.items():
                assert after.inputs[name].path(1002).resolve() == files.path(1002).resolve()


def test_a_shot_that_fails_in_the_server_takes_no_other_along(
    void: Void, plates: Path, server: str, tmp_path: Path
) -> None:
    edit = write_edit(plates, marked("a", prompt="defect"), marked("b", settings={"sede": 1}), marked("c"))
    done = void("batch", edit, "--out", tmp_path / "out", "--server", server, "--json")
    assert done.returncode == 1
    assert states(done) == {"a": "failed", "b": "failed", "c": "done"}
    reasons = [shot["reason"] for shot in json.loads(done.stdout)["shots"]]
    assert "log has the details" in reasons[0]
    assert "no 'sede'" in reasons[1]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "no &#x27;sede&#x27;" in page
    assert 'src="c/picture.jpg"' in page
    assert void("jobs", "--server", server).stdout == "", "nothing is left behind"


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "void_server", "batch", *map(str, arguments)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    guard = threading.Timer(60, process.kill)
    guard.daemon = True
    guard.start()
    return process


def until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stderr
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(f"it never said {words}")


def test_ctrl_c_cancels_what_runs_and_the_same_command_goes_on(
    void: Void, plates: Path, server: str, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    edit = write_edit(plates, marked("a"), marked("b", prompt=f"until {gate}"), marked("c"))
    command = (edit, "--out", tmp_path / "out", "--server", server, "--json", "--at-once", 1)
    process = start(*command)
    until(process, "b: pass 1")
    process.send_signal(signal.SIGINT)
    output, rest = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert [shot["state"] for shot in json.loads(output)["shots"]] == ["done", "cancelled", "cancelled"]
    assert void("jobs", "--server", server).stdout == ""
    assert not (tmp_path / "out" / "b").exists()
    gate.touch()
    again = void("batch", *command)
    assert again.returncode == 0, again.stderr
    assert states(again) == {"a": "kept", "b": "done", "c": "done"}


def test_a_batch_that_is_killed_takes_its_job_up_where_it_is_by_then(
    void: Void, plates: Path, server: str, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    edit = write_edit(plates, marked("a", prompt=f"until {gate}"))
    command = (edit, "--out", tmp_path / "out", "--server", server)
    process = start(*command)
    until(process, "a: pass 1")
    process.kill()
    process.communicate()
    (held,) = json.loads(void("jobs", "--json", "--server", server).stdout)
    assert held["priority"] == "batch"
    gate.touch()
    done = void("batch", *command)
    assert done.returncode == 0, done.stderr
    assert f"job {held['job']}" in done.stderr
    assert "sending frames" not in done.stderr
    assert json.loads((tmp_path / "out" / "a" / "manifest.json").read_text())["job"] == held["job"]


def test_several_are_with_the_server_at_a_time(plates: Path, server: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    edit = write_edit(plates, *(marked(name, prompt=f"until {gate}") for name in "abc"))
    process = start(edit, "--out", tmp_path / "out", "--server", server, "--json")
    until(process, "pass 1")
    with Client(server) as client:
        deadline = threading.Event()
        for _ in range(100):
            held = client.jobs()
            if len(held) == 2 and "receiving" not in {job["state"] for job in held}:
                break
            deadline.wait(0.1)
    assert sorted(job["state"] for job in held) == ["pass1", "queued"], "one more than the server has devices"
    gate.touch()
    output, _ = process.communicate(timeout=60)
    assert [shot["state"] for shot in json.loads(output)["shots"]] == ["done"] * 3


def test_once_the_server_is_lost_no_other_shot_is_tried(plates: Path, tmp_path: Path) -> None:
    server = Server(tmp_path / "spool")
    gate = tmp_path / "gate"
    edit = write_edit(plates, *(marked(name, prompt=f"until {gate}") for name in "abcd"))
    command = ("--server", server.address, "--patience", 2, "--json", "--at-once", 1)
    process = start(edit, "--out", tmp_path / "out", *command)
    until(process, "a: pass 1")
    server.kill()
    output, rest = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in rest
    shots = json.loads(output)["shots"]
    assert [shot["state"] for shot in shots] == ["failed", "left", "left", "left"]
    assert "has said nothing for 2 s" in shots[0]["reason"]
    assert "the server is gone" in shots[3]["reason"]


def test_settings_and_space_of_the_command_are_for_shots_that_say_nothing_else(
    void: Void, plates: Path, server: str, tmp_path: Path
) -> None:
    given = tmp_path / "s.toml"
    given.write_text("height = 32\nwidth = 48\nseed = 7\n[pass1]\nsteps = 3\nguidance_scale = 2.0\n")
    own = {"seed": 8, "pass1": {"steps": 4}}
    edit = write_edit(plates, marked("a", settings=own, colourspace="ACEScg"), marked("b", settings={}))
    options = ("--settings", given, "--colourspace", "lin_rec709")
    done = void("batch", edit, "--out", tmp_path / "out", "--server", server, *options)
    assert done.returncode == 0, done.stderr
    a, b = (json.loads((tmp_path / "out" / name / "manifest.json").read_text()) for name in "ab")
    assert (a["settings"]["seed"], a["settings"]["height"]) == (8, 32)
    assert a["settings"]["pass1"] == {"steps": 4, "guidance_scale": 2.0}
    assert a["colourspace"]["name"] == "ACEScg"
    assert b["settings"]["seed"] == 7
    assert b["colourspace"]["name"] != "ACEScg"
    plate, result = (read_frame(folder / "plate.1003.exr") for folder in (plates, tmp_path / "out" / "a"))
    outside = result.channel("void.matte") == 0
    assert np.array_equal(plate.channel("R")[outside], result.channel("R")[outside])


def test_a_dry_run_says_what_would_be_done_and_does_nothing(void: Void, plates: Path, tmp_path: Path) -> None:
    edit = write_edit(plates, marked("a"), retimed("b"))
    done = void("batch", edit, "--out", tmp_path / "out", "--server", "tcp://127.0.0.1:9", "--dry-run", "--json")
    assert done.returncode == 1
    assert states(done) == {"a": "to do", "b": "failed"}
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--out": "edit"}, "written over"),
        ({"--out": "/proc/nothing"}, "/proc/nothing can't be made"),
        ({"--server": "tcp://127.0.0.1:9"}, "no VOID server answered"),
        ({"--settings": "/nowhere.toml"}, "/nowhere.toml can't be read"),
        ({"--handles": "-1"}, "--handles"),
    ],
    ids=lambda value: "".join(value) if isinstance(value, dict) else "",
)
def test_bad_usage_is_named(
    void: Void, plates: Path, server: str, tmp_path: Path, change: dict[str, str], words: str
) -> None:
    edit = write_edit(plates, marked("a"))
    options = {"--out": str(tmp_path / "out"), "--server": server, **change}
    if options["--out"] == "edit":
        options["--out"] = str(edit.parent)
    done = void("batch", edit, *(word for pair in options.items() for word in pair))
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_every_option_and_its_variable(void: Void) -> None:
    text = void("batch", "--help", env={"COLUMNS": "200"}).stdout
    for option in ("--handles", "--active", "--redo", "--at-once", "--dry-run", "--rate", "--serve", "VOID_BATCH_OUT"):
        assert option in text
