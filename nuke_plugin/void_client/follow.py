"""Staying with a job to its end: frames go out as the server asks for them, results come in as they are done."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from . import protocol
from .client import Client, Message
from .errors import BadInput, Damaged, JobCancelled, JobFailed, Refused, ServerLost
from .sequences import FileSequence


def follow(
    client: Client,
    job_id: str,
    *,
    on_frame: Callable[[int, bytes], None],
    on_state: Callable[[Message], None] = lambda state: None,
    cancelled: Callable[[], bool] = lambda: False,
    inputs: dict[str, FileSequence] | None = None,
) -> Message:
    """Stay with a job to its end; returns its last state.

    `inputs` are the job's own, to be sent; without them the job must have been sent before.
    `on_frame(number, bytes)` gets each finished EXR once; `cancelled` is asked several times a second.
    Raises JobFailed, JobCancelled, ServerLost, Damaged, Refused, and what the callbacks raise.
    """
    return _Follower(client, job_id, on_frame, on_state, cancelled, _Sources(inputs or {})).run()


class _Sources:
    """The frames a job sends, the current one in memory with its hash."""

    def __init__(self, inputs: dict[str, FileSequence]) -> None:
        self._inputs = inputs
        self._path: Path | None = None
        self._data = b""
        self._sha256 = ""

    def answer(self, client: Client, want: Message) -> None:
        sequence = self._inputs.get(want["input"])
        if sequence is None:
            raise BadInput(f"the server asks for {want['input']}, which this client was not given")
        self._load(sequence.path(want["frame"]))
        start = want["offset"]
        client.send(
            "chunk",
            memoryview(self._data)[start : start + want["length"]],
            job=want["job"],
            input=want["input"],
            frame=want["frame"],
            offset=start,
            size=len(self._data),
            sha256=self._sha256,
        )

    def _load(self, path: Path) -> None:
        if path == self._path:
            return
        try:
            self._data = path.read_bytes()
        except OSError as error:
            raise BadInput(f"{path} can't be read any more ({error.strerror}): check the disk, submit again") from error
        self._path = path
        self._sha256 = hashlib.sha256(self._data).hexdigest()


class _Download:
    """One result frame on its way."""

    def __init__(self, result: Message) -> None:
        self.frame: int = result["frame"]
        self.size: int = result["size"]
        self.sha256: str = result["sha256"]
        self.asked = 0
        self.data = bytearray()

    def add(self, offset: int, payload: bytes) -> None:
        if offset != len(self.data):
            raise Damaged(f"a piece of result frame {self.frame} went missing on its way: attach again")
        self.data += payload

    def finish(self) -> bytes:
        data = bytes(self.data)
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise Damaged(
                f"result frame {self.frame} arrived damaged (its hash differs): attach again to fetch it anew"
            )
        return data


class _Follower:
    """The loop of `follow`."""

    def __init__(
        self,
        client: Client,
        job_id: str,
        on_frame: Callable[[int, bytes], None],
        on_state: Callable[[Message], None],
        cancelled: Callable[[], bool],
        sources: _Sources,
    ) -> None:
        self._client = client
        self._job = job_id
        self._on_frame = on_frame
        self._on_state = on_state
        self._cancelled = cancelled
        self._sources = sources
        self._downloads: deque[_Download] = deque()
        self._seen: set[int] = set()
        self._taken = 0
        self._in_flight = 0
        self._state: Message = {"state": "receiving", "results": 0}

    def run(self) -> Message:
        heard = time.monotonic()
        asked = 0.0
        cancel_sent = False
        while not self._finished():
            now = time.monotonic()
            if now - heard > protocol.SILENCE:
                raise ServerLost(self._client.address, self._job, protocol.SILENCE)
            if now - asked >= protocol.ATTACH_EVERY:
                self._client.send("attach", job=self._job, results=len(self._seen))
                asked = now
            if not cancel_sent and self._cancelled():
                self._client.send("cancel", job=self._job)
                cancel_sent = True
            received = self._client.receive(0.1)
            if received is not None:
                heard = time.monotonic()
                self._handle(*received)
        return self._close()

    def _finished(self) -> bool:
        state = self._state
        if state["state"] in ("failed", "cancelled"):
            return True
        return bool(state["state"] == "done" and self._taken == state["results"])

    def _close(self) -> Message:
        state = self._state
        if state["state"] == "failed":
            raise JobFailed(state["code"], state["message"])
        if state["state"] == "cancelled":
            raise JobCancelled(self._job)
        return state

    def _handle(self, message: Message, payload: bytes) -> None:
        if message.get("job") not in (self._job, ""):
            return
        kind = message["type"]
        if kind == "refused":
            raise Refused(message["code"], message["message"])
        if kind == "want":
            self._sources.answer(self._client, message)
        elif kind == "state":
            self._state = message
            self._on_state(message)
        elif kind == "result" and message["frame"] not in self._seen:
            self._seen.add(message["frame"])
            self._downloads.append(_Download(message))
            self._ask()
        elif kind == "chunk":
            self._in_flight -= 1
            self._take(message, payload)
            self._ask()

    def _ask(self) -> None:
        """Keep as many pieces on their way as may be, in order."""
        for download in self._downloads:
            while download.asked < download.size and self._in_flight < protocol.IN_FLIGHT:
                length = min(protocol.CHUNK, download.size - download.asked)
                self._client.send("fetch", job=self._job, frame=download.frame, offset=download.asked, length=length)
                download.asked += length
                self._in_flight += 1

    def _take(self, message: Message, payload: bytes) -> None:
        download = self._downloads[0]
        if message["frame"] != download.frame:
            raise Damaged(f"the server sent frame {message['frame']} where {download.frame} was next: attach again")
        download.add(message["offset"], payload)
        if len(download.data) == download.size:
            self._downloads.popleft()
            self._on_frame(download.frame, download.finish())
            self._taken += 1
