"""What is taken from real OCIO configs, and what is refused."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from interpreters import need_python
from ocio_configs import WIDE, matrix_transform, write_config
from void_client.colour import IDENTITY
from void_client.errors import BadInput
from void_client.ocio import working_space

PLUGIN = Path(__file__).parents[2] / "nuke_plugin"
BUILT_IN = "ocio://studio-config-latest"

# CIE x, y of AP1's primaries, of the ACES white and of Rec.709's (S-2014-004, BT.709).
AP1, ACES_WHITE = ((0.713, 0.293), (0.165, 0.830), (0.128, 0.044)), (0.32168, 0.33767)
REC709, D65 = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)), (0.3127, 0.3290)
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def xyz(x: float, y: float) -> np.ndarray:
    return np.array([x / y, 1, (1 - x - y) / y])


def rgb_to_xyz(primaries: tuple[tuple[float, float], ...], white: tuple[float, float]) -> np.ndarray:
    unscaled = np.stack([xyz(*primary) for primary in primaries], axis=1)
    return unscaled @ np.diag(np.linalg.inv(unscaled) @ xyz(*white))


def acescg_to_rec709() -> np.ndarray:
    cones = np.diag((BRADFORD @ xyz(*D65)) / (BRADFORD @ xyz(*ACES_WHITE)))
    adapt = np.linalg.inv(BRADFORD) @ cones @ BRADFORD
    return np.linalg.inv(rgb_to_xyz(REC709, D65)) @ adapt @ rgb_to_xyz(AP1, ACES_WHITE)


@pytest.mark.parametrize("config", [BUILT_IN, "ocio://cg-config-v1.0.0_aces-v1.3_ocio-v2.1"])
@pytest.mark.parametrize("name", ["ACEScg", "scene_linear", "lin_ap1", "ACES - ACEScg", "acescg"])
def test_acescg_by_any_of_its_names_is_what_its_primaries_say(config: str, name: str) -> None:
    space = working_space(config, name)
    assert space["name"] == "ACEScg"
    assert np.allclose(np.array(space["matrix"]).reshape(3, 3), acescg_to_rec709(), atol=1e-6)


def test_linear_rec709_is_exactly_the_identity() -> None:
    assert working_space(BUILT_IN, "lin_srgb") == {"name": "Linear Rec.709 (sRGB)", "matrix": list(IDENTITY)}


def test_a_studios_own_config_says_what_scene_linear_is(tmp_path: Path) -> None:
    space = working_space(str(write_config(tmp_path / "config.ocio")))
    assert space["name"] == "Show Wide"
    assert np.allclose(space["matrix"], WIDE, atol=1e-6)


def test_a_config_without_rec709_is_understood_by_its_interchange_role(tmp_path: Path) -> None:
    rec709_to_ap0 = np.linalg.inv(np.array(working_space(BUILT_IN, "ACES2065-1")["matrix"]).reshape(3, 3))
    interchange = matrix_transform(tuple(rec709_to_ap0.ravel().tolist()))
    config = write_config(tmp_path / "config.ocio", reference="our light", interchange=interchange)
    assert np.allclose(working_space(str(config))["matrix"], WIDE, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ACEScct", ["ACEScct", "not linear", "ACEScg (role scene_linear)"]),
        ("ACEScc", ["not linear"]),
        ("sRGB - Texture", ["sRGB Encoded Rec.709 (sRGB)", "(sRGB - Texture)", "not linear"]),
        ("sRGB - Display", ["not linear"]),
        ("ARRI LogC4", ["not linear"]),
        ("Raw", ["Raw", "data, not colour"]),
        ("ACEScgg", ['no colour space or role "ACEScgg"', "nearest are ACEScg"]),
        ("Linear ARI Wide Gamut 4", ["Linear ARRI Wide Gamut 4"]),
        ("", ['""', "scene_linear"]),
    ],
)
def test_a_space_that_is_none_to_work_in_is_refused_with_one_that_is(name: str, words: list[str]) -> None:
    with pytest.raises(BadInput) as caught:
        working_space(BUILT_IN, name)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Show Log", ["not linear"]),
        ("Show sRGB", ["not linear"]),
        ("Show Clipped", ["not linear"]),  # linear up to 1, and plates are not
        ("Show Lifted", ["not linear"]),  # black is not black
        ("Show Grey", ["Show Grey", "can't be undone"]),
        ("Show Data", ["data"]),
        ("Show Lost", ["no way from Show Lost to linear Rec.709", "nowhere.spi1d"]),
        ("show vide", ["nearest are Show Wide"]),
    ],
)
def test_a_studios_spaces_are_tried_before_they_are_believed(tmp_path: Path, name: str, words: list[str]) -> None:
    config = write_config(tmp_path / "config.ocio")
    with pytest.raises(BadInput) as caught:
        working_space(str(config), name)
    for word in words:
        assert word in str(caught.value)


def test_a_config_without_a_way_to_rec709_is_refused(tmp_path: Path) -> None:
    config = write_config(tmp_path / "config.ocio", reference="our light")
    with pytest.raises(BadInput, match=r"no way from Show Wide to linear Rec\.709") as caught:
        working_space(str(config))
    assert str(config) in str(caught.value)
    assert "aces_interchange" in str(caught.value)


@pytest.mark.parametrize("text", [None, "", "hello: [", "ocio_profile_version: 99\n", "\x00\xff binary"])
def test_a_config_that_is_none_is_refused_by_its_path(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "config.ocio"
    if text is not None:
        path.write_text(text, "latin-1")
    with pytest.raises(BadInput, match="can't be read") as caught:
        working_space(str(path))
    assert str(path) in str(caught.value)


def test_a_python_without_opencolorio_says_what_is_missing() -> None:
    code = (
        "from void_client.ocio import working_space; from void_client.errors import BadInput\n"
        "try: working_space('/studio/config.ocio')\n"
        "except BadInput as error: print(error)\n"
    )
    done = subprocess.run(
        [need_python("3.9"), "-c", code],
        env={**os.environ, "PYTHONPATH": str(PLUGIN)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "/studio/config.ocio can't be read without PyOpenColorIO" in done.stdout, done.stderr
