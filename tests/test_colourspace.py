"""Which working space `void run` takes a plate to be in, and what it says where there is none to take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import Void, flat
from ocio_configs import WIDE, write_config
from PIL import Image
from shots_on_disk import flat_image
from void_client.colour import IDENTITY, Colour
from void_client.errors import BadInput
from void_client.sequences import FileSequence, FrameRange

from void_server.colourspace import plate_colour
from void_server.plates.exr import read_frame, write_frame
from void_server.plates.frame import Frame, Part
from void_server.plates.window import Window

FRAMES = FrameRange(1, 3)
AP1 = (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)
REC709 = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329)
# ACEScg to linear Rec.709, Bradford, as ACES prints it.
ACESCG = (1.70505, -0.62179, -0.08326, -0.13026, 1.14080, -0.01055, -0.02400, -0.12897, 1.15297)


def plate(folder: Path, *chromaticities: Sequence[float] | None) -> FileSequence:
    """A frame for each of these attributes."""
    whole = Window(0, 0, 8, 4)
    for number, said in enumerate(chromaticities, 1):
        (part,) = flat_image(0.5, whole, whole).parts
        header = part.header | ({"chromaticities": tuple(said)} if said else {})
        (folder / f"plate.{number:04d}.exr").write_bytes(write_frame(Frame((Part(header, part.channels),))))
    return FileSequence(folder, "plate.%04d.exr")


def found(folder: Path, name: str | None = None, config: Path | str | None = None) -> Colour:
    """For a plate that says it is in ACEScg."""
    return plate_colour(plate(folder, AP1, AP1, AP1), FRAMES, name, str(config) if config else None)


def test_the_plates_own_chromaticities_are_taken_where_nothing_else_is_said(tmp_path: Path) -> None:
    colour = found(tmp_path)
    assert np.allclose(colour["matrix"], ACESCG, atol=1e-5)
    assert "R 0.713 0.293" in colour["name"]


@pytest.mark.parametrize(("said", "name"), [(None, "linear Rec.709"), (REC709, "the chromaticities R 0.64 0.33")])
def test_a_plate_without_them_or_with_those_of_rec709_is_linear_rec709(
    tmp_path: Path, said: Sequence[float] | None, name: str
) -> None:
    colour = plate_colour(plate(tmp_path, said, said, said), FRAMES, None, None)
    assert tuple(colour["matrix"]) == IDENTITY
    assert colour["name"].startswith(name)


@pytest.mark.parametrize("other", [REC709, None])
def test_frames_that_disagree_are_refused(tmp_path: Path, other: Sequence[float] | None) -> None:
    with pytest.raises(BadInput, match=r"frame 2 of plate.%04d.exr has .* frame 1 of .* R 0.713 0.293") as caught:
        plate_colour(plate(tmp_path, AP1, other, AP1), FRAMES, None, None)
    assert "--colourspace" in str(caught.value)


def test_chromaticities_that_span_nothing_are_refused(tmp_path: Path) -> None:
    flat_triangle = (0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3127, 0.329)
    with pytest.raises(BadInput, match=r"frame 1 of .* which are no colour space"):
        plate_colour(plate(tmp_path, *[flat_triangle] * 3), FRAMES, None, None)


def test_the_environments_config_goes_before_the_plate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCIO", str(write_config(tmp_path / "config.ocio")))
    assert np.allclose(found(tmp_path)["matrix"], WIDE, atol=1e-6)
    monkeypatch.setenv("OCIO", "")
    assert np.allclose(found(tmp_path)["matrix"], ACESCG, atol=1e-5), "set to nothing is not set"


def test_an_option_goes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCIO", str(write_config(tmp_path / "studio.ocio", scene_linear="Show Log")))
    show = write_config(tmp_path / "show.ocio")
    assert found(tmp_path, config=show)["name"] == "Show Wide"
    assert found(tmp_path, "ref")["name"] == "lin_rec709", "a name is looked up in the environment's config"
    assert found(tmp_path, "ref", show)["name"] == "lin_rec709"


def test_a_name_without_a_config_is_one_of_opencolorios_own(tmp_path: Path) -> None:
    assert found(tmp_path, "Linear ARRI Wide Gamut 4")["name"] == "Linear ARRI Wide Gamut 4"


def test_a_refusal_says_where_to_change_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCIO", "/studio/gone.ocio")
    with pytest.raises(BadInput, match=r"/studio/gone\.ocio can't be read") as caught:
        found(tmp_path)
    assert "--ocio CONFIG, or OCIO in the environment" in str(caught.value)


def test_a_run_computes_in_the_named_space_and_says_so(
    void: Void, arguments: dict[str, object], tmp_path: Path
) -> None:
    assert void("run", *flat(arguments)).returncode == 0
    arguments["--out"] = tmp_path / "wide" / "plate.%04d.exr"
    done = void("run", *flat(arguments), env={"VOID_RUN_OCIO": str(write_config(tmp_path / "config.ocio"))})
    assert done.returncode == 0, done.stderr
    assert "working space: Show Wide" in done.stderr
    manifest = json.loads((tmp_path / "wide" / "manifest.json").read_text())
    assert manifest["colourspace"]["name"] == "Show Wide"
    assert np.allclose(manifest["colourspace"]["matrix"], WIDE, atol=1e-6)
    plain, wide = (read_frame(tmp_path / folder / "plate.1003.exr") for folder in ("out", "wide"))
    assert wide.parts[0].header["void/colourspace"] == "Show Wide"
    assert plain.parts[0].header["void/colourspace"] == "linear Rec.709"
    outside = plain.channel("void.matte") == 0
    for name in "RGBA":
        ours, theirs = plain.channel(name).view(np.uint16), wide.channel(name).view(np.uint16)
        assert np.array_equal(ours[outside], theirs[outside])
    assert not np.array_equal(plain.channel("R"), wide.channel("R"))


def test_a_space_to_encode_in_is_refused_before_anything_is_sent_or_written(
    void: Void, arguments: dict[str, object], tmp_path: Path
) -> None:
    for command in ("run", "quadmask"):
        given = {name: value for name, value in arguments.items() if command == "run" or name != "--settings"}
        done = void(command, *flat({**given, "--colourspace": "acescct", "--server": "tcp://127.0.0.1:9"}))
        assert done.returncode == 2
        assert "ACEScct" in done.stderr
        assert "not linear" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "out").exists()


def test_an_overlay_shows_the_plate_in_rec709(void: Void, arguments: dict[str, object], tmp_path: Path) -> None:
    """White keeps its place between spaces and a red does not."""
    folder, whole = tmp_path / "flat", Window(0, 0, 64, 40)
    folder.mkdir()
    image, roto = flat_image(0.25, whole, whole), flat_image(0.0, whole, whole, "A")
    image.channel("R")[...] = 0.5
    roto.channel("A")[18:22, 30:34] = 1
    (folder / "plate.exr").write_bytes(write_frame(image))
    (folder / "roto.exr").write_bytes(write_frame(roto))
    given = {"--plate": folder / "plate.exr", "--roto": folder / "roto.exr", "--frames": "1", "--colourspace": "ACEScg"}
    wanted = {"--out": folder / "q.exr", "--overlay": folder / "look.png", "--server": arguments["--server"]}
    done = void("quadmask", *flat({**given, **wanted}))
    assert done.returncode == 0, done.stderr
    with Image.open(folder / "look.png") as sheet:
        seen = np.asarray(sheet)[8 + 3, 8 + 3]
    linear = np.array(ACESCG).reshape(3, 3) @ (0.5, 0.25, 0.25)
    assert np.allclose(seen, 255 * (1.055 * linear ** (1 / 2.4) - 0.055), atol=1)
