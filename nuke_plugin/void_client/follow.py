"""Staying with a job to its end: frames go out as the server asks for them, results come in as they are done.

Also through a restart of the server: it keeps the job, and what was on its way when it went is asked for again.
"""

from __future__ import annotations

import hashlib
import threading
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
    on_silence: Callable[[float], None] = lambda seconds: None,
    cancelled: Callable[[], bool] = lambda: False,
    inputs: dict[str, FileSequence] | None = None,
    patience: float | None = None,
) -> Message:
    """Stay with a job to its end; returns its last state.

    `inputs` are the job's own, to be sent; without them the job must have been sent before, or be sent by another.
    `on_frame(number, bytes)` gets each finished EXR once; `on_silence(seconds)` is called about once a second while
    the server has said nothing for SILENCE seconds and longer, as while it is restarted; `cancelled` is asked several
    times a second. `patience`: seconds of silence after which it is given up; protocol.PATIENCE where None.
    Raises JobFailed, JobCancelled, ServerLost, Damaged, Refused, and what the callbacks raise.
    """
    silence = _Silence(client, job_id, protocol.PATIENCE if patience is None else patience, on_silence)
    transfer = _Transfer(client, job_id, on_frame, _Sources(inputs) if inputs else None)
    return _Follower(client, job_id, on_state, cancelled, transfer, silence).run()


class _Digest(threading.Thread):
    """Size and hash of one file, read in a thread of its own. A daemon: a host application may end at any moment."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path = path
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._error: OSError | None = None
        self.start()

    def run(self) -> None:
        try:
            with self.path.open("rb", buffering=0) as file:
                while piece := file.read(protocol.CHUNK):
                    self._size += len(piece)
                    self._sha256.update(piece)
        except OSError as error:
            self._error = error

    def result(self) -> tuple[int, str]:
        """Size in bytes and sha256, once they are known. Raises OSError."""
        self.join()
        if self._error:
            raise self._error
        return self._size, self._sha256.hexdigest()


class _Sources:
    """The frames a job sends, a piece in memory at a time. The next frame is hashed while this one is sent."""

    def __init__(self, inputs: dict[str, FileSequence]) -> None:
        self._inputs = inputs
        self._digests: dict[Path, _Digest] = {}

    def answer(self, client: Client, want: Message) -> None:
        sequence = self._inputs.get(want["input"])
        if sequence is None:
            raise BadInput(f"the server asks for {want['input']}, which this client was not given")
        path = sequence.path(want["frame"])
        try:
            size, sha256 = self._digest(path, want["frame"]).result()
            with path.open("rb", buffering=0) as file:
                file.seek(want["offset"])
                piece = file.read(want["length"])
        except OSError as error:
            raise BadInput(f"{path} can't be read any more ({error.strerror}): check the disk, submit again") from error
        client.send(
            "chunk",
            piece,
            job=want["job"],
            input=want["input"],
            frame=want["frame"],
            offset=want["offset"],
            size=size,
            sha256=sha256,
        )

    def _digest(self, path: Path, frame: int) -> _Digest:
        """The digest of a frame of some input; those of the other inputs and of the next frame are begun."""
        if path not in self._digests:
            near = [sequence.path(number) for number in (frame, frame + 1) for sequence in self._inputs.values()]
            self._digests = {
                other: self._digests.get(other) or _Digest(other) for other in near if other == path or other.is_file()
            }
        return self._digests[path]


class _Download:
    """One result frame on its way."""

    def __init__(self, result: Message) -> None:
        self.frame: int = result["frame"]
        self.size: int = result["size"]
        self.sha256: str = result["sha256"]
        self.asked = 0
        self.data = bytearray()

    def finish(self) -> bytes:
        data = bytes(self.data)
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise Damaged(
                f"result frame {self.frame} arrived damaged (its hash differs): attach again to fetch it anew"
            )
        return data


class _Transfer:
    """The job's frames in both directions. What is asked for and does not come within LOST_AFTER is asked for again."""

    def __init__(
        self, client: Client, job_id: str, on_frame: Callable[[int, bytes], None], sources: _Sources | None
    ) -> None:
        self._client = client
        self._job = job_id
        self._on_frame = on_frame
        self._sources = sources
        self._downloads: deque[_Download] = deque()
        self._in_flight: set[tuple[int, int]] = set()
        self._last_came = 0.0
        self.seen: set[int] = set()
        self.taken = 0

    @property
    def sends(self) -> bool:
        """Whether this client has the frames that the job is made of."""
        return self._sources is not None

    def answer(self, want: Message) -> None:
        """Send a piece of an input."""
        if self._sources:
            self._sources.answer(self._client, want)

    def announce(self, result: Message) -> None:
        """Take note of a finished frame, and ask for it in its turn."""
        if result["frame"] not in self.seen:
            self.seen.add(result["frame"])
            self._downloads.append(_Download(result))
            self._ask()

    def _ask(self) -> None:
        """Keep as many pieces on their way as may be, in order."""
        for download in self._downloads:
            while download.asked < download.size and len(self._in_flight) < protocol.IN_FLIGHT:
                if not self._in_flight:
                    self._last_came = time.monotonic()
                length = min(protocol.CHUNK, download.size - download.asked)
                self._client.send("fetch", job=self._job, frame=download.frame, offset=download.asked, length=length)
                self._in_flight.add((download.frame, download.asked))
                download.asked += length

    def ask_again(self) -> None:
        """Ask anew for what may have been lost on its way: nothing has come for a while."""
        if not self._in_flight or time.monotonic() - self._last_came < protocol.LOST_AFTER:
            return
        self._in_flight.clear()
        for download in self._downloads:
            download.asked = len(download.data)
        self._ask()

    def take(self, message: Message, payload: bytes) -> None:
        """Take a piece of a result; one that is not next (what came before it was lost) changes nothing."""
        self._in_flight.discard((message["frame"], message["offset"]))
        self._last_came = time.monotonic()
        download = self._downloads[0] if self._downloads else None
        if download and (message["frame"], message["offset"]) == (download.frame, len(download.data)):
            download.data += payload
            if len(download.data) >= download.size:
                self._downloads.popleft()
                self._on_frame(download.frame, download.finish())
                self.taken += 1
        self._ask()


