"""Paths of the submitter's machine become this machine's, as Open Job Description's own library maps them."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from openjd.sessions import PathFormat, PathMappingRule
from void_client.errors import BadInput
from void_client.path_mapping import mapped, read_rules

RULES = [
    ("POSIX", "/mnt/shots", "/data/shots"),
    ("POSIX", "/mnt/shots/seq/plates", "/fast/plates"),
    ("WINDOWS", "S:\\shots", "/data/windows"),
    ("WINDOWS", "\\\\server\\share", "/data/share"),
]


def rules_file(folder: Path) -> Path:
    rules = [
        {"source_path_format": kind, "source_path": source, "destination_path": destination}
        for kind, source, destination in RULES
    ]
    file = folder / "rules.json"
    file.write_text(json.dumps({"version": "pathmapping-1.0", "path_mapping_rules": rules}))
    return file


@pytest.mark.parametrize(
    ("path", "here"),
    [
        ("/mnt/shots/a/plate.%04d.exr", "/data/shots/a/plate.%04d.exr"),
        ("/mnt/shots", "/data/shots"),
        ("/mnt/shots/seq/plates/plate.####.exr", "/fast/plates/plate.####.exr"),
        ("/mnt/shots_2/a.exr", "/mnt/shots_2/a.exr"),
        ("S:/shots/a/plate.%04d.exr", "/data/windows/a/plate.%04d.exr"),
        ("s:\\Shots\\a.exr", "/data/windows/a.exr"),
        ("//server/share/a.exr", "/data/share/a.exr"),
        ("plates/a.exr", "plates/a.exr"),
        ("", ""),
    ],
)
def test_the_deepest_rule_holds_and_slashes_go_forward(path: str, here: str, tmp_path: Path) -> None:
    assert mapped(path, read_rules(rules_file(tmp_path))) == here
    deepest_first = sorted(RULES, key=lambda rule: -len(rule[1]))
    peers = [
        PathMappingRule(
            source_path_format=PathFormat[kind],
            source_path=PurePosixPath(source) if kind == "POSIX" else PureWindowsPath(source),
            destination_path=Path(destination),
        )
        for kind, source, destination in deepest_first
    ]
    changed = [there for peer in peers for done, there in [peer.apply(path=path)] if done]
    assert here == (changed[0] if changed else path), "Open Job Description says otherwise"


def test_a_session_without_rules_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text("{}")
    assert read_rules(tmp_path / "rules.json") == read_rules(None) == ()


@pytest.mark.parametrize("said", ["[", '{"version": "pathmapping-2.0"}', '{"version": "pathmapping-1.0"}', "[1]"])
def test_rules_that_cant_be_read_are_refused(said: str, tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text(said)
    with pytest.raises(BadInput, match=r"rules\.json can't be read"):
        read_rules(tmp_path / "rules.json")
