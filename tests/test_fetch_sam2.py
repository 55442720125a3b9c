"""`void weights fetch --sam2`, `verify` and `tiny --sam2`, over a hub on this machine that has a random SAM 2."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Void
from model.hub_server import Hub, ask_only, serving
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner, Result

from void_server.masks.sam2 import Sam2
from void_server.sam2_weights import verify
from void_server.training.tiny_sam2 import write_random_sam2
from void_server.weights_cli import app

PUBLISHED = "facebook/sam2.1-hiera-large"
WEIGHTS = "model.safetensors"
DECOYS = ("sam2.1_hiera_large.pt", "sam2.1_hiera_l.yaml", "processor_config.json", "old/model.safetensors")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random SAM 2; not to be written to."""
    folder = tmp_path_factory.mktemp("sam2") / "tiny"
    write_random_sam2(folder)
    return folder


@pytest.fixture
def remote(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """SAM 2's repository as it is published, with what is not needed."""
    root = shutil.copytree(tiny, tmp_path / "hub" / "large")
    for decoy in DECOYS:
        (root / decoy).parent.mkdir(exist_ok=True)
        (root / decoy).write_bytes(b"not needed")
    with serving(Hub({PUBLISHED: root})) as served:
        ask_only(served, monkeypatch)
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        yield served


def weights(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def problems(folder: Path) -> dict[str, str]:
    """What `verify --json` says, by file; a file with several problems has them joined."""
    done = weights("verify", folder, "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code == 0) == told["whole"] == (not told["problems"])
    by_file: dict[str, str] = {}
    for problem in told["problems"]:
        name = Path(problem["file"]).relative_to(folder).as_posix()
        by_file[name] = " | ".join(filter(None, [by_file.get(name), problem["problem"]]))
    return by_file


def test_the_two_files_are_fetched_and_nothing_else(remote: Hub, tiny: Path, tmp_path: Path) -> None:
    done = weights("fetch", tmp_path / "w", "--sam2")
    assert done.exit_code == 0, done.output
    place = tmp_path / "w" / "sam2"
    assert done.stdout == f"{place}: 2 files, 4.0 MiB, whole; `void serve --sam2 {place}` uses it\n"
    assert "2 of 2 files, 4.0 MiB, are to come" in done.stderr.splitlines()[0]
    assert files_below(tmp_path / "w") == {"sam2/config.json", f"sam2/{WEIGHTS}", "sam2/hashes.json"}
    assert sorted(name for name, _ in remote.bodies) == ["config.json", WEIGHTS]
    assert (place / WEIGHTS).read_bytes() == (tiny / WEIGHTS).read_bytes()
    Sam2.load(place)
    remote.bodies.clear()
    again = weights("fetch", tmp_path / "w", "--sam2")
    assert (again.exit_code, again.stdout, again.stderr, remote.bodies) == (0, done.stdout, "", [])


@pytest.mark.parametrize("size", ["tiny", "small", "base-plus", "large"])
def test_a_size_names_the_repository(remote: Hub, tmp_path: Path, size: str) -> None:
    remote.repos = {f"facebook/sam2.1-hiera-{size}": remote.repos[PUBLISHED]}
    done = weights("fetch", tmp_path / "w", "--sam2", size)
    assert done.exit_code == 0, done.output
    noted = json.loads((tmp_path / "w" / "sam2" / "hashes.json").read_text())
    assert {entry["repo"] for entry in noted.values()} == {f"facebook/sam2.1-hiera-{size}"}


def test_a_size_that_there_is_not_and_one_without_sam2_are_refused(remote: Hub, tmp_path: Path) -> None:
    unknown = weights("fetch", tmp_path / "w", "--sam2", "huge")
    assert unknown.exit_code == 2
    assert all(size in unknown.stderr for size in ("huge", "tiny", "small", "base-plus", "large"))
    alone = weights("fetch", tmp_path / "w", "small")
    assert alone.exit_code == 2
    assert alone.stderr == "void: small is a size of SAM 2: give --sam2 too, or leave the size out\n"
    assert not (tmp_path / "w").exists()


def test_a_revision_is_sam2_s_own(remote: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    answer = Hub.listing
    monkeypatch.setattr(Hub, "listing", lambda hub, repo: asked.append(repo) or answer(hub, repo))  # type: ignore[func-returns-value]
    remote.refusal = (404, "RevisionNotFound")
    refused = weights("fetch", tmp_path / "w", "--sam2", "--sam2-revision", "v9", "--revision", "v1")
    assert refused.exit_code == 2
    assert f"{PUBLISHED} has no revision v9: name one" in refused.stderr
    remote.refusal = None
    assert weights("fetch", tmp_path / "w", "--sam2", "--base-revision", "v1").exit_code == 0
    assert asked == [PUBLISHED], "VOID's own repositories are left alone"


def test_a_broken_download_is_taken_up_by_the_next_run(remote: Hub, tiny: Path, tmp_path: Path) -> None:
    remote.drop_always = {WEIGHTS}
    broken = weights("fetch", tmp_path / "w", "--sam2")
    assert broken.exit_code == 2
    assert "fetch again to go on from here" in broken.stderr
    place = tmp_path / "w" / "sam2"
    [part] = place.glob("*.part")
    have, size = part.stat().st_size, (tiny / WEIGHTS).stat().st_size
    assert size // 3 < have < size
    assert problems(tmp_path / "w" / "sam2") == {WEIGHTS: "is missing; fetch the weights again"}
    remote.drop_always = set()
    remote.bodies.clear()
    assert weights("fetch", tmp_path / "w", "--sam2").exit_code == 0
    assert remote.bodies == [(WEIGHTS, f"bytes={have}-")]
    assert (place / WEIGHTS).read_bytes() == (tiny / WEIGHTS).read_bytes()
    assert not list(place.glob("*.part"))


@pytest.mark.parametrize("name", ["config.json", WEIGHTS])
def test_a_wrong_hash_is_refused_and_fetched_again(remote: Hub, tmp_path: Path, name: str) -> None:
    remote.spoil = {name}
    spoilt = weights("fetch", tmp_path / "w", "--sam2")
    assert spoilt.exit_code == 2
    assert f"{name} arrived damaged (its hash is not the hub's); fetch it again" in spoilt.stderr
    assert not (tmp_path / "w" / "sam2" / name).exists()
    remote.spoil = set()
    assert weights("fetch", tmp_path / "w", "--sam2").exit_code == 0
    assert problems(tmp_path / "w" / "sam2") == {}


def test_a_repository_without_the_safetensors_is_refused(remote: Hub, tmp_path: Path) -> None:
    (remote.repos[PUBLISHED] / WEIGHTS).unlink()
    done = weights("fetch", tmp_path / "w", "--sam2")
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"{PUBLISHED} at its newest has no {WEIGHTS}; name another revision" in done.stderr
    assert not (tmp_path / "w").exists()


def test_a_full_disk_is_noticed_beforehand(remote: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 4_000_000))
    done = weights("fetch", tmp_path / "w", "--sam2")
    assert done.exit_code == 2
    assert f"are free on the disk of {tmp_path / 'w' / 'sam2'}; make room there" in done.stderr
    assert remote.bodies == []


def test_void_s_weights_are_verified_with_the_sam2_beside_them(remote: Hub, tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "w")
    assert weights("verify", folder).stdout == f"{folder}: whole, as far as can be told without hashes\n"
    assert weights("fetch", folder, "--sam2").exit_code == 0
    place = folder / "sam2"
    both = weights("verify", folder)
    assert both.exit_code == 0, both.output
    assert both.stdout == f"{folder}: whole, as far as can be told without hashes\n{place}: whole\n"
    assert json.loads(weights("verify", place, "--json").stdout) == {"whole": True, "hashed": True, "problems": []}
    assert json.loads(weights("verify", folder, "--json").stdout)["hashed"] is False, "VOID's are not"
    content = bytearray((place / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (place / WEIGHTS).write_bytes(content)
    assert list(problems(folder)) == [f"sam2/{WEIGHTS}"]
    assert "its sha256 is not the one in hashes.json" in problems(folder)[f"sam2/{WEIGHTS}"]
    one = weights("verify", folder)
    assert one.exit_code == 2
    assert one.stdout == f"{folder}: whole, as far as can be told without hashes\n"


def test_a_config_left_in_void_s_folder_doesn_t_make_it_a_sam2(tiny: Path, tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "w")
    shutil.copy(tiny / "config.json", folder)
    assert problems(folder) == {}
    (folder / "void_pass2.safetensors").unlink()
    assert list(problems(folder)) == ["void_pass2.safetensors"]


def test_a_file_that_went_missing_is_one_problem(remote: Hub, tmp_path: Path) -> None:
    assert weights("fetch", tmp_path, "--sam2").exit_code == 0
    for name in ("config.json", WEIGHTS):
        away = (tmp_path / "sam2" / name).rename(tmp_path / name)
        assert problems(tmp_path / "sam2") == {name: "is missing; fetch the weights again"}
        away.rename(tmp_path / "sam2" / name)


def test_a_sam2_without_hashes_is_checked_in_all_other_ways(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "copy")
    assert weights("verify", folder).stdout == f"{folder}: whole, as far as can be told without hashes\n"
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[:-10])
    assert problems(folder)[WEIGHTS].startswith("is not a whole safetensors file")
    (folder / WEIGHTS).write_bytes(whole)
    (folder / "config.json").unlink()
    assert problems(folder) == {"config.json": "is missing; fetch the weights again"}
    for content, words in {
        "{": "cannot be read",
        '{"model_type": "sam"}': "describes a model of type sam, not sam2_video",
        '{"model_type": "sam2_video", "num_maskmem": "seven"}': "describes no SAM 2 that can be built",
    }.items():
        (folder / "config.json").write_text(content)
        assert problems(folder)["config.json"].startswith(words)


def test_files_of_two_sizes_don_t_pass_for_one(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "mixed")
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["backbone_config"]["blocks_per_stage"] = [1, 1, 3, 1]
    (folder / "config.json").write_text(json.dumps(config))
    assert problems(folder)[WEIGHTS].startswith("is not of the model in config.json: missing: vision_encoder.")
    assert problems(folder)[WEIGHTS].endswith("fetch both again")


def test_a_tensor_that_the_model_does_not_know_is_no_problem(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "more")
    tensors = load_file(folder / WEIGHTS)
    save_file(tensors | {"optimizer_step": tensors["no_object_pointer"].clone()}, folder / WEIGHTS, {"format": "pt"})
    Sam2.load(folder)
    assert verify(folder, lambda what, done, size: None) == []


def test_the_command_fetches_and_makes_a_sam2(void: Void, tiny: Path, tmp_path: Path) -> None:
    with serving(Hub({PUBLISHED: tiny})) as hub:
        done = void("weights", "fetch", "--sam2", tmp_path / "w", "large", env={"HF_ENDPOINT": hub.url})
    assert done.returncode == 0, done.stderr
    made = void("weights", "tiny", tmp_path / "t", "--sam2")
    assert made.returncode == 0, made.stderr
    place = tmp_path / "t" / "sam2"
    assert "its masks mean nothing" in made.stdout
    assert f"`void serve --sam2 {place}` uses it" in made.stdout
    assert files_below(tmp_path / "t") == {"sam2/config.json", f"sam2/{WEIGHTS}"}
    assert (place / WEIGHTS).read_bytes() == (tmp_path / "w" / "sam2" / WEIGHTS).read_bytes(), "seed 0 too"


def test_a_sam2_is_made_beside_void_s_tiny_weights(tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "w")
    before = files_below(folder)
    assert weights("tiny", folder, "--sam2").exit_code == 0
    assert files_below(folder) - before == {"sam2/config.json", f"sam2/{WEIGHTS}"}
    assert problems(folder) == {}
    again = weights("tiny", folder, "--sam2")
    assert again.exit_code == 2
    assert again.stderr == f"void: {folder / 'sam2' / WEIGHTS} is there already; name a new folder\n"


def test_help_tells_of_sam2(void: Void) -> None:
    fetch = void("weights", "fetch", "--help", env={"COLUMNS": "200"}).stdout
    assert "--sam2 " in fetch
    assert "FOLDER/sam2" in fetch
    assert "tiny|small|base-plus|large" in fetch
    assert "--sam2-revision" in fetch
    assert "--sam2 " in void("weights", "tiny", "--help").stdout
