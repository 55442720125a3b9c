"""`void weights` as a user meets it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import Void
from model.hub_server import Hub, serving

BASE = "CogVideoX-Fun-V1.5-5b-InP"


@pytest.fixture(scope="module")
def folder(void: Void, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small random weights; not to be written to."""
    path = tmp_path_factory.mktemp("weights") / "tiny"
    assert void("weights", "tiny", path).returncode == 0
    return path


def test_weights_are_fetched_verified_and_planned(void: Void, folder: Path, tmp_path: Path) -> None:
    with serving(Hub({"netflix/void-model": folder, f"alibaba-pai/{BASE}": folder / BASE})) as hub:
        environment = {"HF_ENDPOINT": hub.url}
        first = void("weights", "fetch", tmp_path / "w", env=environment)
        assert first.returncode == 0, first.stderr
        assert "files, " in first.stderr.splitlines()[0]
        assert "are to come" in first.stderr.splitlines()[0]
        assert first.stdout.strip().endswith("whole")
        hub.bodies.clear()
        again = void("weights", "fetch", tmp_path / "w", env=environment)
        assert (again.returncode, again.stderr, hub.bodies) == (0, "", [])
    verified = void("weights", "verify", tmp_path / "w", "--json")
    assert verified.returncode == 0, verified.stderr
    assert json.loads(verified.stdout) == {"whole": True, "hashed": True, "problems": []}
    planned = void("weights", "plan", tmp_path / "w", "--free-gb", 24, "--json")
    assert json.loads(planned.stdout)["taken"] == "resident"
    assert [plan["name"] for plan in json.loads(planned.stdout)["plans"]] == ["resident", "swap", "fp8"]


def test_a_hub_out_of_reach_is_one_line(void: Void, tmp_path: Path) -> None:
    done = void("weights", "fetch", tmp_path / "w", env={"HF_ENDPOINT": "http://127.0.0.1:9"})
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "can't be reached" in done.stderr
    assert "copy the whole folder from a machine that has it" in done.stderr
    assert not (tmp_path / "w").exists()


def test_damage_is_listed_and_said_by_status(void: Void, folder: Path, tmp_path: Path) -> None:
    spoilt = shutil.copytree(folder, tmp_path / "w")
    for name in ("void_pass1.safetensors", "void_pass2.safetensors"):
        (spoilt / name).write_bytes((spoilt / name).read_bytes()[:-9])
    done = void("weights", "verify", spoilt)
    assert (done.returncode, done.stdout) == (2, "")
    assert "has no hashes.json" in done.stderr
    assert "void_pass1.safetensors: is not a whole safetensors file" in done.stderr
    assert "void_pass2.safetensors: is not a whole safetensors file" in done.stderr


def test_a_plan_is_shown_without_a_card_and_refused_where_none_fits(void: Void, folder: Path) -> None:
    shown = void("weights", "plan", folder, env={"CUDA_VISIBLE_DEVICES": ""})
    assert shown.returncode == 0, shown.stderr
    assert "there is no card in this machine" in shown.stdout
    assert [line.split()[0] for line in shown.stdout.splitlines()[1:4]] == ["resident", "swap", "fp8"]
    refused = void("weights", "plan", folder, "--free-gb", 0.5)
    assert refused.returncode == 2
    assert "the model does not fit: 0.5 GiB" in refused.stderr
    assert "fp8" in refused.stdout, "the table is shown all the same"


def test_tiny_weights_don_t_go_over_others(void: Void, folder: Path) -> None:
    done = void("weights", "tiny", folder)
    assert done.returncode == 2
    assert "not empty; name a new folder" in done.stderr
    assert "Traceback" not in done.stderr
