"""A hub on this machine: as much of its protocol as the client asks for, over a folder of files, and a record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote

import pytest
from huggingface_hub import constants

LARGE = ".safetensors"  # what the hub keeps in LFS, with a sha256


@dataclass
class Hub:
    """What is served, what was asked for, and what goes wrong."""

    repos: dict[str, Path]
    commit: str = "c0" * 20
    url: str = ""
    bodies: list[tuple[str, str | None]] = field(default_factory=list)  # (file, Range header) of every GET
    drop_once: set[str] = field(default_factory=set)  # files whose connection breaks half-way, once
    drop_always: set[str] = field(default_factory=set)
    refusal: tuple[int, str] | None = None  # status and X-Error-Code of every answer
    spoil: set[str] = field(default_factory=set)  # files whose bytes change on the way

    def listing(self, repo: str) -> dict[str, object]:
        root = self.repos[repo]
        siblings = []
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            content = path.read_bytes()
            entry: dict[str, object] = {"rfilename": path.relative_to(root).as_posix(), "size": len(content)}
            entry["blobId"] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            if path.suffix == LARGE:
                entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 1}
            siblings.append(entry)
        return {"id": repo, "modelId": repo, "sha": self.commit, "siblings": siblings, "tags": [], "downloads": 0}


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0]).strip("/")
        if self.hub.refusal:
            status, code = self.hub.refusal
            self.answer(status, b"{}", {"X-Error-Code": code, "X-Error-Message": "no"})
        elif path.startswith("api/models/"):
            owner, name = path.split("/")[2:4]
            self.answer(200, json.dumps(self.hub.listing(f"{owner}/{name}")).encode())
        elif "/resolve/" not in path:
            self.answer(404, b"{}")  # the client asks for more than files once a day, and does without
        else:
            owner, name, resolve, revision, *parts = path.split("/")
            assert resolve == "resolve"
            assert revision == self.hub.commit, "a download must not mix revisions"
            self.send_file(self.hub.repos[f"{owner}/{name}"], "/".join(parts))

    def send_file(self, root: Path, name: str) -> None:
        wanted = self.headers.get("Range")
        self.hub.bodies.append((name, wanted))
        content = (root / name).read_bytes()
        if name in self.hub.spoil:
            content = content[:-1] + bytes([content[-1] ^ 1])
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if wanted else {}
        rest = content[start:]
        broken = name in self.hub.drop_once or name in self.hub.drop_always
        self.hub.drop_once.discard(name)
        self.answer(206 if wanted else 200, rest, headers, send=len(rest) // 2 if broken else len(rest))

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, send: int | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Length": str(len(body)),
            "X-Repo-Commit": self.hub.commit,
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:send])


def ask_only(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the client of this process, which read HF_ENDPOINT when it was imported, at `hub`; in small pieces."""
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 4096)


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """`hub` on a free port, its address in hub.url."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OneHub", (Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
