"""Fetching weights from a hub that runs in this process and speaks its protocol over real HTTP."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from model.hub_server import Hub, ask_only, serving

from void_server.model import BadWeights, WeightsFolder, hub

BASE = "CogVideoX-Fun-V1.5-5b-InP"
DECOYS = ("transformer/diffusion_pytorch_model.safetensors", "vae/pickled.bin", "README.md")


def quiet(what: str, done: int, size: int) -> None: ...


@pytest.fixture
def remote(tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The two repositories as they are published, with files that are not needed."""
    void, base = tmp_path / "hub" / "void", tmp_path / "hub" / "base"
    void.mkdir(parents=True)
    for number in (1, 2):
        shutil.copy(tiny_folder / f"void_pass{number}.safetensors", void)
    shutil.copytree(tiny_folder / BASE, base)
    for decoy in DECOYS:
        (base / decoy).write_bytes(b"eleven gigabytes")
    with serving(Hub({hub.VOID_REPO: void, hub.BASE_REPO: base})) as served:
        ask_only(served, monkeypatch)
        yield served


def fetch(folder: Path, progress: hub.Progress = quiet) -> list[hub.RemoteFile]:
    absent = hub.missing(folder, hub.list_files(), progress)
    hub.fetch(folder, absent, progress)
    return absent


def asked_for(remote: Hub) -> list[str]:
    return [name for name, _ in remote.bodies]


def test_what_is_needed_is_fetched_and_nothing_else(remote: Hub, tiny_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    fetch(folder)
    WeightsFolder.find(folder)
    expected = {path.relative_to(tiny_folder) for path in tiny_folder.rglob("*") if path.is_file()}
    got = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert got == expected - {Path("card.json")} | {Path("hashes.json")}
    for path in got - {Path("hashes.json")}:
        assert (folder / path).read_bytes() == (tiny_folder / path).read_bytes()
    assert not set(DECOYS) & set(asked_for(remote))
    assert len(asked_for(remote)) == len(got) - 1, "each file is asked for once"


def test_hashes_are_written_with_where_each_file_is_from(remote: Hub, tmp_path: Path) -> None:
    fetch(tmp_path / "weights")
    hashes = json.loads((tmp_path / "weights" / "hashes.json").read_text())
    for place, noted in hashes.items():
        content = (tmp_path / "weights" / place).read_bytes()
        assert noted == {
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            "repo": hub.BASE_REPO if place.startswith(BASE) else hub.VOID_REPO,
            "revision": remote.commit,
        }
    assert f"{BASE}/vae/config.json" in hashes, "files without LFS too"


def test_what_is_to_come_is_known_beforehand(remote: Hub, tiny_folder: Path, tmp_path: Path) -> None:
    files = hub.list_files()
    expected = sum(
        path.stat().st_size for path in tiny_folder.rglob("*") if path.is_file() and path.name != "card.json"
    )
    assert hub.bytes_to_come(tmp_path, hub.missing(tmp_path, files, quiet)) == expected
    assert not remote.bodies


def test_a_connection_that_breaks_is_taken_up_where_it_broke(remote: Hub, tiny_folder: Path, tmp_path: Path) -> None:
    name = "void_pass1.safetensors"
    remote.drop_once = {name}
    seen: list[int] = []
    fetch(tmp_path / "weights", lambda what, done, size: seen.append(done) if what == f"fetching {name}" else None)
    assert (tmp_path / "weights" / name).read_bytes() == (tiny_folder / name).read_bytes()
    ranges = [wanted for asked, wanted in remote.bodies if asked == name]
    assert ranges[0] is None
    assert len(ranges) == 2
    half = (tiny_folder / name).stat().st_size // 2
    assert half - 4096 < int(ranges[1].removeprefix("bytes=").rstrip("-")) <= half
    assert seen == sorted(seen), "the meter does not go back"


def test_a_later_run_goes_on_where_an_earlier_one_gave_up(remote: Hub, tiny_folder: Path, tmp_path: Path) -> None:
    name, folder = "void_pass2.safetensors", tmp_path / "weights"
    files = [file for file in hub.list_files() if file.name == name]

    def impatient(what: str, done: int, size: int) -> None:
        if done > size // 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hub.fetch(folder, files, impatient)
    assert not (folder / name).exists(), "a part does not pass for the file"
    remote.bodies.clear()
    size = (tiny_folder / name).stat().st_size
    assert 0 < hub.bytes_to_come(folder, files) < size
    hub.fetch(folder, files, quiet)
    assert (folder / name).read_bytes() == (tiny_folder / name).read_bytes()
    assert [wanted is not None for _, wanted in remote.bodies] == [True]


def test_a_hub_that_keeps_breaking_off_is_given_up_and_what_came_is_kept(
    remote: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    remote.drop_always = {"void_pass1.safetensors"}
    with pytest.raises(BadWeights, match=r"broke off .*: fetch again to go on from here"):
        fetch(tmp_path / "weights")
    [part] = (tmp_path / "weights").glob("void_pass1*.part")
    assert part.stat().st_size > 0
    assert not (tmp_path / "weights" / "void_pass1.safetensors").exists()


@pytest.mark.parametrize("damage", ["{", '{"void_pass1.safetensors": 3}'])
def test_a_damaged_list_of_hashes_is_named(tmp_path: Path, damage: str) -> None:
    (tmp_path / "hashes.json").write_text(damage)
    with pytest.raises(BadWeights, match=r"hashes.json .*remove it and fetch the weights again"):
        hub.read_hashes(tmp_path)


def test_a_second_run_asks_for_no_file(remote: Hub, tmp_path: Path) -> None:
    fetch(tmp_path / "weights")
    remote.bodies.clear()
    assert fetch(tmp_path / "weights") == []
    (tmp_path / "weights" / "void_pass2.safetensors").unlink()
    assert [file.name for file in fetch(tmp_path / "weights")] == ["void_pass2.safetensors"]
    assert asked_for(remote) == ["void_pass2.safetensors"]


def test_files_that_were_copied_here_are_recognised(remote: Hub, tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "weights")
    assert fetch(folder) == []
    assert remote.bodies == []
    assert "void_pass1.safetensors" in json.loads((folder / "hashes.json").read_text())


def test_a_changed_file_is_fetched_again(remote: Hub, tmp_path: Path) -> None:
    fetch(tmp_path / "weights")
    remote.bodies.clear()
    remote.commit = "d1" * 20
    for path in (
        remote.repos[hub.VOID_REPO] / "void_pass1.safetensors",
        remote.repos[hub.BASE_REPO] / "model_index.json",
    ):
        path.write_bytes(path.read_bytes().swapcase())
    fetch(tmp_path / "weights")
    assert sorted(asked_for(remote)) == ["model_index.json", "void_pass1.safetensors"]


@pytest.mark.parametrize("name", ["void_pass1.safetensors", "vae/config.json"])
def test_a_file_that_arrives_damaged_is_refused(remote: Hub, tmp_path: Path, name: str) -> None:
    remote.spoil = {name}
    with pytest.raises(BadWeights, match=rf"{name} arrived damaged .*fetch it again"):
        fetch(tmp_path / "weights")
    assert not list((tmp_path / "weights").rglob(f"{Path(name).name}.*part"))
    remote.spoil = set()
    assert name in [file.name for file in fetch(tmp_path / "weights")]


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ((403, "GatedRepo"), r"netflix/void-model is gated: accept its terms .*hf auth login.*copy the whole folder"),
        ((404, "RepoNotFound"), r"has no netflix/void-model, or shows it to members only.*copy the whole folder"),
        ((404, "RevisionNotFound"), r"netflix/void-model has no revision v9: name one"),
        ((500, ""), r"refuses netflix/void-model \(.*500.*\): try later"),
    ],
)
def test_a_hub_that_refuses_is_explained(remote: Hub, refusal: tuple[int, str], words: str) -> None:
    remote.refusal = refusal
    with pytest.raises(BadWeights, match=words) as refused:
        hub.list_files(revision="v9")
    assert "\n" not in str(refused.value)


