"""The results of one node on disk: FOLDER/void/IDENTITY/v001, v002, ... Nothing here is ever overwritten."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from void_client.bake import RECORD
from void_client.delivery import MANIFEST
from void_client.errors import BadInput
from void_client.sequences import FrameRange

PREFIXES = {"plate": "v", "quadmask": "quadmask_v"}


@dataclass(frozen=True)
class Version:
    """One whole result. `manifest` is that of its first view."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def frames(self) -> FrameRange:
        return FrameRange(self.manifest["first"], self.manifest["last"])

    @property
    def file(self) -> str:
        """What a Read's file knob takes: with `%V` where there is more than one view."""
        view = "%V/" if len(self.manifest["views"]) > 1 else ""
        return f"{file_text(self.folder)}/{view}{self.manifest['output']}"


class Versions:
    """The folder of one node."""

    def __init__(self, root: Path, identity: str) -> None:
        self.folder = root / "void" / identity

    def whole(self, result: str = "plate") -> list[Version]:
        """The finished results, newest first."""
        return [version for folder in reversed(self._folders(result)) if (version := read_version(folder))]

    def find(self, name: str) -> Version | None:
        """The finished result of that name."""
        return read_version(self.folder / name)

    def unfinished(self) -> list[Path]:
        """The folders of bakes that were begun here and have not ended, oldest first; a farm's are its own business."""
        folders = [folder for result in PREFIXES for folder in self._folders(result)]
        return [folder for folder in folders if (folder / RECORD).exists() and not _farm_of(folder)]

    def reserve(self, result: str) -> Path:
        """Make the folder of the next version. Raises BadInput where the disk refuses."""
        numbers = [int(folder.name[len(PREFIXES[result]) :]) for folder in self._folders(result)]
        number = max(numbers, default=0) + 1
        while True:
            folder = self.folder / f"{PREFIXES[result]}{number:03d}"
            try:
                folder.mkdir(parents=True)
            except FileExistsError:  # another Nuke was faster
                number += 1
            except OSError as error:
                raise BadInput(
                    f"the folder {self.folder} can't be written ({error.strerror}): choose another on the Output tab, "
                    "or ask for access"
                ) from error
            else:
                return folder

    def _folders(self, result: str) -> list[Path]:
        """The folders of a kind in the order of their numbers."""
        named = re.compile(PREFIXES[result] + r"(\d{3,})$")
        if not self.folder.is_dir():
            return []
        numbered = [(int(match[1]), path) for path in self.folder.iterdir() if (match := named.match(path.name))]
        return [path for _, path in sorted(numbered)]


def _farm_of(folder: Path) -> str:
    """The bundle that an unfinished bake was handed to the farm in, if it was."""
    try:
        return str(json.loads((folder / RECORD).read_text("utf-8")).get("farm", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def read_version(folder: Path) -> Version | None:
    """The result in a folder, or None where there is none, or only a part of one."""
    if (folder / RECORD).exists():
        return None
    manifests = [path for path in (folder / MANIFEST, *sorted(folder.glob(f"*/{MANIFEST}"))) if path.exists()]
    try:
        return Version(folder, json.loads(manifests[0].read_text("utf-8"))) if manifests else None
    except (OSError, ValueError):
        return None


def file_text(path: Path) -> str:
    """A path as a file knob takes it: forward slashes on every system, and nothing that Tcl would work out."""
    text = path.as_posix()
    return "".join(f"\\{letter}" if letter in "[]$" else letter for letter in text)
