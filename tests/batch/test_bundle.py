"""What a bundle refuses, what card it asks for, and its tasks' commands on a farm of another kind."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import TINY_SETTINGS, Void
from edits import clip, sequence, span, write
from farm_machines import Worker
from void_client.bundle import USUAL_GPU_MEMORY, Bundle
from void_client.errors import BadInput
from void_client.farm_shots import FileShot, NodeShot, read_shots
from void_client.sequences import FileSequence, FrameRange

from void_server.model import WeightsFolder
from void_server.model.plan import Shape, Sizes, plans, weigh

MIB = 2**20
GIB = 2**30
FRAMES = FrameRange(1001, 1006)


def node(name: str) -> NodeShot:
    return NodeShot(name, FRAMES, Path("/shots/void/1/v001"))


def test_a_bundle_is_never_written_over(tmp_path: Path) -> None:
    Bundle("one", (node("VOID1"),)).write(tmp_path / "bundle")
    before = (tmp_path / "bundle" / "template.json").read_text()
    with pytest.raises(BadInput, match="is not empty"):
        Bundle("two", (node("VOID2"),)).write(tmp_path / "bundle")
    assert (tmp_path / "bundle" / "template.json").read_text() == before


@pytest.mark.parametrize("count", [0, 1025])
def test_no_shots_and_more_than_the_specification_has_room_for_are_refused(count: int, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=f"not {count}"):
        Bundle("job", tuple(node(f"VOID{number}") for number in range(count))).write(tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_shots_are_read_as_they_were_written(tmp_path: Path) -> None:
    shots = (
        node("Group1.VOID1"),
        FileShot("plain", FRAMES, {"plate": FileSequence(tmp_path, "plate.%04d.exr")}, FileSequence(tmp_path, "o.exr")),
        FileShot(
            name="full",
            frames=FrameRange(7, 7),
            inputs={"plate": FileSequence(tmp_path, "p.####.exr"), "roto": FileSequence(tmp_path, "r.exr")},
            out=FileSequence(tmp_path / "out", "o.%04d.exr"),
            prompt="an empty room",
            settings={"pass1": {"steps": 3}},
            hints=tmp_path / "hints.json",
            roto_keys=(7,),
            colourspace="ACEScg",
            ocio="ocio://studio-config-latest",
        ),
    )
    Bundle("job", shots).write(tmp_path / "bundle")
    assert tuple(read_shots(tmp_path / "bundle" / "shots.json").values()) == shots


def asked_memory(bundle: Path) -> int:
    (step,) = json.loads((bundle / "template.json").read_text())["steps"]
    amounts = {amount["name"]: amount["min"] for amount in step["hostRequirements"]["amounts"]}
    assert amounts["amount.worker.gpu"] == 1
    return int(amounts["amount.worker.gpu.memory"])


def test_the_card_is_that_of_the_plan_for_the_largest_shot(void: Void, tiny_folder: Path, tmp_path: Path) -> None:
    sizes = [{"height": 384, "width": 672}, {"height": 768, "width": 1344}, {"window": 45}]
    clips = [
        clip(f"SH{number}", sequence(count=6), span(1001, 6), roto="roto.exr", prompt="-", settings=settings)
        for number, settings in enumerate(sizes)
    ]
    timeline = write(tmp_path / "cut.otio", *clips)
    options = ["--results", tmp_path / "out", "--weights", tiny_folder, "--plan", "fp8"]
    done = void("farm", "bundle", timeline, "--out", tmp_path / "bundle", *options)
    assert done.returncode == 0, done.stderr
    found = WeightsFolder.find(tiny_folder)
    offered = plans(weigh(found.base, (found.pass1, found.pass2)), Shape(768, 1344, 85))
    (peak,) = [plan.peak for plan in offered if plan.name == "fp8"]
    assert 0 <= asked_memory(tmp_path / "bundle") * MIB - peak < MIB


def test_without_weights_it_is_what_the_published_ones_need_to_be_swapped() -> None:
    """Sizes as in docs/weights.md; widths are the plan's own for the published configs."""
    whole, half = round(10.4 * GIB), round(5.5 * GIB)
    sizes = Sizes((whole, whole), (half, half), round(0.4 * GIB), round(8.9 * GIB), 3072, 128, 256, 2)
    resident, swap, _ = plans(sizes, Shape())
    assert swap.peak <= USUAL_GPU_MEMORY * MIB < min(swap.peak + GIB, resident.peak)


def test_clips_that_cant_be_done_are_named_and_left_out(void: Void, tmp_path: Path) -> None:
    good = clip("SH010", sequence(count=6), span(1001, 6), roto="roto.%04d.exr", prompt="-")
    bad = clip("SH020", sequence(count=6), span(1001, 6), prompt="-")
    timeline = write(tmp_path / "cut.otio", good, bad)
    done = void("farm", "bundle", timeline, "--out", tmp_path / "bundle", "--results", tmp_path / "out")
    assert done.returncode == 0
    assert "SH020 is left out: its mark needs a roto" in done.stderr
    assert list(read_shots(tmp_path / "bundle" / "shots.json")) == ["SH010"]
    done = void("farm", "bundle", write(tmp_path / "bad.otio", bad), "--out", tmp_path / "b", "--results", tmp_path)
    assert done.returncode == 2
    assert not (tmp_path / "b").exists()


SHELL = r"""
export VOID_SERVER=$(void farm start --session $TMP | sed -n 's/^openjd_env: VOID_SERVER=//p')
void farm task SH010 --shots BUNDLE/shots.json; status=$?
void farm stop --session $TMP; exit $status
"""


def test_a_shot_is_done_by_three_commands_on_any_farm(shot: Path, worker: Worker, void: Void, tmp_path: Path) -> None:
    document = (Path(__file__).parents[2] / "docs" / "farm.md").read_text()
    assert all(line in document for line in SHELL.split("\n")), "as documented"
    marked = clip("SH010", sequence(str(shot), count=6), span(1001, 6), roto=f"{shot}/roto.%04d.exr", prompt="-")
    marked.metadata["void"]["settings"] = str(tmp_path / "settings.toml")
    (tmp_path / "settings.toml").write_text(TINY_SETTINGS)
    timeline = write(tmp_path / "cut.otio", marked)
    done = void("farm", "bundle", timeline, "--out", tmp_path / "BUNDLE", "--results", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    (tmp_path / "session").mkdir()
    ran = subprocess.run(
        [shutil.which("sh") or "sh", "-c", SHELL],
        cwd=tmp_path,
        env={**worker.environment, "TMP": str(tmp_path / "session")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "openjd_status: SH010: done" in ran.stdout
    assert len(list((tmp_path / "out" / "SH010").glob("plate.*.exr"))) == 6
    assert worker.processes() == []