def test_a_hub_that_cannot_be_reached_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(BadWeights, match=r"http://127.0.0.1:9 broke off or can't be reached .*HF_ENDPOINT, or copy"):
        hub.list_files()


def test_a_hub_does_not_say_where_files_are_written(remote: Hub) -> None:
    listing = remote.listing(hub.BASE_REPO)
    listing["siblings"] += [{"rfilename": "vae/../../../escaped", "size": 1, "blobId": "00"}]  # type: ignore[operator]
    remote.listing = lambda repo: listing if repo == hub.BASE_REPO else Hub.listing(remote, repo)  # type: ignore[method-assign]
    assert not [file for file in hub.list_files() if ".." in file.place]


def test_a_disk_that_fills_up_on_the_way_is_not_the_hub_s_fault(remote: Hub, tmp_path: Path) -> None:
    def full(what: str, done: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(BadWeights, match=r"void_pass1.safetensors can't be written \(No space left.*check the disk"):
        hub.fetch(tmp_path / "weights", hub.list_files(), full)


def test_a_full_disk_is_noticed_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 10 * hub.GIB))
    hub.refuse_full_disk(tmp_path / "new" / "weights", 10 * hub.GIB)
    with pytest.raises(BadWeights, match=r"32.0 GiB are to come and 10.0 GiB are free .*another disk"):
        hub.refuse_full_disk(tmp_path / "new" / "weights", 32 * hub.GIB)
