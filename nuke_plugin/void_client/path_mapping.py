"""Paths as they are on this machine: the path mapping rules of an Open Job Description session, applied to text.

https://github.com/OpenJobDescription/openjd-specifications/wiki/How-Jobs-Are-Run#path-mapping
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from .errors import BadInput

VERSION = "pathmapping-1.0"
FLAVOURS: dict[str, type[PurePath]] = {"POSIX": PurePosixPath, "WINDOWS": PureWindowsPath}


@dataclass(frozen=True)
class Rule:
    """What lies under `source`, as the submitter's machine writes it, lies under `destination` here."""

    source: PurePath
    destination: str


def read_rules(file: Path | None) -> tuple[Rule, ...]:
    """The rules in a session's file, the deepest source first; none without a file. Raises BadInput."""
    if file is None:
        return ()
    try:
        said = json.loads(file.read_text("utf-8"))
        if not said:  # a session without rules writes {}
            return ()
        if said["version"] != VERSION:
            raise ValueError(f"its version is {said['version']}, not {VERSION}")
        rules = [
            Rule(FLAVOURS[rule["source_path_format"]](rule["source_path"]), rule["destination_path"])
            for rule in said["path_mapping_rules"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"the path mapping rules {file} can't be read ({error}): see the farm's own log") from error
    return tuple(sorted(rules, key=lambda rule: -len(rule.source.parts)))


def mapped(text: str, rules: tuple[Rule, ...]) -> str:
    """A path, or a sequence's pattern, as it is here, with forward slashes; as it was where no rule is for it."""
    for rule in rules:
        try:
            rest = type(rule.source)(text).relative_to(rule.source)
        except ValueError:
            continue
        return "/".join([rule.destination.replace("\\", "/").rstrip("/"), *rest.parts])
    return text
