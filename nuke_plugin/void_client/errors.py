"""What can go wrong, in words an artist can act on: each message says what, where and what to do."""

from __future__ import annotations


class VoidError(Exception):
    """The root of everything this package raises on purpose; `exit_code` is what `void` exits with."""

    exit_code = 1


class BadInput(VoidError):
    """Something that was asked for can't be done as asked: nothing has been written."""

    exit_code = 2


class ServerUnreachable(VoidError):
    """Nobody answers at the address."""

    exit_code = 2

    def __init__(self, address: str, seconds: float, cause: str) -> None:
        super().__init__(
            f"no VOID server answered at {address} within {seconds:g} s: {cause}. Start one with "
            "`void serve --weights DIR`, or name the right address with --server (environment: VOID_SERVER)"
        )


class ProtocolMismatch(VoidError):
    """Client and server speak different versions of the protocol."""

    exit_code = 2

    def __init__(self, address: str, ours: int, theirs: int) -> None:
        older = "the client" if ours < theirs else "the server"
        super().__init__(
            f"the server at {address} speaks protocol {theirs}, this client {ours}: {older} is older. Update {older}"
        )


class Refused(VoidError):
    """The server turned a request down; `code` as in docs/protocol.md."""

    exit_code = 2

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ServerLost(VoidError):
    """A server that had answered fell silent, and did not come back."""

    def __init__(self, address: str, job: str, seconds: float) -> None:
        super().__init__(
            f"the server at {address} has said nothing for {seconds:.0f} s. It keeps the job, also through a restart: "
            f"`void attach {job} --out O` takes up its result once it answers again"
        )


class JobFailed(VoidError):
    """The job ended without a result; `code` as in docs/protocol.md."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.exit_code = 2 if code == "bad_input" else 1


class JobCancelled(VoidError):
    """The job was cancelled, here or by another client."""

    exit_code = 130

    def __init__(self, job: str) -> None:
        super().__init__(f"job {job} was cancelled")


class Damaged(VoidError):
    """What arrived is not what was sent."""
