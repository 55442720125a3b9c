"""Build dist/void-nuke-VERSION.zip: one folder, `void`, to unpack and put on NUKE_PATH. Fetches what it vendors first.

The same sources make the same bytes: sorted names, one timestamp, one mode.
"""

from __future__ import annotations

import argparse
import re
import sys
import zipfile
from pathlib import Path

from . import vendor

PLUGIN = vendor.ROOT / "nuke_plugin"
DIST = vendor.ROOT / "dist"
TOP = "void"
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can hold
LEFT_OUT = ("__pycache__", ".DS_Store")  # not all that is hidden: pyzmq's libraries for macOS lie in zmq/.dylibs


class NothingVendored(Exception):
    """A folder of vendored packages that the zip should hold isn't there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"there is no {folder}: `python -m tools.vendor` fetches it")


def version() -> str:
    """The plugin's version, which is void_client's."""
    found = re.search(r'^__version__ = "(.+)"$', (PLUGIN / "void_client/__init__.py").read_text(), re.MULTILINE)
    assert found
    return found[1]


def files_under(folder: Path) -> list[Path]:
    """The files below `folder`, without what Python or a file browser left there."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if not any(part in LEFT_OUT for part in path.relative_to(folder).parts)]


def contents(vendored: list[str], folder: Path = vendor.VENDOR) -> dict[str, Path]:
    """What goes into the zip, by the name it has there. Raises NothingVendored."""
    found = {path.name: path for path in [*PLUGIN.glob("*.py"), PLUGIN / "INSTALL.txt"]}
    found["LICENSE"] = vendor.ROOT / "LICENSE"
    rooms = {"void_nuke": PLUGIN / "void_nuke", "void_client": PLUGIN / "void_client", "gizmos": vendor.ROOT / "gizmos"}
    for name in vendored:
        if not (folder / name / vendor.STAMP).is_file():
            raise NothingVendored(folder / name)
        rooms[f"vendor/{name}"] = folder / name
    for name, room in rooms.items():
        found.update({f"{name}/{path.relative_to(room).as_posix()}": path for path in files_under(room)})
    return {f"{TOP}/{name}": found[name] for name in sorted(found)}


def write_zip(files: dict[str, Path], target: Path) -> dict[str, int]:
    """Write `files` to `target`, whole or not at all; the bytes that each vendored folder takes in it, by name."""
    sizes: dict[str, int] = {}
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path in files.items():
            info = zipfile.ZipInfo(name, LONG_AGO)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, path.read_bytes())
            if name.startswith(f"{TOP}/vendor/"):
                folder = name.split("/")[2]
                sizes[folder] = sizes.get(folder, 0) + info.compress_size
    part.replace(target)
    return sizes


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.plugin_zip", description=__doc__)
    vendor.add_filters(parser)
    parser.add_argument("--out", type=Path, default=DIST, metavar="DIR", help="where the zip goes (default: dist)")
    options = parser.parse_args(arguments)
    pythons, platforms = options.python or vendor.locked_pythons(), options.platform or list(vendor.PLATFORMS)
    chosen = [vendor.folder_name(python, platform) for python in pythons for platform in platforms]
    filters = [f"py{python.replace('.', '')}" for python in options.python or []] + (options.platform or [])
    target = options.out / ("-".join(["void-nuke", version(), *filters]) + ".zip")
    try:
        vendor.fetch_all(pythons, platforms)
        sizes = write_zip(contents(chosen), target)
    except vendor.VendorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for name, size in sizes.items():
        print(f"{name:24} {size / 1e6:5.1f} MB")
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
