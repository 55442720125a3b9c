"""Which packages a Nuke takes: the plugin's own, unless there are none for it or others were imported before."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest
from void_nuke import vendored

OWN = vendored.folder_name(sys.version_info[:2], sys.platform, platform.machine())


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A Python that has imported nothing and finds nothing."""
    for name in vendored.PACKAGES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "elsewhere")])
    return monkeypatch


def put_packages(folder: Path) -> Path:
    for name in vendored.PACKAGES:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").touch()
    return folder


@pytest.mark.parametrize(
    ("version", "system", "machine", "name"),
    [
        ((3, 9), "linux", "x86_64", "py39-linux-x86_64"),
        ((3, 10), "win32", "AMD64", "py310-windows-x86_64"),
        ((3, 11), "darwin", "arm64", "py311-macos-arm64"),
        ((3, 13), "darwin", "x86_64", "py313-macos-x86_64"),
        ((3, 11), "linux", "aarch64", "py311-linux-arm64"),
    ],
)
def test_a_folder_is_named_for_python_system_and_machine(
    version: tuple[int, int], system: str, machine: str, name: str
) -> None:
    assert vendored.folder_name(version, system, machine) == name


def test_the_plugins_own_packages_come_before_a_pipelines(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipeline = put_packages(tmp_path / "pipeline")
    fresh.setattr(sys, "path", [str(pipeline)])
    own = put_packages(tmp_path / "vendor" / OWN)
    assert vendored.add_to_path(tmp_path / "vendor").folder == own
    assert sys.path == [str(own), str(pipeline)]


def test_asking_twice_adds_once(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = put_packages(tmp_path / "vendor" / OWN)
    assert vendored.add_to_path(tmp_path / "vendor") == vendored.add_to_path(tmp_path / "vendor")
    assert sys.path.count(str(own)) == 1


def test_packages_that_were_imported_before_stay(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put_packages(tmp_path / "vendor" / OWN)
    for name in vendored.PACKAGES:
        fresh.setitem(sys.modules, name, sys)
    before = list(sys.path)
    choice = vendored.add_to_path(tmp_path / "vendor")
    assert choice.folder is None
    assert "imported before" in choice.reason
    assert sys.path == before


def test_one_that_was_imported_before_is_said(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = put_packages(tmp_path / "vendor" / OWN)
    fresh.setitem(sys.modules, "zmq", sys)
    choice = vendored.add_to_path(tmp_path / "vendor")
    assert choice.folder == own
    assert "zmq had been imported before" in choice.reason


def test_an_unknown_python_takes_a_studios_own_packages(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fresh.setattr(sys, "version_info", (3, 99, 0))
    fresh.setattr(sys, "path", [str(put_packages(tmp_path / "pipeline"))])
    choice = vendored.add_to_path(tmp_path / "vendor")
    assert choice.folder is None
    assert "py399-" in choice.reason


def test_an_unknown_python_without_packages_is_told_what_to_do(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fresh.setattr(sys, "version_info", (3, 99, 0))
    put_packages(tmp_path / "vendor" / "py39-linux-x86_64")
    expected = r"vendor.py399-.*\(there: py39-linux-x86_64\).*--python 3\.99 --platform"
    with pytest.raises(vendored.NotVendored, match=expected):
        vendored.add_to_path(tmp_path / "vendor")
