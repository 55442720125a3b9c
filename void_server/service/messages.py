"""What a client may say, checked to the last field (docs/protocol.md). Nothing else gets past the front's socket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from void_client import colour, protocol

from void_server.settings import BadSettings, ShotSettings

JobId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]
Count = Annotated[int, Meta(ge=0, le=2**53)]
FrameNumber = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
FileSize = Annotated[int, Meta(ge=0, le=protocol.MAX_FILE)]  # 0: a frame that the roto is not painted on
ShortText = Annotated[str, Meta(max_length=1024)]
InputName = Annotated[str, Meta(pattern="^(" + "|".join(protocol.INPUTS) + ")$")]

ResultName = Annotated[str, Meta(pattern="^(" + "|".join(protocol.RESULTS) + ")$")]
Priority = Annotated[str, Meta(pattern="^(" + "|".join(protocol.PRIORITIES) + ")$")]


class RefusedMessage(Exception):
    """A message that is turned down; `code` as in docs/protocol.md."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Input(msgspec.Struct, forbid_unknown_fields=True):
    """One sequence of a job: its name for messages, and each frame's size in bytes."""

    name: ShortText
    sizes: Annotated[list[FileSize], Meta(min_length=1, max_length=protocol.MAX_FRAMES)]


class Colour(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The plate's working space: its name, and nine numbers that take its RGB to linear Rec.709, row by row."""

    name: Annotated[str, Meta(min_length=1, max_length=colour.MAX_NAME)]
    matrix: tuple[float, float, float, float, float, float, float, float, float]


LINEAR_REC709 = msgspec.convert(colour.linear_rec709(), Colour)


class JobSpec(msgspec.Struct, forbid_unknown_fields=True):
    """A job description; `check` says whether it makes sense as a whole."""

    first: FrameNumber
    last: FrameNumber
    inputs: dict[InputName, Input]
    prompt: Annotated[str, Meta(max_length=10_000)]
    settings: dict[str, Any]
    result: ResultName
    hints: Annotated[str, Meta(max_length=protocol.MAX_HINTS)] = ""
    label: ShortText = ""
    colour: Colour = LINEAR_REC709

    @property
    def frames(self) -> range:
        return range(self.first, self.last + 1)

    @property
    def room(self) -> int:
        """Bytes that the job needs in the spool: its frames, and a result that is about as large as the plate."""
        return sum(sum(given.sizes) for given in self.inputs.values()) + sum(self.inputs["plate"].sizes)

    @property
    def frame_room(self) -> int:
        """Bytes without which it is of no use to go on: the largest frame's result, with its layers."""
        return 2 * max(self.inputs["plate"].sizes)

    def check(self) -> ShotSettings:
        """Raise RefusedMessage with the cause and the next step, or return the settings in full."""
        count = len(self.frames)
        if not 1 <= count <= protocol.MAX_FRAMES:
            raise RefusedMessage(
                "bad_input",
                f"a job has 1 to {protocol.MAX_FRAMES} frames, not {self.first}-{self.last}: split the shot",
            )
        if "plate" not in self.inputs or not {"roto", "quadmask"} & self.inputs.keys():
            raise RefusedMessage(
                "bad_input", "a job needs a plate and a roto (or a finished quadmask): add what is missing"
            )
        for name, given in self.inputs.items():
            if len(given.sizes) != count:
                raise RefusedMessage(
                    "bad_input", f"the {name} has {len(given.sizes)} frames, the range {count}: give each frame once"
                )
            if not any(given.sizes) or (name != "roto" and not all(given.sizes)):
                raise RefusedMessage("bad_input", f"the {name} has frames without a byte: render them again")
        reason = colour.fault(self.colour.matrix)
        if reason:
            raise RefusedMessage("bad_input", f"the colour space {self.colour.name} {reason}: name another")
        try:
            return ShotSettings.from_dict(self.settings)
        except BadSettings as error:
            raise RefusedMessage("bad_input", str(error)) from error


class _FromClient(msgspec.Struct, tag=str.lower, tag_field="type", forbid_unknown_fields=True, kw_only=True):
    v: int


class Hello(_FromClient):
    client: ShortText


class Submit(_FromClient):
    job: JobId
    spec: JobSpec
    user: Annotated[str, Meta(max_length=protocol.MAX_USER)]
    priority: Priority


class Chunk(_FromClient):
    job: JobId
    input: InputName
    frame: FrameNumber
    offset: Count
    size: Count
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class Attach(_FromClient):
    job: JobId
    results: Count
    sends: bool


class Fetch(_FromClient):
    job: JobId
    frame: FrameNumber
    offset: Count
    length: Annotated[int, Meta(ge=1, le=protocol.CHUNK)]


class Cancel(_FromClient):
    job: JobId


class Release(_FromClient):
    job: JobId


class List(_FromClient):
    pass


class Status(_FromClient):
    pass


Message = Hello | Submit | Chunk | Attach | Fetch | Cancel | Release | List | Status


class _Version(msgspec.Struct):
    v: int


_version = msgspec.msgpack.Decoder(_Version)
_message = msgspec.msgpack.Decoder(Message)


def read(frames: Sequence[bytes | memoryview]) -> tuple[Message, bytes | memoryview]:
    """The message in the frames of one delivery, and its payload. Raises RefusedMessage."""
    if not 1 <= len(frames) <= 2 or len(frames[0]) > protocol.MAX_HEADER:
        raise RefusedMessage(
            "bad_message", f"a message is a header of at most {protocol.MAX_HEADER} bytes and a payload"
        )
    try:
        version = _version.decode(frames[0]).v
        if version != protocol.VERSION:
            raise RefusedMessage(
                "protocol",
                f"this server speaks protocol {protocol.VERSION}, the client {version}: "
                f"update the {'client' if version < protocol.VERSION else 'server'}",
            )
        message = _message.decode(frames[0])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedMessage("bad_message", f"the header is not of this protocol: {error}") from error
    payload = frames[1] if len(frames) == 2 else b""
    if len(payload) > protocol.CHUNK or bool(payload) != isinstance(message, Chunk):
        raise RefusedMessage("bad_message", f"a chunk, and nothing else, has a payload of 1 to {protocol.CHUNK} bytes")
    return message, payload
