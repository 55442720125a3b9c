"""Every test here has a Nuke of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import stage


@pytest.fixture(autouse=True)
def running() -> Iterator[None]:
    stage.start()
    yield
    stage.stop()
