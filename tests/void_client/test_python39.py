"""The client runs inside Nuke 14, whose Python is 3.9."""

from __future__ import annotations

import ast
import os
import subprocess
from pathlib import Path

from interpreters import need_python

PLUGIN = Path(__file__).parents[2] / "nuke_plugin"
OURS = [source for source in PLUGIN.rglob("*.py") if PLUGIN / "vendor" not in source.parents]


def test_the_grammar_is_that_of_python_39() -> None:
    for source in OURS:
        tree = ast.parse(source.read_text(), str(source), feature_version=(3, 9))
        first = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
        annotated = any(isinstance(node, ast.AnnAssign | ast.FunctionDef) for node in ast.walk(tree))
        if annotated:
            assert first[0].module == "__future__", f"{source}: annotations such as `str | None` must not be evaluated"


def test_it_imports_under_a_real_python_39() -> None:
    code = "import void_client.sequences as s; print(s.FrameRange.parse('1001-1046'))"
    done = subprocess.run(
        [need_python("3.9"), "-c", code],
        env={**os.environ, "PYTHONPATH": str(PLUGIN)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "1001-1046", done.stderr
