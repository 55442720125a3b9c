"""The client runs inside Nuke 14, whose Python is 3.9."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[2] / "nuke_plugin"


def test_the_grammar_is_that_of_python_39() -> None:
    for source in PLUGIN.rglob("*.py"):
        tree = ast.parse(source.read_text(), str(source), feature_version=(3, 9))
        first = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
        annotated = any(isinstance(node, ast.AnnAssign | ast.FunctionDef) for node in ast.walk(tree))
        if annotated:
            assert first[0].module == "__future__", f"{source}: annotations such as `str | None` must not be evaluated"


def test_it_imports_under_a_real_python_39() -> None:
    python = shutil.which("python3.9")
    works = python and subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0
    if not works:
        pytest.skip("no python3.9 on the PATH")
    code = "import void_client.sequences as s; print(s.FrameRange.parse('1001-1046'))"
    done = subprocess.run(
        [str(python), "-c", code],
        env={**os.environ, "PYTHONPATH": str(PLUGIN)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "1001-1046", done.stderr