class _Silence:
    """How long the server has said nothing, and when that is too long."""

    def __init__(self, client: Client, job_id: str, patience: float, on_silence: Callable[[float], None]) -> None:
        self._client = client
        self._job = job_id
        self._patience = patience
        self._on_silence = on_silence
        self._heard = self._told = time.monotonic()

    def end(self) -> None:
        """Something has come."""
        self._heard = time.monotonic()

    def check(self, *, cancelled: bool) -> bool:
        """Whether there is silence; tells of it. Raises ServerLost where it has lasted too long, or nobody waits."""
        now = time.monotonic()
        seconds = now - self._heard
        if seconds <= min(protocol.SILENCE, self._patience):
            return False
        if seconds > self._patience or cancelled:
            raise ServerLost(self._client.address, self._job, seconds)
        if now - self._told >= 1.0:
            self._told = now
            self._on_silence(seconds)
        return True


class _Follower:
    """The loop of `follow`."""

    def __init__(
        self,
        client: Client,
        job_id: str,
        on_state: Callable[[Message], None],
        cancelled: Callable[[], bool],
        transfer: _Transfer,
        silence: _Silence,
    ) -> None:
        self._client = client
        self._job = job_id
        self._on_state = on_state
        self._cancelled = cancelled
        self._transfer = transfer
        self._silence = silence
        self._state: Message = {"state": "receiving", "results": 0}

    def run(self) -> Message:
        asked = 0.0
        told = False
        while not self._finished():
            cancelled = self._cancelled()
            silent = self._silence.check(cancelled=cancelled)
            # What is sent into silence piles up until the server is back.
            if time.monotonic() - asked >= (protocol.SILENCE if silent else protocol.ATTACH_EVERY):
                self._attach()
                asked = time.monotonic()
                told = False
            if cancelled and not told:  # again with each attach: the server may have gone before it heard
                self._client.send("cancel", job=self._job)
                told = True
            received = self._client.receive(0.1)
            if received is not None:
                self._silence.end()
                self._handle(*received)
                asked = 0.0 if silent else asked
        return self._close()

    def _attach(self) -> None:
        self._client.send("attach", job=self._job, results=len(self._transfer.seen), sends=self._transfer.sends)
        self._transfer.ask_again()

    def _finished(self) -> bool:
        state = self._state
        if state["state"] in ("failed", "cancelled"):
            return True
        return bool(state["state"] == "done" and self._transfer.taken == state["results"])

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
            self._transfer.answer(message)
        elif kind == "state":
            self._state = message
            self._on_state(message)
        elif kind == "result":
            self._transfer.announce(message)
        elif kind == "chunk":
            self._transfer.take(message, payload)
