"""Fetching the weights from a Hugging Face hub: only what is needed, resumed where it broke off, checked when whole.

The client's own download to a folder starts a file anew after an interruption; here a part stays beside the file that
it will become, since the largest files have eleven gigabytes.
"""

import hashlib
import io
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from void_server.model.weights import HASHES, PASS_FILES, BadWeights, Progress, write_whole

VOID_REPO = "netflix/void-model"
BASE_REPO = "alibaba-pai/CogVideoX-Fun-V1.5-5b-InP"
BASE_FILES = (
    "model_index.json",
    "scheduler/*",
    "text_encoder/*",
    "tokenizer/*",
    "transformer/config.json",
    "vae/*",
)
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
GIB = 2**30
_READ = 2**24
ELSEWHERE = "or copy the whole folder from a machine that has it: nothing else is needed"


@dataclass(frozen=True)
class RemoteFile:
    """A file on the hub and its place in the weights folder. sha256: of large files; blob: git's SHA-1 of any."""

    repo: str
    revision: str
    name: str
    place: str
    size: int
    sha256: str | None
    blob: str


def list_files(*, revision: str | None = None, base_revision: str | None = None) -> list[RemoteFile]:
    """All files of a weights folder, as the hub at $HF_ENDPOINT has them now. Raises BadWeights."""
    base = BASE_REPO.rpartition("/")[2]
    return list_repo(VOID_REPO, revision, PASS_FILES, "") + list_repo(BASE_REPO, base_revision, BASE_FILES, f"{base}/")


def list_repo(repo: str, revision: str | None, wanted: Iterable[str], prefix: str) -> list[RemoteFile]:
    """The files of one repository whose names fit a pattern of `wanted`, each to be placed under `prefix`.

    Raises BadWeights, also for a pattern that no file fits. Pickles are never among them.
    """
    from huggingface_hub import HfApi

    try:
        info = HfApi().model_info(repo, revision=revision, files_metadata=True)
    except _network_errors() as error:
        raise _explained(error, repo, revision) from error
    files = [
        RemoteFile(
            repo=repo,
            revision=str(info.sha),
            name=sibling.rfilename,
            place=prefix + sibling.rfilename,
            size=sibling.size or 0,
            sha256=sibling.lfs.sha256 if sibling.lfs else None,
            blob=sibling.blob_id or "",
        )
        for sibling in info.siblings or []
        if any(fnmatch(sibling.rfilename, pattern) for pattern in wanted) and _is_safe(sibling.rfilename)
    ]
    absent = [pattern for pattern in wanted if not any(fnmatch(file.name, pattern) for file in files)]
    if absent:
        raise BadWeights(f"{repo} at {revision or 'its newest'} has no {', '.join(absent)}; name another revision")
    return files


def missing(folder: Path, files: Iterable[RemoteFile], progress: Progress) -> list[RemoteFile]:
    """Those of `files` that `folder` does not have whole. A file that hashes.json vouches for is not read again."""
    known = read_hashes(folder)
    return [file for file in files if not _is_there(folder, file, known, progress)]


def bytes_to_come(folder: Path, files: Iterable[RemoteFile]) -> int:
    """Bytes still to be downloaded; the parts of an interrupted download are not among them."""
    return sum(file.size - _part_size(_part(folder, file), file) for file in files)


def refuse_full_disk(folder: Path, needed: int) -> None:
    """Raise BadWeights where the disk under `folder` has less than `needed` bytes free."""
    standing = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(standing).free
    if free < needed:
        raise BadWeights(
            f"{needed / GIB:.1f} GiB are to come and {free / GIB:.1f} GiB are free on the disk of {folder}; "
            "make room there, or name a folder on another disk"
        )


def fetch(folder: Path, files: Iterable[RemoteFile], progress: Progress) -> None:
    """Download `files` into `folder` and note their hashes in hashes.json, each as soon as it is whole.

    progress(file, bytes, bytes in all) is called as bytes arrive. Raises BadWeights; what has arrived is kept.
    """
    for file in files:
        path = folder / file.place
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = _part(folder, file)
            _download(file, part, progress)
            sha256 = _checked_sha256(part, file, progress)
            part.replace(path)
            _note(folder, file, sha256)
        except OSError as error:
            raise BadWeights(f"{path} can't be written ({error.strerror or error}); check the disk") from error


def read_hashes(folder: Path) -> dict[str, Any]:
    """hashes.json: {place: {"sha256", "size", "repo", "revision"}}, or {} where there is none. Raises BadWeights."""
    path = folder / HASHES
    try:
        hashes = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadWeights(f"{path} cannot be read ({error}); remove it and fetch the weights again") from error
    if not isinstance(hashes, dict) or not all(isinstance(noted, dict) for noted in hashes.values()):
        raise BadWeights(f"{path} is not a list of files; remove it and fetch the weights again")
    return hashes


