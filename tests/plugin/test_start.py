"""What Nuke runs when it starts: init.py everywhere, menu.py with a GUI. Neither ever stops it."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from interpreters import find_python
from void_nuke.vendored import folder_name

from tools.vendor import ROOT

PLUGIN = ROOT / "nuke_plugin"
NUKE_14 = find_python("3.9")
PYTHON, VERSION = (NUKE_14, (3, 9)) if NUKE_14 else (Path(sys.executable), sys.version_info[:2])

# A nuke that notes down what is asked of it.
NUKE = """
calls = []
def pluginAddPath(path, addToSysPath=True):
    calls.append(["pluginAddPath", path])
class Menu:
    def addMenu(self, name, icon=""):
        calls.append(["addMenu", name, icon])
        return self
    def addCommand(self, name, command, icon=""):
        calls.append(["addCommand", name, command])
def menu(name):
    calls.append(["menu", name])
    return Menu()
"""
START = """
import json, runpy, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
for script in sys.argv[2:]:
    runpy.run_path(script)
import nuke
print(json.dumps({"calls": nuke.calls, "path": sys.path, "modules": sorted(sys.modules)}))
"""


@dataclass
class Started:
    """What a start of Nuke did: calls of the API, sys.path, imported modules, and the lines on stderr."""

    calls: list[list[str]]
    path: list[str]
    modules: list[str]
    lines: list[str]


@pytest.fixture
def void(tmp_path: Path) -> Path:
    """An installed plugin: its own files, small packages to vendor, events that say they were installed."""
    folder = tmp_path / "studio" / "void"
    for name in ("init.py", "menu.py", "void_nuke/__init__.py", "void_nuke/vendored.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PLUGIN / name, folder / name)
    (folder / "void_nuke" / "events.py").write_text(
        "def install():\n    import nuke\n    nuke.calls.append(['installed'])\n"
    )
    (folder / "gizmos").mkdir()
    for package in ("zmq", "msgpack"):
        module = folder / "vendor" / folder_name(VERSION, sys.platform, platform.machine()) / package
        module.mkdir(parents=True)
        (module / "__init__.py").touch()
    return folder


def start(void: Path, *scripts: str) -> Started:
    """Run the scripts in one isolated Python, as Nuke does; it must come up."""
    stub = void.parent / "stub"
    stub.mkdir()
    (stub / "nuke.py").write_text(NUKE)
    command = [PYTHON, "-I", "-S", "-c", START, stub, *(void / script for script in scripts)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return Started(**json.loads(done.stdout), lines=done.stderr.splitlines())


def test_a_start_adds_paths_and_imports_no_packages(void: Path) -> None:
    started = start(void, "init.py")
    assert started.lines == []
    assert started.calls == [["pluginAddPath", (void / "gizmos").as_posix()]]
    assert started.path[0].startswith(str(void / "vendor" / "py"))
    assert str(void) in started.path
    assert not {"zmq", "msgpack", "void_client", "asyncio", "socket"} & set(started.modules)


def test_a_start_in_the_gui_adds_the_menu_and_the_callbacks(void: Path) -> None:
    started = start(void, "init.py", "menu.py")
    assert started.lines == []
    assert started.calls[1:] == [
        ["menu", "Nodes"],
        ["addMenu", "VOID", "VOID.png"],
        ["addCommand", "VOID", "nuke.createNode('VOID')"],
        ["addCommand", "Quadmask view", "nuke.createNode('VOID_QuadmaskView')"],
        ["installed"],
    ]


def test_a_checkout_has_its_gizmos_one_folder_up(void: Path) -> None:
    shutil.move(void / "gizmos", void.parent / "gizmos")
    assert start(void, "init.py").calls == [["pluginAddPath", (void.parent / "gizmos").as_posix()]]


@pytest.mark.parametrize("missing", ["gizmos", "vendor", "void_nuke"])
def test_a_broken_install_is_said_in_one_line_and_nuke_starts(void: Path, missing: str) -> None:
    shutil.rmtree(void / missing)
    (line,) = start(void, "init.py").lines
    assert line.startswith(f"VOID is not ready: {void / 'init.py'}: ")
    assert missing in line


def test_a_cause_of_several_lines_is_said_in_one(void: Path) -> None:
    (void / "void_nuke" / "vendored.py").write_text("raise ValueError('one\\ntwo')")
    assert start(void, "init.py").lines == [f"VOID is not ready: {void / 'init.py'}: one two"]


def test_a_missing_vendor_folder_is_said_with_the_next_step(void: Path) -> None:
    (found,) = (void / "vendor").iterdir()
    found.rename(found.with_name("py36-linux-x86_64"))
    (line,) = start(void, "init.py").lines
    assert str(found) in line
    assert "(there: py36-linux-x86_64)" in line
    assert "make plugin" in line


@pytest.mark.parametrize("events", [None, "raise ValueError('one\\ntwo')", "def install(): 1 / 0", "a b"])
def test_broken_callbacks_are_said_in_one_line_and_leave_the_menu(void: Path, events: str | None) -> None:
    module = void / "void_nuke" / "events.py"
    module.unlink()
    if events is not None:
        module.write_text(events)
    started = start(void, "init.py", "menu.py")
    (line,) = started.lines
    assert line.startswith(f"VOID is not ready: {void / 'menu.py'}: ")
    assert [name for name, *_ in started.calls].count("addCommand") == 2
