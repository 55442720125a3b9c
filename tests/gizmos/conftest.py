"""A fake Nuke that knows the gizmos' folder and nothing else: no plugin, as on a machine that only renders."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nuke
import pytest
import stage

REPOSITORY = Path(__file__).parents[2]
GIZMOS = REPOSITORY / "gizmos"

Make = Callable[[str], nuke.Group]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes a gizmo's node in a Nuke where `import void_nuke` finds nothing. What scripts raised fails the test."""
    hidden = {REPOSITORY, REPOSITORY / "nuke_plugin", REPOSITORY / "tests"}  # the last has tests in tests/void_nuke
    monkeypatch.setattr(sys, "path", [place for place in sys.path if Path(place).resolve() not in hidden])
    stage.start(gui=True)
    nuke.pluginAddPath(GIZMOS.as_posix(), addToSysPath=False)
    yield lambda name: nuke.createNode(name, inpanel=False)  # type: ignore[return-value]
    errors = stage.script_errors()
    stage.stop()
    assert not errors, "\n".join(errors)
