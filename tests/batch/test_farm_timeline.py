"""A timeline on a farm, by `openjd run`, in real processes: what comes back, what fails, what a second run does."""

from __future__ import annotations

import json
import re
import shutil
import signal
from pathlib import Path

import opentimelineio as otio
import pytest
from conftest import Void
from edits import clip, sequence, span, write
from farm_machines import Worker, parameters, run_all

NAMES = [f"SH{number:03d}" for number in range(10, 70, 10)]
SETTINGS = {"height": 32, "width": 48, "window": 13, "overlap": 8, "pass1": {"steps": 1}, "pass2": {"steps": 1}}


def a_clip(name: str, folder: Path, prompt: str = "an empty room") -> otio.schema.Clip:
    """Six frames of the plates in a folder."""
    media = sequence(str(folder), count=6)
    return clip(name, media, span(1001, 6), roto=f"{folder}/roto.%04d.exr", prompt=prompt, settings=SETTINGS)


@pytest.fixture
def bundle(shot: Path, void: Void, tmp_path: Path) -> Path:
    """Six clips, each with plates of its own, six frames: SH030 lacks one of them, SH050 fails in the engine."""
    clips = []
    for name in NAMES:
        folder = tmp_path / "shots" / name
        shutil.copytree(shot, folder)
        clips.append(a_clip(name, folder, "memory" if name == "SH050" else "an empty room"))
    (tmp_path / "shots" / "SH030" / "plate.1004.exr").unlink()
    return bundled(void, write(tmp_path / "cut.otio", *clips), tmp_path)


@pytest.fixture
def slow_bundle(shot: Path, void: Void, tmp_path: Path) -> Path:
    """One clip that takes the engine ten seconds."""
    return bundled(void, write(tmp_path / "cut.otio", a_clip("SH010", shot, "slow")), tmp_path)


def bundled(void: Void, timeline: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    done = void("farm", "bundle", timeline, "--out", folder, "--results", tmp_path / "results")
    assert done.returncode == 0, done.stderr
    return folder


def frames_of(tmp_path: Path, name: str) -> dict[str, int]:
    """A result's files, with when they were written."""
    return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "results" / name).glob("plate.*.exr")}


def done_in(log: str) -> list[str]:
    return re.findall(r"openjd_status: (\w+): done$", log, re.M)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_four_of_six_come_back_two_are_named_with_a_reason_and_a_second_run_does_but_these(
    worker: Worker, bundle: Path, void: Void, tmp_path: Path
) -> None:
    reasons, log = run_all(worker, bundle, NAMES)
    assert set(reasons) == {"SH030", "SH050"}
    assert "1004 of plate.%04d.exr is missing" in reasons["SH030"]
    assert "take a smaller window" in reasons["SH050"]
    whole = [name for name in NAMES if name not in reasons]
    assert done_in(log) == whole
    before = {name: frames_of(tmp_path, name) for name in NAMES}
    assert [len(before[name]) for name in NAMES] == [6, 6, 0, 6, 0, 6]

    shutil.copy(tmp_path / "shots" / "SH010" / "plate.1004.exr", tmp_path / "shots" / "SH030")
    reasons, log = run_all(worker, bundle, NAMES)
    assert set(reasons) == {"SH050"}
    assert done_in(log) == ["SH030"]
    assert re.findall(r"openjd_status: (\w+): was done before", log) == whole
    after = {name: frames_of(tmp_path, name) for name in NAMES}
    assert len(after["SH030"]) == 6
    assert {name: after[name] for name in whole} == {name: before[name] for name in whole}, "not written again"

    told = void("batch", tmp_path / "cut.otio", "--out", tmp_path / "results", "--dry-run", "--json")
    states = {found["name"]: found["state"] for found in json.loads(told.stdout)["shots"]}
    assert states == {name: "to do" if name == "SH050" else "kept" for name in NAMES}, "`void batch` goes on from there"
    assert worker.processes() == []


def cancelled(worker: Worker, bundle: Path, number: int, at: str) -> tuple[int, str]:
    """`openjd run` of one shot, sent a signal once it has said so; its exit status, and all it said."""
    process = worker.start("run", bundle / "template.json", "--step", "Void", "-tp", "Shot=SH010", *parameters(bundle))
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if at in line:
            assert len(worker.processes()) > 2, "openjd, the task, and the server"
            process.send_signal(number)
            break
    rest, _ = process.communicate(timeout=300)
    return process.returncode, said + rest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_cancelling_a_task_cancels_its_job_and_takes_the_server_along(
    number: int, worker: Worker, slow_bundle: Path, tmp_path: Path
) -> None:
    code, said = cancelled(worker, slow_bundle, number, "pass 1")
    assert code != 0
    assert "openjd_fail: SH010: job" in said, "the task was told, and has ended by itself"
    assert "was cancelled" in said
    assert worker.processes() == []
    assert not list((tmp_path / "results").glob("**/*.exr"))


def test_cancelling_while_the_server_loads_leaves_none_behind(worker: Worker, slow_bundle: Path) -> None:
    worker.environment["VOID_SERVE_ENGINE"] = "engines:Loader"
    code, said = cancelled(worker, slow_bundle, signal.SIGTERM, "loads its weights")
    assert code != 0
    assert "cancelled while the server was starting" in said
    assert worker.processes() == []


def test_a_server_that_does_not_start_fails_the_session_by_its_own_words(worker: Worker, slow_bundle: Path) -> None:
    worker.environment["VOID_SERVE_ENGINE"] = "nonsense"
    code, said = worker.run(slow_bundle, "Void")
    assert code != 0
    (reason,) = re.findall(r"openjd_fail: (.*)", said)
    assert "the server could not be started" in reason
    assert "nonsense" in reason


def test_paths_are_mapped_where_the_task_runs(worker: Worker, bundle: Path, tmp_path: Path) -> None:
    """The submitter's /tmp/... is the worker's /tmp/.../elsewhere: nothing is where the bundle says."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "shots").rename(elsewhere / "shots")
    rules = [
        {"source_path_format": "POSIX", "source_path": str(tmp_path / name), "destination_path": str(elsewhere / name)}
        for name in ("shots", "results")
    ]
    given = json.dumps({"version": "pathmapping-1.0", "path_mapping_rules": rules})
    code, said = worker.run(bundle, "Void", "-tp", "Shot=SH010", "--path-mapping-rules", given)
    assert code == 0, said
    assert len(list((elsewhere / "results" / "SH010").glob("plate.*.exr"))) == 6
    assert not (tmp_path / "results").exists()
