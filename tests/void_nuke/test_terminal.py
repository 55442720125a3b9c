"""`nuke -t` bakes, `nuke -x` only reads, and a Nuke that is killed leaves a bake that goes on: real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import nuke
import pytest
import stage
from servers import free_address
from void_client.client import Client

from .conftest import PLUGIN, Script, results, saved, wait_for_status

NUKE = [sys.executable, str(PLUGIN.parent / "tests" / "fake_nuke" / "fake_nuke.py")]
BAKE = PLUGIN / "void_bake.py"


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """A Nuke in a terminal, with the plugin."""
    return subprocess.Popen(
        [*NUKE, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NUKE_PATH": str(PLUGIN), **environment},
    )


def run(*arguments: object, **environment: str) -> tuple[int, str, str]:
    """Exit status, stdout, stderr."""
    process = start(*arguments, **environment)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_t_bakes_saves_and_x_then_renders(script: Script, tmp_path: Path) -> None:
    node = script()
    path = saved(node, tmp_path)
    code, out, err = run("-t", BAKE, path, "--save")
    assert code == 0, err
    folder = results(tmp_path, node) / "v001"
    assert out.strip() == str(folder)
    assert (folder / "manifest.json").is_file()
    assert "compositing" in err
    code, _, err = run("-x", path)
    assert code == 0, err
    assert len(list((tmp_path / "comp").glob("out.*.exr"))) == 6


def test_x_fails_on_a_frame_that_is_missing(script: Script, tmp_path: Path) -> None:
    node = script()
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames")
    path = saved(node, tmp_path)
    (results(tmp_path, node) / "v001" / "plate.1004.exr").unlink()
    code, _, err = run("-x", path)
    assert code == 1
    assert "1004" in err


def test_x_fails_where_nothing_was_baked_and_bakes_nothing(script: Script, server: str, tmp_path: Path) -> None:
    node = script()
    path = saved(node, tmp_path)
    with Client(server) as client:
        before = len(client.jobs())
        code, _, err = run("-x", path)
        assert code == 1
        assert "Result" in err
        assert len(client.jobs()) == before
    assert not list((tmp_path / "comp").glob("*.exr"))


def test_without_save_the_script_stays_and_lists_the_version_when_opened(script: Script, tmp_path: Path) -> None:
    node = script()
    path = saved(node, tmp_path)
    before = path.read_bytes()
    assert run("-t", BAKE, path)[0] == 0
    assert path.read_bytes() == before
    nuke.scriptOpen(str(path))
    (again,) = [found for found in nuke.allNodes("Group") if found.knob("void_id")]
    assert "v001" in again["version"].values()
    assert again["version"].value() == "none"
    again["version"].setValue("v001")
    assert again["void_baked"].value()


@pytest.mark.parametrize(
    ("arguments", "code", "parts"),
    [
        (["/nowhere/shot.nk"], 2, ["/nowhere/shot.nk", "check the path"]),
        (["SCRIPT", "--node", "Grade9"], 2, ["no VOID node 'Grade9'", "there is: VOID"]),
        (["SCRIPT", "--bogus"], 2, ["--bogus"]),
        (["SCRIPT"], 2, ["nothing listens there", "void serve"]),
    ],
)
def test_errors_are_a_line_and_a_status(
    script: Script, tmp_path: Path, arguments: list[str], code: int, parts: list[str]
) -> None:
    path = saved(script(address=free_address()), tmp_path)
    status, _, err = run("-t", BAKE, *(str(path) if part == "SCRIPT" else part for part in arguments))
    assert status == code
    for part in parts:
        assert part in err
    assert "Traceback" not in err


def test_help_tells_every_option() -> None:
    code, out, _ = run("-t", BAKE, "--help")
    assert code == 0
    for option in ("--node", "--quadmask", "--start-server", "--save", "130"):
        assert option in out


def test_a_failed_job_is_status_1_and_a_bad_roto_2(script: Script, tmp_path: Path) -> None:
    node = script(prompt="memory")
    code, _, err = run("-t", BAKE, saved(node, tmp_path))
    assert code == 1
    assert "smaller window" in err
    node.setInput(1, nuke.nodes.Constant(format="160 90 0 0 160 90 1 plate"))
    nuke.scriptSave()
    code, _, err = run("-t", BAKE, tmp_path / "shot.nk")
    assert code == 2
    assert "is empty on every frame" in err


def until(process: subprocess.Popen[str], part: str) -> None:
    assert process.stderr
    assert any(part in line for line in process.stderr), "it ended before"


def test_ctrl_c_cancels_the_job(script: Script, server: str, tmp_path: Path) -> None:
    node = script(prompt=f"until {tmp_path / 'never'}")
    process = start("-t", BAKE, saved(node, tmp_path))
    until(process, "pass 1")
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    with Client(server) as client:
        assert all(job["state"] != "pass1" for job in client.jobs())


def test_a_killed_bake_is_continued_by_the_next_task(script: Script, tmp_path: Path) -> None:
    node = script(prompt=f"until {tmp_path / 'go'}")
    path = saved(node, tmp_path)
    process = start("-t", BAKE, path)
    until(process, "pass 1")
    process.kill()
    process.wait()
    (tmp_path / "go").touch()
    code, out, err = run("-t", BAKE, path)
    assert code == 0, err
    assert out.strip().endswith("v001"), "the same version, not the next"


GUI = """
import sys, time
import stage, nuke
stage.start(gui=True, nuke_path=[sys.argv[1]])
nuke.scriptOpen(sys.argv[2])
node = nuke.toNode(sys.argv[3])
stage.press(node, "bake")
stage.wait_until(lambda: any("pass 1" in bar.message for bar in stage.progress_tasks()))
print("in pass 1", flush=True)
if sys.argv[4] == "quit":
    raise SystemExit(0)
stage.wait_until(lambda: False, 60)
"""


def nuke_with_gui(path: Path, node: nuke.Node, end: str) -> subprocess.Popen[str]:
    """A fake Nuke with a GUI in a process of its own that opens the script and presses Bake."""
    fake = str(PLUGIN.parent / "tests" / "fake_nuke")
    return subprocess.Popen(
        [sys.executable, "-c", GUI, str(PLUGIN), str(path), node.fullName(), end],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([fake, os.environ["PYTHONPATH"]])},
    )


def test_a_nuke_that_is_killed_leaves_a_bake_that_the_reopened_script_takes_up(script: Script, tmp_path: Path) -> None:
    node = script(prompt=f"until {tmp_path / 'go'}")
    path = saved(node, tmp_path)
    process = nuke_with_gui(path, node, "stay")
    assert process.stdout
    assert process.stdout.readline() == "in pass 1\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (tmp_path / "go").touch()
    nuke.scriptOpen(str(path))
    (again,) = [found for found in nuke.allNodes("Group") if found.knob("void_id")]
    wait_for_status(again, "v001: frames 1001-1006")
    assert again["version"].value() == "v001"
    assert [found.name for found in results(tmp_path, again).iterdir()] == ["v001"]


def test_closing_nuke_during_a_bake_does_not_wait_for_it(script: Script, tmp_path: Path) -> None:
    node = script(prompt=f"until {tmp_path / 'go'}")
    process = nuke_with_gui(saved(node, tmp_path), node, "quit")
    assert process.stdout
    assert process.stdout.readline() == "in pass 1\n"
    assert process.wait(60) == 0, "it does not wait for the job, which is not allowed to end before"
    (tmp_path / "go").touch()
