"""`void doctor`: what is wrong with this set-up, in words, each with what to do. Nothing is changed."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from void_client import __version__, keys
from void_client.client import Client
from void_client.errors import BadInput, ServerUnreachable, VoidError

from .model import BadWeights, WeightsFolder
from .model.plan import GIB, Shape, choose, plans, weigh
from .service.journal import NAME, BadJournal, Journal

LITTLE_DISK = 50 * GIB  # a 4K shot of 200 frames needs about so much
LITTLE_MEMORY = 32 * GIB


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. level: "ok", "look" (it works, but) or "wrong" (it will not)."""

    level: Literal["ok", "look", "wrong"]
    about: str
    text: str


def examine(server: str, weights: Path | None, spool: Path, key_folder: Path) -> Iterator[Finding]:
    """Look at everything, one after the other."""
    yield Finding(
        "ok", "versions", f"VOID {__version__}, Python {platform.python_version()}, torch {torch.__version__}"
    )
    yield clock()
    yield card()
    yield memory()
    yield weights_found(weights)
    yield address(server)
    yield disk(spool)
    yield journal(spool)
    yield own_keys(key_folder)


def clock() -> Finding:
    """A clock that is behind the files it has written makes logs and certificates useless."""
    if time.time() < Path(__file__).stat().st_mtime:
        return Finding("wrong", "clock", "it is behind the time at which VOID was installed: set it (NTP)")
    return Finding("ok", "clock", time.strftime("%Y-%m-%d %H:%M:%S %z"))


def card() -> Finding:
    """Whether there are GPUs that torch can use."""
    if not torch.cuda.is_available():
        return Finding(
            "look",
            "GPU",
            "torch finds none: all works on the CPU, far too slowly for real shots. If there is one, see whether "
            f"`nvidia-smi` lists it, and for what torch was built (here: {torch.version.cuda or 'CPUs alone'})",
        )
    cards = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        cards.append(f"cuda:{index} {name}, {free / GIB:.1f} of {total / GIB:.1f} GiB free")
    return Finding("ok", "GPU", f"{'; '.join(cards)}; CUDA {torch.version.cuda}")


def memory() -> Finding:
    """Main memory: weights pass through it, and wait in it."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows
        return Finding("ok", "memory", "can't be told on this system")
    if total < LITTLE_MEMORY:
        return Finding(
            "look", "memory", f"{total / GIB:.0f} GiB: the real weights want {LITTLE_MEMORY / GIB:.0f} or more"
        )
    return Finding("ok", "memory", f"{total / GIB:.0f} GiB")


def weights_found(folder: Path | None) -> Finding:
    """Whether the weights are all there, and fit the card."""
    if folder is None:
        return Finding(
            "look",
            "weights",
            "none were named, so the tiny demo weights are used: --weights DIR (`void weights fetch DIR` downloads "
            "the real ones)",
        )
    try:
        found = WeightsFolder.find(folder)
        text = found.card.name if found.card else str(folder)
        if torch.cuda.is_available():
            offered = plans(weigh(found.base, [found.pass1, found.pass2]), Shape())
            text += f", plan {choose(offered, torch.cuda.mem_get_info()[0]).name}"
    except BadWeights as error:
        return Finding("wrong", "weights", f"{error} (`void weights fetch`, `void weights verify`)")
    return Finding("ok", "weights", f"{text}; `void weights verify {folder}` reads every byte")


def address(server: str) -> Finding:
    """Who answers where the server is expected."""
    try:
        with Client(server, timeout=3.0) as client:
            status = client.status()
    except ServerUnreachable as error:
        if "nothing listens there" in str(error):
            return Finding("ok", "server", f"nobody listens at {server}: it is free for `void serve`")
        return Finding("wrong", "server", f"{error}")
    except VoidError as error:  # another version of the wire, an address that is none, keys that are none
        return Finding("wrong", "server", str(error))
    if status["server"] != __version__:
        return Finding(
            "look", "server", f"{server} is {status['server']} and this is {__version__}: update the older one"
        )
    if not status["ready"]:
        return Finding("look", "server", f"{server} answers and is not ready yet: `void status` says how far it is")
    return Finding("ok", "server", f"{server} is ready, {status['engine']}, jobs: {status['jobs'] or 'none'}")


def disk(spool: Path) -> Finding:
    """Whether there is room for shots."""
    there = next(folder for folder in (spool, *spool.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        text = f"{spool} can't be written ({error.strerror}): name another folder with --spool"
        return Finding("wrong", "disk", text)
    free = shutil.disk_usage(there).free
    text = f"{free / GIB:.0f} GiB are free for the spool {spool}"
    if free < LITTLE_DISK:
        return Finding("look", "disk", f"{text}, and a long shot in 4K needs about {LITTLE_DISK / GIB:.0f}: make room")
    return Finding("ok", "disk", text)


def journal(spool: Path) -> Finding:
    """Whether a server can take up what is in the spool."""
    if not (spool / NAME).exists():
        return Finding("ok", "journal", "there is none yet")
    try:
        opened = Journal.open(spool, wait=0.0)
    except BadJournal as error:
        if "another server works" in str(error):
            return Finding("ok", "journal", "a server works with it")
        return Finding("wrong", "journal", str(error))
    try:
        jobs = opened.jobs(spool)
    except BadJournal as error:
        return Finding("wrong", "journal", str(error))
    finally:
        opened.close()
    return Finding("ok", "journal", f"{len(jobs)} jobs, of which {sum(not job.ended for job in jobs)} have not ended")


def own_keys(folder: Path) -> Finding:
    """Keys, where there are or have to be any."""
    secret = folder / f"{keys.PAIR}.key_secret"
    if not secret.exists() and not os.environ.get(keys.SERVER_VARIABLE):
        return Finding("ok", "keys", "none, and none are needed for a server on this machine")
    try:
        keys.read_pair(folder)
        if server := os.environ.get(keys.SERVER_VARIABLE, "").strip():
            keys.check_public(server)
    except BadInput as error:
        return Finding("wrong", "keys", str(error))
    if sys.platform != "win32" and stat.S_IMODE(secret.stat().st_mode) & 0o077:
        return Finding("wrong", "keys", f"others can read {secret}: chmod 600 it, and better make a new pair")
    names = ", ".join(sorted(keys.allowed(folder).values())) or "nobody"
    return Finding("ok", "keys", f"a pair in {folder}, which allows {names}")
