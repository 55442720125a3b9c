"""A job's frames on their way: inputs out, a piece at a time as they are asked for; results in."""

from __future__ import annotations

import functools
import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from . import protocol
from .client import Client, Message
from .errors import BadInput, Damaged
from .sequences import FileSequence

OnFrame = Callable[[int, bytes, str], None]


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


class Sources:
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


class Download:
    """One result frame on its way, hashed piece by piece."""

    def __init__(self, result: Message) -> None:
        self.frame: int = result["frame"]
        self.size: int = result["size"]
        self.sha256: str = result["sha256"]
        self.asked = 0
        self.came = 0
        self._pieces: list[memoryview] = []
        self._hash = hashlib.sha256()

    def add(self, piece: memoryview) -> None:
        self._pieces.append(piece)
        self._hash.update(piece)
        self.came += len(piece)

    def finish(self) -> bytes:
        """The frame. Raises Damaged."""
        if self._hash.hexdigest() != self.sha256:
            raise Damaged(
                f"result frame {self.frame} arrived damaged (its hash differs): attach again to fetch it anew"
            )
        return b"".join(self._pieces)


class _Taking(threading.Thread):
    """`on_frame` of one frame, in a thread of its own. A daemon, as `_Digest`."""

    def __init__(self, on_frame: OnFrame, frame: int, data: bytes, sha256: str) -> None:
        super().__init__(daemon=True)
        self._call = functools.partial(on_frame, frame, data, sha256)
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._call()
        except BaseException as error:  # noqa: BLE001  raised where it is waited for
            self._error = error

    def result(self) -> None:
        """Wait for its end. Raises what `on_frame` raised."""
        self.join()
        if self._error:
            raise self._error


class Taker:
    """Has frames taken one at a time, in order, each while the next one comes."""

    def __init__(self, on_frame: OnFrame) -> None:
        self._on_frame = on_frame
        self._last: _Taking | None = None

    def __enter__(self) -> Taker:
        return self

    def __exit__(self, *_: object) -> None:
        if self._last:
            self._last.join()

    def take(self, download: Download) -> None:
        """Begin with a frame once the one before it is done with. Raises Damaged, and what `on_frame` raised."""
        self.finish()
        self._last = _Taking(self._on_frame, download.frame, download.finish(), download.sha256)

    def finish(self) -> None:
        """Wait until every frame is done with. Raises what `on_frame` raised."""
        if self._last:
            self._last.result()


class Transfer:
    """The job's frames in both directions. What is asked for and does not come within LOST_AFTER is asked for again."""

    def __init__(self, client: Client, job_id: str, taker: Taker, sources: Sources | None) -> None:
        self._client = client
        self._job = job_id
        self._taker = taker
        self._sources = sources
        self._downloads: deque[Download] = deque()
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
            self._downloads.append(Download(result))
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
            download.asked = download.came
        self._ask()

    def take(self, message: Message, payload: memoryview) -> None:
        """Take a piece of a result; one that is not next (what came before it was lost) changes nothing."""
        self._in_flight.discard((message["frame"], message["offset"]))
        self._last_came = time.monotonic()
        download = self._downloads[0] if self._downloads else None
        if download and (message["frame"], message["offset"]) == (download.frame, download.came):
            download.add(payload)
        whole = self._downloads.popleft() if download and download.came >= download.size else None
        # Asked for first: the next frame comes while this one is handed over.
        self._ask()
        if whole:
            self._taker.take(whole)
            self.taken += 1

    def finish(self) -> None:
        """Wait until every frame that has come is done with. Raises what `on_frame` raises."""
        self._taker.finish()
