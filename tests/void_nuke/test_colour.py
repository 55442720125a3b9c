"""The script's colour management: what a bake makes of it, and what it refuses before anything is rendered."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nuke
import numpy as np
import pytest
import stage
from ocio_configs import WIDE, write_config
from void_client.colour import IDENTITY, Colour

from void_server.plates.exr import read_frame

from .conftest import Script, results, wait_for_status


def by_ocio(config: str, path: Path | str = "", space: str = "scene_linear") -> None:
    """Set the project's colour management."""
    knobs = {"colorManagement": "OCIO", "OCIO_config": config, "customOCIOConfigPath": str(path)}
    for name, wish in {**knobs, "workingSpaceLUT": space}.items():
        nuke.root()[name].setValue(wish)


def baked(node: nuke.Group, folder: Path) -> Colour:
    """Bake, and return the working space that the manifest names."""
    stage.press(node, "bake")
    wait_for_status(node, "v001: frames")
    colour: Colour = json.loads((results(folder, node) / "v001" / "manifest.json").read_text())["colourspace"]
    header = read_frame(results(folder, node) / "v001" / "plate.1003.exr").parts[0].header
    assert header["void/colourspace"] == colour["name"], "the server was told the same"
    return colour


def refusal(node: nuke.Group, folder: Path) -> str:
    """What Bake says, before it has rendered or reserved anything."""
    stage.press(node, "bake")
    assert not stage.progress_tasks()
    assert not results(folder, node).exists()
    said = stage.messages()[-1]
    assert "Traceback" not in said
    return said


def test_nukes_own_management_is_linear_rec709(script: Script, tmp_path: Path) -> None:
    assert baked(script(), tmp_path) == {"name": "linear Rec.709", "matrix": list(IDENTITY)}


@pytest.mark.parametrize("space", ["linear", "scene_linear"])
def test_so_is_the_config_of_nukes_own_curves(script: Script, tmp_path: Path, space: str) -> None:
    node = script()
    by_ocio("nuke-default", space=space)
    assert baked(node, tmp_path)["matrix"] == list(IDENTITY)


@pytest.mark.parametrize("space", ["scene_linear", "Show Wide"])
def test_a_studios_config_reaches_the_server_as_a_matrix(script: Script, tmp_path: Path, space: str) -> None:
    node = script()
    by_ocio("custom", write_config(tmp_path / "config.ocio"), space)
    colour = baked(node, tmp_path)
    assert colour["name"] == "Show Wide"
    assert np.allclose(colour["matrix"], WIDE, atol=1e-6)


@pytest.mark.parametrize("config", ["custom", "nuke-default"])
def test_the_environments_config_goes_before_the_projects(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str
) -> None:
    node = script()
    by_ocio(config, write_config(tmp_path / "project.ocio", scene_linear="Show Log"))
    monkeypatch.setenv("OCIO", str(write_config(tmp_path / "studio.ocio")))
    assert baked(node, tmp_path)["name"] == "Show Wide"


@pytest.mark.parametrize("file", ["aces_1.2/config.ocio", "aces_1.2.ocio"])
def test_a_config_that_nuke_offers_by_name_is_found_on_its_plugin_path(
    script: Script, tmp_path: Path, file: str
) -> None:
    node = script()
    path = tmp_path / "site" / "OCIOConfigs" / "configs" / file
    path.parent.mkdir(parents=True)
    write_config(path)
    nuke.pluginAppendPath(str(tmp_path / "site"))
    by_ocio("aces_1.2")
    assert baked(node, tmp_path)["name"] == "Show Wide"


def test_a_newer_nuke_says_where_its_config_is(script: Script, tmp_path: Path) -> None:
    node = script()
    knob = nuke.File_Knob("OCIOConfigPath")
    nuke.root().addKnob(knob)
    knob.setValue(str(write_config(tmp_path / "shipped.ocio")))
    by_ocio("aces_1.2")
    assert baked(node, tmp_path)["name"] == "Show Wide"


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ("Show Log", ["Show Log", "not linear", "Show Wide (role scene_linear)"]),
        ("linear", ['no colour space or role "linear"', "nearest are"]),
        ("Show Data", ["data, not colour"]),
    ],
)
def test_a_working_space_to_encode_in_is_refused(script: Script, tmp_path: Path, space: str, words: list[str]) -> None:
    node = script()
    by_ocio("custom", write_config(tmp_path / "config.ocio"), space)
    said = refusal(node, tmp_path)
    for word in [*words, str(tmp_path / "config.ocio"), "Project Settings, Color"]:
        assert word in said


def test_a_config_that_is_not_there_is_refused(script: Script, tmp_path: Path) -> None:
    node = script()
    by_ocio("custom", "/studio/gone.ocio")
    assert "/studio/gone.ocio can't be read" in refusal(node, tmp_path)
    by_ocio("custom")
    assert "names no file" in refusal(node, tmp_path)
    by_ocio("aces_1.1")
    assert "aces_1.1 is in no OCIOConfigs/configs" in refusal(node, tmp_path)


def test_a_nuke_without_opencolorio_for_python_is_refused(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = script()
    by_ocio("custom", write_config(tmp_path / "config.ocio"))
    monkeypatch.setitem(sys.modules, "PyOpenColorIO", None)  # as Python has it where an import has failed
    assert "can't be read without PyOpenColorIO" in refusal(node, tmp_path)


@pytest.mark.parametrize("management", ["Nuke", "OCIO"])
def test_nukes_own_curves_with_an_encoded_working_space_are_refused(
    script: Script, tmp_path: Path, management: str
) -> None:
    node = script()
    by_ocio("nuke-default")
    nuke.root()["colorManagement"].setValue(management)
    nuke.root()["workingSpaceLUT"].setValue("Cineon")
    assert "working space is Cineon: set it to linear" in refusal(node, tmp_path)


def test_a_result_is_out_of_date_once_colour_is_managed_otherwise(script: Script, tmp_path: Path) -> None:
    node = script()
    baked(node, tmp_path)
    by_ocio("custom", write_config(tmp_path / "config.ocio"))
    stage.update_ui()
    node["version"].setValue("v001")
    assert stage.label(node) == "v001 out of date: colour management has changed"


def test_diagnostics_name_the_working_space(script: Script, tmp_path: Path) -> None:
    node = script()
    by_ocio("custom", write_config(tmp_path / "config.ocio"))
    stage.press(node, "diagnose")
    assert "working space: Show Wide" in str(node["diagnostics"].value())
