"""CURVE keys: a pair for a server or a client, and the public keys that a server allows. One folder holds them:

    void.key_secret      the pair; readable by its owner alone
    void.key             its public half, to be passed on
    allowed/ana.key      on a server: who may use it

Public keys are 40 characters of Z85, as ZeroMQ writes them.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import zmq.auth
from zmq.utils import z85

from .errors import BadInput

DEFAULT_FOLDER = Path.home() / ".config" / "void" / "keys"
FOLDER_VARIABLE = "VOID_KEYS"
SERVER_VARIABLE = "VOID_SERVER_KEY"
PAIR = "void"
ALLOWED = "allowed"
_NAME = re.compile(r"^[A-Za-z0-9._@-]{1,64}$")


@dataclass(frozen=True)
class Pair:
    """A key pair, in Z85."""

    public: bytes
    secret: bytes


def folder_or_default() -> Path:
    """The folder of keys that the environment names, or the usual one."""
    return Path(os.environ.get(FOLDER_VARIABLE, "").strip() or DEFAULT_FOLDER)


def new_pair(folder: Path) -> Pair:
    """Make a pair in a folder. Raises BadInput where there is one already, or it can't be written."""
    secret = folder / f"{PAIR}.key_secret"
    if secret.exists():
        raise BadInput(
            f"{secret} exists already: keep it, or remove it to make another (its owner must then be allowed anew)"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        before = os.umask(0o077)  # the secret is nobody else's for a moment, either
        try:
            zmq.auth.create_certificates(folder, PAIR)
            while read_pair(folder).public.startswith(b"-"):  # a command line would take it for an option
                zmq.auth.create_certificates(folder, PAIR)
        finally:
            os.umask(before)
    except OSError as error:
        raise BadInput(f"{folder} can't be written ({error.strerror}): name another folder with --keys") from error
    return read_pair(folder)


def read_pair(folder: Path) -> Pair:
    """The pair of a folder. Raises BadInput."""
    path = folder / f"{PAIR}.key_secret"
    try:
        public, secret = zmq.auth.load_certificate(path)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} is no key pair ({error}): make one with `void keys new --keys {folder}`") from error
    if secret is None:
        raise BadInput(f"{path} has no secret key: make a pair with `void keys new --keys {folder}`")
    return Pair(public, secret)


def check_public(key: str) -> bytes:
    """A public key as it was passed on. Raises BadInput."""
    try:
        if len(key) == 40 and len(z85.decode(key)) == 32:
            return key.encode("ascii")
    except (ValueError, KeyError, UnicodeEncodeError):
        pass
    raise BadInput("that is no public key: it has 40 characters, as `void keys new` prints it")


def allow(folder: Path, name: str, key: str) -> None:
    """Let the owner of a public key use the server of this folder, under a name. Raises BadInput."""
    public = check_public(key)
    try:
        (folder / ALLOWED).mkdir(parents=True, exist_ok=True)
        _entry(folder, name).write_bytes(public + b"\n")
    except OSError as error:
        raise BadInput(f"{folder} can't be written ({error.strerror}): name another folder with --keys") from error


def revoke(folder: Path, name: str) -> None:
    """Let somebody use the server no more, from the next message on. Raises BadInput."""
    try:
        _entry(folder, name).unlink()
    except FileNotFoundError as error:
        names = ", ".join(sorted(allowed(folder).values())) or "nobody"
        raise BadInput(f"'{name}' is not allowed in {folder}; allowed: {names}") from error


def allowed(folder: Path) -> dict[str, str]:
    """Names by public key. A file that is no key lets nobody in."""
    found = {}
    for path in sorted((folder / ALLOWED).glob("*.key")):
        try:
            found[check_public(path.read_text("ascii").strip()).decode()] = path.stem
        except (OSError, ValueError, BadInput):
            continue
    return found


def _entry(folder: Path, name: str) -> Path:
    if not _NAME.match(name):
        raise BadInput(f"'{name}' is no name for a key: letters, digits and ._@- only")
    return folder / ALLOWED / f"{name}.key"
