"""Fetching what the plugin vendors, with real pip and a folder of small wheels in place of an index."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import vendor

TAGS = {
    "linux-x86_64": "manylinux2014_x86_64",
    "windows-x86_64": "win_amd64",
    "macos-x86_64": "macosx_10_9_x86_64",
    "macos-arm64": "macosx_11_0_arm64",
}
NAME = "py39-linux-x86_64"


def make_wheel(folder: Path, package: str, version: str, platform: str, code: str = "") -> Path:
    """A wheel for Python 3.9 as pip takes it: a module, a test, a header, a licence."""
    module = {"pyzmq": "zmq", "msgpack": "msgpack"}[package]
    info = f"{package}-{version}.dist-info"
    wheel = folder / f"{package}-{version}-cp39-cp39-{TAGS[platform]}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in (f"{module}/tests/test_it.py", f"{module}/utils/it.h", f"{module}/.dylibs/lib.dylib"):
            archive.writestr(name, "x")
        archive.writestr(f"{module}/__init__.py", code)
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: cp39-cp39-{TAGS[platform]}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        archive.writestr(f"{info}/licenses/LICENSE", "licence")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


@pytest.fixture(scope="module", autouse=True)
def pip_asks_nobody() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("PIP_NO_INDEX", "1")
        patch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
        yield patch


@pytest.fixture(scope="module")
def made(pip_asks_nobody: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels of both packages for every platform, and their lock."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "wheels").mkdir()
    for platform in TAGS:
        make_wheel(folder / "wheels", "pyzmq", "27.3.0", platform)
        make_wheel(folder / "wheels", "msgpack", "1.1.2", platform)
    pip_asks_nobody.setenv("PIP_FIND_LINKS", str(folder / "wheels"))
    vendor.write_lock("3.9", folder / "locks")
    return folder


@pytest.fixture
def wheels(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which pip finds wheels; for a test to change."""
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    return Path(shutil.copytree(made / "wheels", tmp_path / "wheels"))


@pytest.fixture
def locks(made: Path, wheels: Path, tmp_path: Path) -> Path:
    """Locks of those wheels as they were made."""
    return Path(shutil.copytree(made / "locks", tmp_path / "locks"))


def everything_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")) if folder.exists() else []


def test_a_lock_pins_one_version_and_every_platforms_hash(locks: Path) -> None:
    lines = (locks / "py39.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines if "==" in line] == ["msgpack==1.1.2", "pyzmq==27.3.0"]
    assert len({line.split()[0] for line in lines if "--hash=sha256:" in line}) == 2 * len(TAGS)


def test_a_folder_is_unpacked_without_what_nuke_never_reads(locks: Path, tmp_path: Path) -> None:
    assert vendor.fetch("3.9", "linux-x86_64", tmp_path / "vendor", locks)
    made = everything_in(tmp_path / "vendor" / NAME)
    assert {"zmq/__init__.py", "msgpack/__init__.py", "zmq/.dylibs/lib.dylib", "VENDORED.txt"} <= set(made)
    assert "pyzmq-27.3.0.dist-info/licenses/LICENSE" in made
    assert not {"zmq/tests", "zmq/utils/it.h"} & set(made)
    assert [path.name for path in (tmp_path / "vendor").iterdir()] == [NAME], "nothing half-done stays"


def test_a_complete_folder_is_left_alone_until_its_lock_changes(
    locks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.fetch("3.9", "linux-x86_64", tmp_path / "vendor", locks)
    stale = tmp_path / "vendor" / NAME / "zmq" / "stale.py"
    stale.write_text("")
    with monkeypatch.context() as offline:
        offline.setattr(vendor, "download", None)
        assert not vendor.fetch("3.9", "linux-x86_64", tmp_path / "vendor", locks)
    with (locks / "py39.txt").open("a") as lock:
        lock.write("# another\n")
    assert vendor.fetch("3.9", "linux-x86_64", tmp_path / "vendor", locks)
    assert not stale.exists()


def test_a_changed_wheel_is_refused_and_nothing_of_it_stays(locks: Path, wheels: Path, tmp_path: Path) -> None:
    make_wheel(wheels, "pyzmq", "27.3.0", "linux-x86_64", "import os; os.system('evil')")
    with pytest.raises(vendor.HashMismatch, match=r"py39-linux-x86_64: .*sha256.*py39\.txt"):
        vendor.fetch("3.9", "linux-x86_64", tmp_path / "vendor", locks)
    assert everything_in(tmp_path / "vendor") == []


def test_a_lock_without_hashes_is_refused(locks: Path, tmp_path: Path) -> None:
    (locks / "py39.txt").write_text("msgpack==1.1.2\npyzmq==27.3.0\n")
    with pytest.raises(vendor.DownloadFailed, match="Hashes are required"):
        vendor.fetch("3.9", "linux-x86_64", tmp_path / "vendor", locks)


def test_a_failed_download_leaves_the_old_folder_as_it_was(locks: Path, wheels: Path, tmp_path: Path) -> None:
    vendor.fetch("3.9", "linux-x86_64", tmp_path / "vendor", locks)
    before = everything_in(tmp_path / "vendor")
    with (locks / "py39.txt").open("a") as lock:
        lock.write("# another\n")
    for wheel in wheels.glob("msgpack*"):
        wheel.unlink()
    with pytest.raises(vendor.DownloadFailed, match=r"No matching distribution.*msgpack.*Check the network"):
        vendor.fetch("3.9", "linux-x86_64", tmp_path / "vendor", locks)
    assert everything_in(tmp_path / "vendor") == before


def test_a_python_without_a_lock_is_told_how_to_get_one(locks: Path, tmp_path: Path) -> None:
    with pytest.raises(vendor.NotLocked, match=r"Python 3\.12 \(there: 3\.9\).*--lock --python 3\.12"):
        vendor.fetch("3.12", "linux-x86_64", tmp_path / "vendor", locks)


def test_platforms_are_not_locked_to_different_versions(wheels: Path, tmp_path: Path) -> None:
    make_wheel(wheels, "pyzmq", "28.0.0", "windows-x86_64")
    with pytest.raises(vendor.MixedVersions, match=r"pyzmq==27\.3\.0, pyzmq==28\.0\.0"):
        vendor.write_lock("3.9", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_command_says_what_failed_and_exits_with_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert vendor.main(["--python", "3.99", "--platform", "linux-x86_64"]) == 1
    assert "error: there is no lock for Python 3.99" in capsys.readouterr().err


def test_an_index_that_cannot_be_reached_is_named_as_the_cause(
    locks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the discard port, where nobody listens
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(vendor.DownloadFailed, match=r"Connection refused.*Check the network.*PIP_INDEX_URL"):
        vendor.fetch("3.9", "linux-x86_64", tmp_path / "vendor", locks)
