from __future__ import annotations

import numpy as np
import pytest
from masks.asking import FRAMES, GRID, KEY, maker

from void_server.masks.evidence import gather_evidence
from void_server.masks.reasoner import Question


@pytest.fixture(scope="session")
def question():
    clip = np.broadcast_to(np.arange(40, 180, 10)[:, None, None, None], (14, 64, 96, 3)).astype(np.uint8)
    primary = np.zeros((14, 64, 96), bool)
    primary[3:, 16:40, 24:60] = True
    return Question(gather_evidence(clip, primary, FRAMES, GRID), FRAMES, GRID, 'the "glass" on the left')


@pytest.fixture
def surroundings(monkeypatch):
    """A key for each, and no proxy between us and ourselves."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("VOID_REASONER_KEY", KEY)


@pytest.fixture(params=["gemini", "openai"])
def reasoner(request, surroundings):
    """Makes reasoners of each kind; what holds for one holds for all."""
    return maker(request.param)
