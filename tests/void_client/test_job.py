"""What a job says of itself, before any server hears of it."""

from __future__ import annotations

import getpass
import platform

import pytest
from void_client.client import label_of


def test_a_label_names_who_asks_and_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ana")
    assert label_of("shot.nk VOID1") == f"ana@{platform.node()} shot.nk VOID1"
    assert len(label_of("x" * 2000)) == 1000


def test_a_label_is_made_also_where_the_system_has_no_name_for_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert label_of("plate.%04d.exr") == f"@{platform.node()} plate.%04d.exr"
