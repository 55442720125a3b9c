"""A connection to one server: submit, cancel, ask. `follow.py` stays with a job to its end."""

from __future__ import annotations

import getpass
import os
import platform
import socket
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import zmq

from . import __version__, keys, protocol
from .colour import Colour, linear_rec709
from .errors import (
    BadInput,
    Damaged,
    ProtocolMismatch,
    Refused,
    ServerUnreachable,
)
from .sequences import FileSequence, FrameRange

Message = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A shot to be submitted: `inputs` maps plate, roto, affected, quadmask to the sequences given.

    `result` is one of protocol.RESULTS. A job for the quadmask needs no prompt. `hints` is a hints file's text. The
    roto may be painted on some frames only: those that exist, or of them those in `roto_keys`. `colour` is the plate's
    working space. `priority` is one of protocol.PRIORITIES: whether somebody waits for it.
    """

    frames: FrameRange
    inputs: dict[str, FileSequence]
    prompt: str
    settings: dict[str, Any]
    label: str = ""
    result: str = "plate"
    hints: str = ""
    roto_keys: tuple[int, ...] | None = None
    colour: Colour = field(default_factory=linear_rec709)
    priority: str = "interactive"

    def spec(self) -> Message:
        """The job description of docs/protocol.md. Raises BadInput where a frame has no file or is too large.

        The plate needs a file for each frame; one file of anything else holds for all of them.
        """
        plate = self.inputs["plate"]
        if not plate.numbered and len(self.frames) > 1:
            raise BadInput(
                f"the plate {plate.pattern} is one file, the range {self.frames} has {len(self.frames)} frames: "
                "name a sequence, plate.%04d.exr"
            )
        return {
            "first": self.frames.first,
            "last": self.frames.last,
            "inputs": {name: self._describe(name, sequence) for name, sequence in self.inputs.items()},
            "prompt": self.prompt,
            "settings": self.settings,
            "label": self.label,
            "result": self.result,
            "hints": self.hints,
            "colour": self.colour,
        }

    def _describe(self, name: str, sequence: FileSequence) -> Message:
        painted = self._painted(sequence) if name == "roto" else set(self.frames)
        sequence.require(self.frames, painted)
        sizes = [sequence.path(frame).stat().st_size if frame in painted else 0 for frame in self.frames]
        for frame, size in zip(self.frames, sizes):
            if frame in painted and not 0 < size <= protocol.MAX_FILE:
                what = "is empty" if size == 0 else f"is larger than {protocol.MAX_FILE >> 20} MiB"
                raise BadInput(f"{sequence.path(frame)} {what}: render it again")
        return {"name": sequence.pattern, "sizes": sizes}

    def _painted(self, roto: FileSequence) -> set[int]:
        """The frames of the range that the roto is painted on."""
        if self.roto_keys is not None:
            outside = [frame for frame in self.roto_keys if frame not in self.frames]
            if outside or not self.roto_keys:
                raise BadInput(
                    f"the roto's keys {outside or ''} are outside the range {self.frames}: name frames in it"
                )
            return set(self.roto_keys)
        return {frame for frame in self.frames if roto.path(frame).is_file()} or set(self.frames)


class Client:
    """A connection to one server. Not for several threads at once; use a client a thread.

    Its context is private and lingers for nothing, so closing never hangs the host application.
    """

    def __init__(self, address: str = protocol.DEFAULT_ADDRESS, *, timeout: float = 5.0) -> None:
        """Connect and shake hands. `timeout` in seconds. Where VOID_SERVER_KEY names the server's public key, by CURVE.

        Raises ServerUnreachable, ProtocolMismatch, BadInput for an address that is none.
        """
        self.address = address
        self.timeout = timeout
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.ROUTING_ID, b"void-" + uuid.uuid4().bytes)
        self._socket.setsockopt(zmq.MAXMSGSIZE, 2 * protocol.CHUNK)
        try:
            self._use_keys()
            self._connect()
            self.request("hello", ("welcome",), client=f"void_client {__version__}")
        except BaseException:
            self.close()
            raise

    def _use_keys(self) -> None:
        """Speak to the owner of the server's key alone, and show ours. Raises BadInput."""
        server = os.environ.get(keys.SERVER_VARIABLE, "").strip()
        if server:
            pair = keys.read_pair(keys.folder_or_default())
            self._socket.setsockopt(zmq.CURVE_SERVERKEY, keys.check_public(server))
            self._socket.setsockopt(zmq.CURVE_PUBLICKEY, pair.public)
            self._socket.setsockopt(zmq.CURVE_SECRETKEY, pair.secret)

    def _connect(self) -> None:
        try:
            self._socket.connect(self.address)
        except zmq.ZMQError as error:
            raise BadInput(f"{self.address} is no address ({error}): write it as tcp://127.0.0.1:5690") from error

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection; what the server was doing goes on."""
        self._context.destroy(linger=0)

    def send(self, kind: str, payload: bytes | memoryview | None = None, **fields: Any) -> None:
        """Send one message of docs/protocol.md. Raises BadInput where the header grows too large."""
        header = protocol.pack(kind, **fields)
        if len(header) > protocol.MAX_HEADER:
            raise BadInput(f"this job's description is larger than {protocol.MAX_HEADER >> 10} KiB: shorten its prompt")
        self._socket.send_multipart([header] if payload is None else [header, payload])

    def receive(self, seconds: float) -> tuple[Message, memoryview] | None:
        """The next message and its payload, or None after `seconds`. Raises ProtocolMismatch, Damaged."""
        if not self._socket.poll(int(seconds * 1000)):
            return None
        frames = self._socket.recv_multipart(copy=False)
        try:
            message = protocol.unpack(frames[0].bytes)
        except protocol.BadMessage as error:
            raise Damaged(f"{self.address} sent something that is not of this protocol ({error})") from error
        if message["v"] != protocol.VERSION:
            raise ProtocolMismatch(self.address, protocol.VERSION, message["v"])
        return message, frames[1].buffer if len(frames) > 1 else memoryview(b"")

    def request(self, kind: str, answers: tuple[str, ...], **fields: Any) -> Message:
        """Send and wait for one of `answers`, passing over what is pushed meanwhile.

        Raises ServerUnreachable after the client's timeout, Refused.
        """
        self.send(kind, **fields)
        deadline = time.monotonic() + self.timeout
        while (left := deadline - time.monotonic()) > 0:
            received = self.receive(left)
            if received is None:
                break
            message = received[0]
            if message["type"] == "refused" and message["job"] in ("", fields.get("job", "")):
                raise Refused(message["code"], message["message"])
            # A state of another job that this client follows is no answer.
            if message["type"] in answers and message.get("job", "") in ("", fields.get("job", "")):
                return message
        raise ServerUnreachable(self.address, self.timeout, _why_silent(self.address))

    def submit(self, job: Job, job_id: str | None = None) -> str:
        """Submit a job and return its id; `follow` then sends its frames. Raises BadInput, Refused.

        With the id of a job that the server has, it stays that job: what came before a restart is not sent again.
        """
        job_id = job_id or uuid.uuid4().hex
        self.request("submit", ("accepted",), job=job_id, spec=job.spec(), user=_user(), priority=job.priority)
        return job_id

    def cancel(self, job_id: str) -> Message:
        """Ask for a job to be cancelled; returns its state."""
        return self.request("cancel", ("state",), job=job_id)

    def jobs(self) -> list[Message]:
        """What the server holds, oldest first."""
        listed: list[Message] = self.request("list", ("jobs",))["jobs"]
        return listed

    def status(self) -> Message:
        """The server's own state."""
        return self.request("status", ("status",))

    def release(self, job_id: str) -> None:
        """Tell the server that everything has been taken and its files may go.

        Another client may have been faster; a server that is silent just now removes them after its own time.
        """
        try:
            self.request("release", ("released",), job=job_id)
        except Refused as error:
            if error.code != "unknown_job":
                raise
        except ServerUnreachable:
            pass


def label_of(what: str) -> str:
    """A job's label for lists and logs: who asks, where, and what for. No longer than a server takes."""
    return f"{_user()}@{platform.node()} {what}"[:1000]


def _user() -> str:
    """Who is logged in, for the server's turns; nobody where the system has no name for them."""
    try:
        return getpass.getuser()[: protocol.MAX_USER]
    except (KeyError, OSError, ImportError):  # by version and system
        return ""


def _why_silent(address: str) -> str:
    """What a plain connection says about an address that does not answer: ZeroMQ itself only waits."""
    try:
        where = urlsplit(address)
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=1.0):
            return (
                "something listens there, but it is busy, hung, no VOID server, or it wants keys that match "
                f"({keys.SERVER_VARIABLE}, `void keys`)"
            )
    except ConnectionRefusedError:
        return "nothing listens there"
    except socket.gaierror:
        return "there is no host of that name"
    except (OSError, ValueError) as error:
        return f"it can't be reached ({error})"