def sha256_of(path: Path, progress: Progress, digest: Any = None) -> str:
    """Hexadecimal sha256 of a file, read once. progress(name, bytes, bytes in all). Raises OSError."""
    digest = digest or hashlib.sha256()
    size, done = path.stat().st_size, 0
    with path.open("rb") as file:
        while piece := file.read(_READ):
            digest.update(piece)
            done += len(piece)
            progress(f"checking {path.name}", done, size)
    return str(digest.hexdigest())


def _is_safe(name: str) -> bool:
    # A hub's word decides where files are written; and pickles run code when they are opened.
    return ".." not in PurePosixPath(name).parts and not name.startswith("/") and not name.endswith(PICKLES)


def _is_there(folder: Path, file: RemoteFile, known: dict[str, Any], progress: Progress) -> bool:
    path = folder / file.place
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    noted = known.get(file.place, {}).get("sha256")
    # The hub gives no sha256 of a small file.
    whole = file.sha256 == (noted or sha256_of(path, progress)) if file.sha256 else file.blob == _git_blob(path)
    if whole and noted is None:
        _note(folder, file, file.sha256 or sha256_of(path, progress))
    return whole


def _part(folder: Path, file: RemoteFile) -> Path:
    # Named for its content, so that another revision's part is not continued.
    return folder / f"{file.place}.{(file.sha256 or file.blob)[:12]}.part"


def _part_size(part: Path, file: RemoteFile) -> int:
    return min(part.stat().st_size, file.size) if part.is_file() else 0


class _Counted(io.BufferedWriter):
    """A file that says how long it has become."""

    def __init__(self, path: Path, progress: Progress, name: str, size: int) -> None:
        super().__init__(io.FileIO(path, "ab"))
        self._say = partial(progress, f"fetching {name}")
        self._whole = size

    def write(self, buffer: Any) -> int:
        written = super().write(buffer)
        self._say(self.tell(), self._whole)
        return written


def _download(file: RemoteFile, part: Path, progress: Progress) -> None:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers, disable_progress_bars  # type: ignore[attr-defined]

    disable_progress_bars()  # ours shows the whole file, not what is left of it
    have = _part_size(part, file)
    try:
        with _Counted(part, progress, file.place, file.size) as counted:
            counted.truncate(have)
            http_get(
                hf_hub_url(file.repo, file.name, revision=file.revision),
                counted,
                resume_size=have,
                headers=build_hf_headers(),
                expected_size=file.size,
            )
    except _network_errors() as error:
        if isinstance(error, OSError) and error.errno and not isinstance(error, ConnectionError):
            raise  # the disk's, not the network's
        raise _explained(error, file.repo, file.revision) from error


def _checked_sha256(part: Path, file: RemoteFile, progress: Progress) -> str:
    sha256 = sha256_of(part, progress)
    if sha256 != file.sha256 if file.sha256 else _git_blob(part) != file.blob:
        part.unlink()
        raise BadWeights(f"{file.place} arrived damaged (its hash is not the hub's); fetch it again")
    return sha256


def _git_blob(path: Path) -> str:
    return sha256_of(path, _unseen, hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False))


def _unseen(what: str, done: int, size: int) -> None:
    pass


def _note(folder: Path, file: RemoteFile, sha256: str) -> None:
    noted = {"sha256": sha256, "size": file.size, "repo": file.repo, "revision": file.revision}
    hashes = read_hashes(folder) | {file.place: noted}
    write_whole(folder / HASHES, (json.dumps(hashes, indent=2, sort_keys=True) + "\n").encode())


def _network_errors() -> tuple[type[BaseException], ...]:
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError.__bases__  # the HTTP library's root error, of whichever library the client uses, and OSError


def _explained(error: BaseException, repo: str, revision: str | None) -> BadWeights:
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    hub = constants.ENDPOINT
    cause = str(error).partition("\n")[0] or type(error).__name__
    if isinstance(error, GatedRepoError):
        return BadWeights(
            f"{repo} is gated: accept its terms at {hub}/{repo}, log in with `hf auth login` and fetch again, "
            f"{ELSEWHERE}"
        )
    if isinstance(error, RepositoryNotFoundError):
        return BadWeights(f"{hub} has no {repo}, or shows it to members only: log in with `hf auth login`, {ELSEWHERE}")
    if isinstance(error, RevisionNotFoundError):
        return BadWeights(f"{repo} has no revision {revision}: name one that {hub}/{repo} lists, or leave it out")
    if isinstance(error, HfHubHTTPError):
        return BadWeights(f"{hub} refuses {repo} ({cause}): try later, {ELSEWHERE}")
    return BadWeights(
        f"{hub} broke off or can't be reached ({cause}): fetch again to go on from here, check the network, "
        f"name a mirror with HF_ENDPOINT, {ELSEWHERE}"
    )
