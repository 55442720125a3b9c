"""The zip that a TD unpacks: whole, reproducible, and running in the Pythons that Nuke has inside it."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from platform import machine

import pytest
from interpreters import need_python
from void_client import protocol
from void_nuke.vendored import folder_name

from tools import plugin_zip, vendor

PYTHONS = ["3.9", "3.10", "3.11", "3.13"]
COMBINATIONS = [(python, platform) for python in PYTHONS for platform in vendor.PLATFORMS]


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin's zip, built from what `make plugin` fetched."""
    names = [vendor.folder_name(*combination) for combination in COMBINATIONS]
    missing = [name for name in names if not (vendor.VENDOR / name).is_dir()]
    if missing:
        pytest.skip(f"nuke_plugin/vendor has no {missing[0]}: `make plugin` fetches it")
    target = tmp_path_factory.mktemp("zip") / "void.zip"
    plugin_zip.write_zip(plugin_zip.contents(names), target)
    return target


@pytest.fixture(scope="session")
def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `void`, as a TD unpacks it."""
    folder = tmp_path_factory.mktemp("studio")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    return folder / "void"


def run_isolated(python: Path, unpacked: Path, code: str, *arguments: str) -> dict[str, object]:
    """Run `code` with the plugin alone on the path: no site-packages, no environment. It prints one JSON object."""
    prelude = (
        f"import sys, json; sys.dont_write_bytecode = True; sys.path.insert(0, {str(unpacked)!r})\n"
        "from void_nuke import vendored\nchoice = vendored.add_to_path()\n"
    )
    command = [python, "-I", "-S", "-c", prelude + code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


def test_the_locked_pythons_are_those_of_nuke_14_to_17() -> None:
    assert vendor.locked_pythons() == PYTHONS


@pytest.mark.parametrize("python", PYTHONS)
def test_a_header_crosses_a_real_socket_in_the_vendored_packages(python: str, unpacked: Path) -> None:
    code = """
import zmq, msgpack, zmq.auth, zmq.asyncio, zmq.utils.monitor
from void_client import protocol
context = zmq.Context()
router, dealer = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
dealer.connect("tcp://127.0.0.1:%d" % router.bind_to_random_port("tcp://127.0.0.1"))
dealer.send_multipart([protocol.pack("chunk", frame=1001), b"pixels" * 100000])
assert router.poll(10000)
sender, header, payload = router.recv_multipart()
router.send_multipart([sender, protocol.pack("got", size=len(payload), frame=protocol.unpack(header)["frame"])])
assert dealer.poll(10000)
answer = protocol.unpack(dealer.recv())
keys = zmq.curve_keypair()
context.destroy(linger=0)
# The compiled Packer, not the fallback in Python.
print(json.dumps({"answer": answer, "zmq": zmq.__file__, "packer": msgpack.Packer.__module__, "key": len(keys[0])}))
"""
    told = run_isolated(need_python(python), unpacked, code)
    assert told["answer"] == {"v": protocol.VERSION, "type": "got", "size": 600_000, "frame": 1001}
    here = folder_name((3, int(python[2:])), sys.platform, machine())
    assert Path(str(told["zmq"])).is_relative_to(unpacked / "vendor" / here)
    assert told["packer"] == "msgpack._cmsgpack"
    assert told["key"] == 40, "libsodium is there: CURVE keys can be made"


@pytest.mark.parametrize("python", PYTHONS)
def test_the_client_in_the_zip_asks_a_real_server(python: str, unpacked: Path, server: str) -> None:
    code = """
import importlib, pkgutil, void_client
names = [found.name for found in pkgutil.iter_modules(void_client.__path__)]
for name in names:
    importlib.import_module("void_client." + name)
with void_client.client.Client(sys.argv[1]) as client:
    print(json.dumps({"modules": names, "status": client.status()}))
