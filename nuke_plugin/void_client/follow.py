"""Staying with a job to its end: frames go out as the server asks for them, results come in as they are done.

Also through a restart of the server: it keeps the job, and what was on its way when it went is asked for again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from . import protocol
from .client import Client, Message
from .errors import JobCancelled, JobFailed, Refused, ServerLost
from .sequences import FileSequence
from .transfer import OnFrame, Sources, Taker, Transfer


def follow(
    client: Client,
    job_id: str,
    *,
    on_frame: OnFrame,
    on_state: Callable[[Message], None] = lambda state: None,
    on_silence: Callable[[float], None] = lambda seconds: None,
    cancelled: Callable[[], bool] = lambda: False,
    inputs: dict[str, FileSequence] | None = None,
    patience: float | None = None,
) -> Message:
    """Stay with a job to its end; returns its last state.

    `inputs` are the job's own, to be sent; without them the job must have been sent before, or be sent by another.
    `on_frame(number, bytes, sha256)` gets each finished EXR once, checked, in a thread of its own, so that the next
    frame comes while this one is written; none runs any more when `follow` returns or raises. `on_silence(seconds)` is
    called about once a second while the server has said nothing for SILENCE seconds and longer, as while it is
    restarted; `cancelled` is asked several times a second. `patience`: seconds of silence after which it is given up;
    protocol.PATIENCE where None.
    Raises JobFailed, JobCancelled, ServerLost, Damaged, Refused, and what the callbacks raise.
    """
    silence = _Silence(client, job_id, protocol.PATIENCE if patience is None else patience, on_silence)
    with Taker(on_frame) as taker:
        transfer = Transfer(client, job_id, taker, Sources(inputs) if inputs else None)
        return _Follower(client, job_id, on_state, cancelled, transfer, silence).run()


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
        transfer: Transfer,
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
        self._transfer.finish()
        return state

    def _handle(self, message: Message, payload: memoryview) -> None:
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
