"""Scenes and the bundles that are made of them: goldens/SCENE/scene in, goldens/SCENE/bundle out, word for word.

A scene is a script or a timeline, which says /scene where it lies, six frames of plates, and `options`, the rest of
the command line. To renew the bundles after a change that is meant, and then look at the difference:

    VOID_RENEW_GOLDENS=1 .venv/bin/pytest tests/batch/test_goldens.py && git diff tests/batch/goldens
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from conftest import Void
from farm_machines import Worker

GOLDENS = Path(__file__).parent / "goldens"
SCENES = sorted(folder.name for folder in GOLDENS.iterdir())


@pytest.fixture(params=SCENES)
def golden(request: pytest.FixtureRequest) -> Path:
    return GOLDENS / str(request.param)


@pytest.fixture
def bundle(golden: Path, shot: Path, worker: Worker, void: Void, tmp_path: Path) -> Path:
    """The scene's bundle, made now by the `void` command."""
    scene = tmp_path / "scene"
    shutil.copytree(shot, scene / "plates")
    for file in (golden / "scene").iterdir():
        (scene / file.name).write_text(file.read_text().replace("/scene", str(scene)))
    (source,) = (file for file in scene.iterdir() if file.suffix in (".nk", ".otio"))
    options = (scene / "options").read_text().split()
    done = void("farm", "bundle", source, "--out", scene / "bundle", *options, env=worker.environment)
    assert done.returncode == 0, done.stderr
    return scene / "bundle"


def said(bundle: Path, scene: Path) -> dict[str, str]:
    """The bundle's files as text, free of where the scene lies."""
    return {file.name: file.read_text().replace(str(scene), "/scene") for file in bundle.iterdir()}


def test_the_bundle_is_the_golden_one(bundle: Path, golden: Path, tmp_path: Path) -> None:
    made = said(bundle, tmp_path / "scene")
    if os.environ.get("VOID_RENEW_GOLDENS"):
        (golden / "bundle").mkdir(exist_ok=True)
        for name, text in made.items():
            (golden / "bundle" / name).write_text(text)
    assert made == said(golden / "bundle", tmp_path / "scene")


def test_open_job_description_has_nothing_against_it(golden: Path, worker: Worker) -> None:
    code, words = worker.openjd("check", golden / "bundle" / "template.json")
    assert code == 0, words


def test_nothing_absolute_is_in_the_template(golden: Path) -> None:
    assert "/scene" not in (golden / "bundle" / "template.json").read_text()
