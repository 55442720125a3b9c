"""Real Pythons of other versions: the ones that Nuke has inside it."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def _candidates(version: str) -> Iterator[Path]:
    """On the PATH (where pyenv leaves shims that may not run), then among pyenv's own."""
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))


@functools.cache
def find_python(version: str) -> Path | None:
    """A Python of `version`, say "3.9", that really runs; None where this machine has none."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    for python in _candidates(version):
        done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip() == version:
            return python
    return None


def need_python(version: str) -> Path:
    """As find_python; skips the test where there is none."""
    python = find_python(version)
    if python is None:
        pytest.skip(f"no python{version} that runs on the PATH or among pyenv's versions")
    return python
