"""Nuke starts with the plug-ins it is given; and the command, for terminals and farms."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nuke
import stage
from exr_files import write_exr

COMMAND = Path(__file__).parent / "fake_nuke.py"
GIZMO = "Group {\n inputs 0\n name VOID\n}\n Output {\n  inputs 0\n  name Output1\n }\nend_group\n"


def _plugin(folder: Path) -> Path:
    folder.mkdir()
    (folder / "init.py").write_text("import nuke, os\nnuke.pluginAddPath('gizmos')\nassert os.path.isabs(__file__)\n")
    (folder / "menu.py").write_text("import nuke\nnuke.menu('Nodes').addCommand('VOID', 'nuke.createNode(\"VOID\")')\n")
    (folder / "gizmos").mkdir()
    (folder / "gizmos" / "VOID.gizmo").write_text(GIZMO)
    return folder


def test_plugins_start_last_folder_first_and_bring_folders(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name, code in (("a", ""), ("b", "import nuke; nuke.pluginAddPath('more')\n"), ("b/more", "")):
        (tmp_path / name).mkdir()
        for file in ("init.py", "menu.py"):
            (tmp_path / name / file).write_text(f"{code if file == 'init.py' else ''}print('{name} {file}')\n")
    stage.start(nuke_path=[tmp_path / "a", tmp_path / "b"])
    stage.assert_no_script_errors()
    started = capsys.readouterr().out.splitlines()
    assert started[:3] == ["b init.py", "a init.py", "b/more init.py"]
    assert started[3:] == ["b menu.py", "a menu.py", "b/more menu.py"]


def test_starting_runs_init_and_menu_and_finds_gizmos(tmp_path: Path) -> None:
    stage.start(nuke_path=[_plugin(tmp_path / "plugin")])
    stage.assert_no_script_errors()
    nuke.menu("Nodes").findItem("VOID").invoke()
    node = nuke.selectedNode()
    assert (node.Class(), node.name(), node.shown()) == ("Group", "VOID1", True)
    node.setSelected(False)
    assert nuke.createNode("VOID").name() == nuke.selectedNode().name() == "VOID2"
    with pytest.raises(RuntimeError, match="Unknown command"):
        nuke.createNode("NOTHING")
    before = [folder for folder in sys.path if str(tmp_path) in folder]
    assert len(before) == 2
    (tmp_path / "plugin" / "menu.py").write_text("import nothing_of_that_name")
    stage.start(gui=False, nuke_path=[tmp_path / "plugin"])
    stage.assert_no_script_errors()
    stage.start(nuke_path=[tmp_path / "plugin"])
    assert "ModuleNotFoundError" in stage.script_errors()[0]
    stage.stop()
    assert not any(str(tmp_path) in folder for folder in sys.path)


def _command(*arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(COMMAND), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env}, check=False, timeout=60)


def test_the_command_runs_scripts_and_renders(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(
        "import nuke, sys\nprint(sys.argv[1:], nuke.GUI, nuke.env['gui'])\nnuke.createNode('VOID')\nsys.exit(3)\n"
    )
    done = _command("-t", tmp_path / "t.py", "a", "b", NUKE_PATH=str(_plugin(tmp_path / "plugin")))
    assert (done.returncode, done.stdout) == (3, "['a', 'b'] False False\n"), done.stderr
    write_exr(tmp_path / "a.0001.exr", R=np.ones((4, 4), np.float16))
    read = nuke.nodes.Read(file=str(tmp_path / "a.%04d.exr"), first=1, last=9)
    nuke.nodes.Write(inputs=[read], file=str(tmp_path / "b.%04d.exr"))
    nuke.nodes.Write(inputs=[read], file=str(tmp_path / "c.%04d.exr"), disable=True)
    nuke.scriptSaveAs(str(tmp_path / "x.nk"))
    assert _command("-x", "-F", "1-1", tmp_path / "x.nk").returncode == 0
    assert ((tmp_path / "b.0001.exr").exists(), (tmp_path / "c.0001.exr").exists()) == (True, False)
    assert _command("-x", tmp_path / "x.nk", "-F", "1-1").returncode == 2
    failed = _command("-F", "1-2", "-X", "Write1", tmp_path / "x.nk")
    assert failed.returncode == 1
    assert "a.0002.exr: No such file" in failed.stderr
