"""Fetch pyzmq and msgpack for every Nuke into nuke_plugin/vendor: one folder a Python and platform.

The wheels are pinned by sha256 in tools/vendor_locks, one file a Python, and pip refuses any other. pip's own settings
hold (PIP_INDEX_URL for a mirror, PIP_NO_INDEX and PIP_FIND_LINKS for a folder of wheels).
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent
VENDOR = ROOT / "nuke_plugin" / "vendor"
LOCKS = Path(__file__).parent / "vendor_locks"
PACKAGES = ("pyzmq", "msgpack")
# The wheel tags a platform takes, best first: on Linux the oldest glibc, for Nuke 14 and 15 on CentOS 7.
PLATFORMS = {
    "linux-x86_64": ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64"),
    "windows-x86_64": ("win_amd64",),
    "macos-x86_64": ("macosx_10_15_x86_64",),
    "macos-arm64": ("macosx_11_0_arm64",),
}
# What the client never imports: tests, the backend for PyPy, what needs gevent or tornado, what only compilers read.
OMITTED_FOLDERS = ("zmq/tests", "zmq/backend/cffi", "zmq/green", "zmq/eventloop")
OMITTED_SUFFIXES = (".pxd", ".pxi", ".pyx", ".h", ".c", ".pyi")
STAMP = "VENDORED.txt"


class VendorError(Exception):
    """A folder could not be made; what was there before is untouched."""


class DownloadFailed(VendorError):
    """pip found no such wheels, or could not get them."""

    def __init__(self, name: str, said: str) -> None:
        super().__init__(
            f"{name}: pip could not download the wheels ({said}). Check the network, or name a mirror (PIP_INDEX_URL) "
            "or a folder of wheels (PIP_NO_INDEX=1 PIP_FIND_LINKS=DIR), then run this again: what is there stays"
        )


class HashMismatch(VendorError):
    """A wheel is not the one that was locked."""

    def __init__(self, name: str, lock: Path) -> None:
        super().__init__(
            f"{name}: a downloaded wheel is not the one whose sha256 is in {lock}: it was changed on the way or at its "
            "source, and nothing of it was used. Try another mirror. Only if the versions in that file were changed on "
            "purpose, run `python -m tools.vendor --lock`"
        )


class NotLocked(VendorError):
    """No lock says which wheels a Python takes."""

    def __init__(self, python: str, locks: Path) -> None:
        there = ", ".join(locked_pythons(locks)) or "none"
        super().__init__(
            f"there is no lock for Python {python} (there: {there}): make one with "
            f"`python -m tools.vendor --lock --python {python}`"
        )


class MixedVersions(VendorError):
    """The platforms have no version in common to lock."""

    def __init__(self, python: str, versions: list[str]) -> None:
        super().__init__(
            f"Python {python}: the platforms offer different versions ({', '.join(versions)}): write down the ones "
            f"that all have, as `pyzmq==N` and `msgpack==N`, in {lock_name(python)}, and run --lock again"
        )


def folder_name(python: str, platform: str) -> str:
    """3.9 and linux-x86_64 make py39-linux-x86_64; void_nuke/vendored.py looks for the same name."""
    return f"py{python.replace('.', '')}-{platform}"


def lock_name(python: str) -> str:
    return f"py{python.replace('.', '')}.txt"


def locked_pythons(locks: Path = LOCKS) -> list[str]:
    """The Pythons that have a lock, oldest first: 3.9, 3.10, ..."""
    minors = sorted(int(lock.stem.removeprefix("py3")) for lock in locks.glob("py3*.txt"))
    return [f"3.{minor}" for minor in minors]


def download(python: str, platform: str, requirements: Path, folder: Path, *, hashed: bool) -> list[Path]:
    """The wheels for one Python and platform, sorted. Raises DownloadFailed, HashMismatch."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps"]
    command += ["--only-binary", ":all:", "--implementation", "cp", "--python-version", python, "--dest", str(folder)]
    command += [word for tag in PLATFORMS[platform] for word in ("--platform", tag)]
    command += ["--requirement", str(requirements), *(["--require-hashes"] if hashed else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        name = folder_name(python, platform)
        if "DO NOT MATCH THE HASHES" in done.stderr:
            raise HashMismatch(name, requirements)
        raise DownloadFailed(name, cause(done.stderr))
    return sorted(folder.glob("*.whl"))


def cause(stderr: str) -> str:
    """Why pip failed, in its own words: a broken connection, else its last error."""
    broken = re.findall(r"connection broken by (.+)", stderr)
    errors = re.findall(r"^ERROR: (.+)", stderr, re.MULTILINE)
    return "; ".join([*broken[-1:], *(errors[-1:] or [stderr.strip()[-300:]])])


def needed(member: str) -> bool:
    """Is this file of a wheel any use in Nuke? Licences and other metadata are."""
    path = PurePosixPath(member)
    if any(path.is_relative_to(folder) for folder in OMITTED_FOLDERS):
        return False
    return path.suffix not in OMITTED_SUFFIXES


def unpack(wheels: list[Path], folder: Path) -> None:
    """Unpack what is needed of `wheels` into `folder`."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            members = [info for info in archive.infolist() if not info.is_dir() and needed(info.filename)]
            archive.extractall(folder, members)


def stamp(lock: Path) -> str:
    """What a complete folder says of itself; another lock or other omissions make another stamp."""
    rules = f"{lock.read_text()}{OMITTED_FOLDERS}{OMITTED_SUFFIXES}{PLATFORMS}"
    return f"lock {hashlib.sha256(rules.encode()).hexdigest()}\n"


def fetch(python: str, platform: str, vendor: Path = VENDOR, locks: Path = LOCKS) -> bool:
    """Make vendor/py39-linux-x86_64 or the like; False where it was complete. It appears whole or not at all.

    Raises NotLocked, DownloadFailed, HashMismatch.
    """
    lock, target = locks / lock_name(python), vendor / folder_name(python, platform)
    if not lock.is_file():
        raise NotLocked(python, locks)
    complete = stamp(lock)
    if (target / STAMP).is_file() and (target / STAMP).read_text().startswith(complete):
        return False
    vendor.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that the rename is one step.
    with tempfile.TemporaryDirectory(dir=vendor, prefix=".part-") as part:
        wheels, made, old = Path(part, "wheels"), Path(part, "made"), Path(part, "old")
        found = download(python, platform, lock, wheels, hashed=True)
        unpack(found, made)
        (made / STAMP).write_text(complete + "".join(f"{wheel.name}\n" for wheel in found))
        if target.exists():
            target.rename(old)
        made.rename(target)
    return True


def write_lock(python: str, locks: Path = LOCKS) -> Path:
    """Write down the sha256 of each platform's wheels: those of the versions in the lock, or, without one, the newest.

    Raises DownloadFailed, MixedVersions.
    """
    lock = locks / lock_name(python)
    pins = re.findall(r"^\w+==[\w.]+", lock.read_text(), re.MULTILINE) if lock.is_file() else PACKAGES
    hashes: dict[str, set[str]] = {}
    for platform in PLATFORMS:
        with tempfile.TemporaryDirectory() as folder:
            requirements = Path(folder, "requirements.txt")
            requirements.write_text("\n".join(pins))
            for wheel in download(python, platform, requirements, Path(folder), hashed=False):
                name, version = wheel.name.split("-")[:2]
                digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
                hashes.setdefault(f"{name}=={version}", set()).add(digest)
    if len(hashes) != len(PACKAGES):
        raise MixedVersions(python, sorted(hashes))
    locks.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        for pin in sorted(hashes):
            file.write(" \\\n    ".join([pin, *(f"--hash=sha256:{digest}" for digest in sorted(hashes[pin]))]) + "\n")
    return lock


def add_filters(parser: argparse.ArgumentParser) -> None:
    """The options that choose among Pythons and platforms; each may be given several times."""
    parser.add_argument("--python", action="append", metavar="3.N", help="only this Python (default: every one locked)")
    parser.add_argument("--platform", action="append", choices=PLATFORMS, help="only this platform (default: all)")


def fetch_all(pythons: list[str], platforms: list[str]) -> None:
    """Fetch every combination, with a line each on stderr. Raises VendorError at the first that fails."""
    for python in pythons:
        for platform in platforms:
            name = folder_name(python, platform)
            what = "fetched" if fetch(python, platform) else "complete"
            print(f"{name:24} {what}", file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.vendor", description=__doc__)
    add_filters(parser)
    parser.add_argument(
        "--lock", action="store_true", help="write the locks anew instead: edit a version there, run this, commit both"
    )
    options = parser.parse_args(arguments)
    pythons = options.python or locked_pythons()
    try:
        if options.lock:
            for python in pythons:
                print(write_lock(python))
        else:
            fetch_all(pythons, options.platform or list(PLATFORMS))
    except VendorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