"""
    told = run_isolated(need_python(python), unpacked, code, server)
    assert {"client", "follow", "protocol"} <= set(told["modules"])  # type: ignore[call-overload]
    assert told["status"]["type"] == "status"  # type: ignore[index]


def test_the_zip_holds_one_folder_and_no_litter(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        names = opened.namelist()
    assert {name.split("/")[0] for name in names} == {"void"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    expected = "init.py menu.py LICENSE INSTALL.txt void_nuke/vendored.py void_client/protocol.py gizmos/VOID.png"
    assert {f"void/{name}" for name in expected.split()} <= set(names)


def test_two_builds_make_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    files = plugin_zip.contents(["py39-linux-x86_64"])
    plugin_zip.write_zip(files, tmp_path / "one.zip")
    plugin_zip.write_zip(files, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(archive) as opened:
        infos = opened.infolist()
    # What could differ between two checkouts of the same commit: order, times, modes.
    assert [info.filename for info in infos] == sorted(info.filename for info in infos)
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {info.external_attr >> 16 for info in infos} == {0o100644}


def test_a_zip_is_not_built_around_a_hole(tmp_path: Path) -> None:
    with pytest.raises(plugin_zip.NothingVendored, match=r"py39-linux-x86_64.*tools\.vendor"):
        plugin_zip.contents(["py39-linux-x86_64"], tmp_path)


@pytest.mark.parametrize(("python", "platform"), COMBINATIONS)
def test_every_file_the_wheels_record_is_there_unchanged(python: str, platform: str, unpacked: Path) -> None:
    folder = unpacked / "vendor" / vendor.folder_name(python, platform)
    records = list(folder.glob("*.dist-info/RECORD"))
    assert {record.parent.name.split("-")[0] for record in records} == {"pyzmq", "msgpack"}
    for record in records:
        with record.open(newline="") as opened:
            for name, digest, _ in csv.reader(opened):
                file = folder / name
                if not vendor.needed(name):
                    assert not file.exists()
                elif digest:
                    found = base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).decode().rstrip("=")
                    assert digest == f"sha256={found}", name
        assert [file for file in record.parent.rglob("*") if re.match("LICENSE|COPYING", file.name)]


def machines(library: bytes) -> set[str]:
    """The file format and machines of a shared library, from its first bytes."""
    if library[:4] == b"\x7fELF":
        return {f"ELF {int.from_bytes(library[18:20], 'little')}"}
    if library[:2] == b"MZ":
        header = int.from_bytes(library[0x3C:0x40], "little")
        assert library[header : header + 4] == b"PE\0\0"
        return {f"PE {int.from_bytes(library[header + 4 : header + 6], 'little'):#x}"}
    if library[:4] == bytes.fromhex("cffaedfe"):
        return {f"Mach-O {int.from_bytes(library[4:8], 'little'):#x}"}
    assert library[:4] == bytes.fromhex("cafebabe"), library[:4]
    starts = range(8, 8 + 20 * int.from_bytes(library[4:8], "big"), 20)
    return {f"Mach-O {int.from_bytes(library[start : start + 4], 'big'):#x}" for start in starts}


# EM_X86_64, IMAGE_FILE_MACHINE_AMD64, CPU_TYPE_X86_64, CPU_TYPE_ARM64.
MACHINE = {
    "linux-x86_64": "ELF 62",
    "windows-x86_64": "PE 0x8664",
    "macos-x86_64": "Mach-O 0x1000007",
    "macos-arm64": "Mach-O 0x100000c",
}
SUFFIX = {
    "linux-x86_64": ("cpython-{tag}-x86_64-linux-gnu.so", "abi3.so"),
    "windows-x86_64": ("cp{tag}-win_amd64.pyd", "pyd"),
    "macos-x86_64": ("cpython-{tag}-darwin.so", "abi3.so"),
    "macos-arm64": ("cpython-{tag}-darwin.so", "abi3.so"),
}


@pytest.mark.parametrize(("python", "platform"), COMBINATIONS)
def test_the_libraries_are_for_this_python_and_machine(python: str, platform: str, unpacked: Path) -> None:
    folder = unpacked / "vendor" / vendor.folder_name(python, platform)
    libraries = [file for file in folder.rglob("*") if re.search(r"\.(so|pyd|dylib|dll)(\.|$)", file.name)]
    for library in libraries:
        assert MACHINE[platform] in machines(library.read_bytes()), library

    tag = python.replace(".", "")
    own, stable = (suffix.format(tag=tag) for suffix in SUFFIX[platform])
    abis = {wheel.read_text().split("Tag: ")[1].rsplit("-", 1)[0] for wheel in folder.glob("*.dist-info/WHEEL")}
    # CPython's stable ABI since 3.12 serves any later version.
    assert abis == ({f"cp{tag}-cp{tag}", "cp312-abi3"} if python == "3.13" else {f"cp{tag}-cp{tag}"})
    names = {file.name for file in libraries}
    assert f"_cmsgpack.{own}" in names
    assert f"_zmq.{stable if python == '3.13' else own}" in names


@pytest.mark.parametrize(("python", "newest"), [("3.9", 17), ("3.10", 17), ("3.11", 28), ("3.13", 28)])
def test_nuke_14_and_15_still_load_them_on_centos_7(python: str, newest: int, unpacked: Path) -> None:
    folder = unpacked / "vendor" / vendor.folder_name(python, "linux-x86_64")
    symbols = {
        int(minor)
        for library in folder.rglob("*.so*")
        for minor in re.findall(rb"\0GLIBC_2\.(\d+)", library.read_bytes())
    }
    assert symbols
    assert max(symbols) <= newest, "symbols of a newer glibc than that Nuke's platform has"
