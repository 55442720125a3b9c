"""`void quadmask` as a user meets it: built, looked at, painted over, given back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Void, flat
from PIL import Image
from shots_on_disk import rewrite
from void_client.client import Client, Job
from void_client.follow import follow
from void_client.sequences import FileSequence, FrameRange

from void_server.demo.scene import Scene
from void_server.plates.exr import read_frame

FRAMES = range(1001, 1007)


@pytest.fixture
def masking(arguments: dict[str, object], tmp_path: Path) -> dict[str, object]:
    """The options of a `void quadmask` that works."""
    masking = {name: value for name, value in arguments.items() if name != "--settings"}
    return masking | {"--out": tmp_path / "q" / "q.%04d.exr"}


def test_it_writes_the_quadmask_and_last_a_manifest(
    void: Void, masking: dict[str, object], scene: Scene, tmp_path: Path
) -> None:
    done = void("quadmask", *flat(masking))
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "q").iterdir())
    assert names == ["manifest.json", *(f"q.{frame}.exr" for frame in FRAMES)]
    manifest = json.loads((tmp_path / "q" / "manifest.json").read_text())
    assert manifest["result"] == "quadmask"
    assert manifest["notices"] == []
    assert done.stdout.count("\n") == 1
    assert "pass 1" not in done.stderr
    for frame in FRAMES:
        red = read_frame(tmp_path / "q" / f"q.{frame}.exr").channel("R")
        painted = scene.object_matte(frame).astype(np.float16) >= 1 / 32
        assert np.array_equal(red, np.where(painted, np.float32(0), np.float32(1)))


def test_json_is_for_machines_and_an_earlier_result_is_kept(
    void: Void, masking: dict[str, object], tmp_path: Path
) -> None:
    done = void("quadmask", *flat(masking), "--json")
    facts = json.loads(done.stdout)
    assert (facts["frames"], facts["manifest"]) == (6, str(tmp_path / "q" / "manifest.json"))
    again = void("quadmask", *flat(masking), "--json")
    assert again.returncode == 2
    assert "exists already" in json.loads(again.stdout)["error"]
    assert void("quadmask", *flat(masking), "--overwrite").returncode == 0


def test_a_run_with_it_gives_the_plates_that_roto_and_affected_give(
    void: Void, arguments: dict[str, object], masking: dict[str, object], shot: Path, tmp_path: Path
) -> None:
    affected = {"--affected": shot / "affected.%04d.exr"}
    assert void("quadmask", *flat(masking | affected)).returncode == 0
    assert void("run", *flat(arguments | affected)).returncode == 0
    del arguments["--roto"]
    back = {"--quadmask": masking["--out"], "--out": tmp_path / "back" / "plate.%04d.exr"}
    done = void("run", *flat(arguments | back))
    assert done.returncode == 0, done.stderr
    for frame in FRAMES:
        one, other = (read_frame(tmp_path / folder / f"plate.{frame}.exr") for folder in ("out", "back"))
        assert one.parts[0].channels.keys() == other.parts[0].channels.keys()
        for name, pixels in one.parts[0].channels.items():
            assert pixels.tobytes() == other.channel(name).tobytes(), (frame, name)
    levels = np.unique(one.channel("void.quadmask").astype(np.float32) * 255)
    assert np.rint(levels).tolist() == [0, 63, 127, 255], "each of the four levels has made the way"


def test_one_that_was_painted_over_is_brought_to_its_exact_levels(
    void: Void, masking: dict[str, object], tmp_path: Path
) -> None:
    assert void("quadmask", *flat(masking)).returncode == 0
    for frame in FRAMES:
        rewrite(
            tmp_path / "q" / f"q.{frame}.exr", lambda channels: channels["R"][5:9, 7:11].fill(np.float16(127 / 255))
        )
    painted = masking["--out"]
    del masking["--roto"]
    exact = {"--quadmask": painted, "--out": tmp_path / "exact" / "q.%04d.exr"}
    assert void("quadmask", *flat(masking | exact)).returncode == 0
    red = read_frame(tmp_path / "exact" / "q.1004.exr").channel("R")
    assert (red[5:9, 7:11] == np.float32(127) / np.float32(255)).all()
    onto_itself = void("quadmask", *flat(masking | {"--quadmask": painted}), "--overwrite")
    assert onto_itself.returncode == 2
    assert "would overwrite the quadmask" in onto_itself.stderr


def test_what_can_not_be_a_quadmask_is_named_and_nothing_is_written(
    void: Void, masking: dict[str, object], shot: Path, tmp_path: Path
) -> None:
    roto = masking.pop("--roto")
    for change, words in [
        ({}, ["--roto", "--quadmask", "one of the two"]),
        ({"--roto": roto, "--frames": "1001-1008"}, ["frames 1007, 1008 of plate.%04d.exr are missing"]),
        ({"--quadmask": shot / "plate.%04d.exr"}, ["frame 1001 of plate.%04d.exr", "none of 0, 63, 127, 255"]),
    ]:
        done = void("quadmask", *flat(masking | change))
        assert done.returncode == 2, done.stderr
        assert all(word in done.stderr for word in words), done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "q").exists()


def test_attach_takes_up_a_quadmask_too(void: Void, client: Client, shot: Path, tmp_path: Path) -> None:
    inputs = {name: FileSequence(shot, f"{name}.%04d.exr") for name in ("plate", "roto")}
    job = client.submit(Job(FrameRange(1001, 1006), inputs, "", {}, result="quadmask"))
    follow(client, job, on_frame=lambda *_: None, inputs=inputs)
    done = void("attach", job, "--out", tmp_path / "late" / "q.####.exr", "--server", client.address)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "late").glob("q.*.exr"))) == 6
    assert json.loads((tmp_path / "late" / "manifest.json").read_text())["result"] == "quadmask"


def test_help_names_every_option(void: Void) -> None:
    text = void("quadmask", "--help", env={"COLUMNS": "200"}).stdout
    for name in ("plate", "roto", "affected", "frames", "out", "server", "serve", "weights", "overwrite", "json"):
        assert f"--{name}" in text
    assert "VOID_QUADMASK_PLATE" in text
    assert "quadmask" in void("--help").stdout


def test_an_overlay_to_look_at(void: Void, masking: dict[str, object], tmp_path: Path) -> None:
    sheet = tmp_path / "look.png"
    done = void("quadmask", *flat(masking), "--overlay", sheet)
    assert done.returncode == 0, done.stderr
    with Image.open(sheet) as picture:
        assert picture.width > 400
    refused = void("quadmask", *flat(masking), "--overwrite", "--overlay", tmp_path / "look.gif")
    assert refused.returncode == 2
    assert ".png" in refused.stderr
    assert ".mp4" in refused.stderr
