"""The pipe between front and worker: msgpack maps over the worker's stdin and stdout; no pickle, no open port.

Front to worker: `run` {job, folder, first, last, inputs, prompt, hints, settings, result, colour, finished}, `cancel`
{job}. Worker to front: `alive` {} every second, `warming` {engine, notice, seconds}, `ready` {engine, notice,
seconds}, `fatal` {message}, `progress` {job, stage, step, steps, eta}, `part` {job, part, parts}, `notice` {job, text},
`hints` {job, text}, `result` {job, frame, size, sha256}, `done` {job}, `failed` {job, code, message}, `stopped` {job}.
When either end goes, the other sees end-of-file.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any

import msgpack
import zmq

from .devices import environment

Message = dict[str, Any]


class Pipe:
    """One direction's sender; may be used from several threads."""

    def __init__(self, stream: IO[bytes], hide: Callable[[str], str] = lambda text: text) -> None:
        """hide: takes out of every text what must not leave this process."""
        self._stream = stream
        self._hide = hide
        self._lock = threading.Lock()

    def send(self, kind: str, **fields: Any) -> None:
        """Write one message. Raises OSError where the other end is gone."""
        said = {name: self._hide(value) if isinstance(value, str) else value for name, value in fields.items()}
        with self._lock:
            self._stream.write(msgpack.packb({"type": kind, **said}))
            self._stream.flush()


def messages(stream: IO[bytes]) -> Iterator[Message]:
    """The messages of a stream until its end."""
    unpacker = msgpack.Unpacker(max_buffer_size=64 << 20)
    while data := stream.read1(65536):  # type: ignore[attr-defined]
        unpacker.feed(data)
        yield from unpacker


class WorkerLink:
    """The front's end: starts the worker process and brings its messages to a socket that can be polled."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], arguments: list[str], device: str) -> None:
        self._context = context
        self._arguments = [*arguments, device]
        self._device = device
        self._process: subprocess.Popen[bytes] | None = None
        self._outbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self.starts = 0
        self._address = f"inproc://worker-{id(self)}"
        self.inbox = context.socket(zmq.PULL)
        self.inbox.bind(self._address)

    @property
    def pid(self) -> int | None:
        """The worker's process id, or None when there is no worker."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start a worker; `ready` or `fatal` follows in the inbox, and `died` {status} whenever it ends."""
        self.starts += 1
        self._process = subprocess.Popen(
            [sys.executable, "-m", "void_server.service.worker", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(self._device),
            start_new_session=True,  # Ctrl-C is the front's to handle
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
        )
        self._outbox = queue.SimpleQueue()
        for work in (self._bring, self._take):
            threading.Thread(target=work, args=(self._process, self._outbox), daemon=True).start()

    def _bring(self, process: subprocess.Popen[bytes], outbox: queue.SimpleQueue[Message | None]) -> None:
        inbox = self._context.socket(zmq.PUSH)
        inbox.connect(self._address)
        try:
            for message in messages(process.stdout):  # type: ignore[arg-type]
                inbox.send(msgpack.packb(message))
            inbox.send(msgpack.packb({"type": "died", "status": process.wait()}))
        except zmq.ContextTerminated:
            pass
        finally:
            outbox.put(None)
            inbox.close(linger=0)

    @staticmethod
    def _take(process: subprocess.Popen[bytes], outbox: queue.SimpleQueue[Message | None]) -> None:
        # In a thread: a worker that hangs does not read, and a job's hints are more than a pipe holds.
        pipe = Pipe(process.stdin)  # type: ignore[arg-type]
        try:
            while (message := outbox.get()) is not None:
                pipe.send(message.pop("type"), **message)
        except OSError:
            return  # it has just died: `died` is on its way

    def receive(self) -> Message:
        """The next message of the inbox, which must have one."""
        message: Message = msgpack.unpackb(self.inbox.recv())
        return message

    def send(self, kind: str, **fields: Any) -> None:
        """Tell the worker, and wait for nothing; where it has just died, `died` is on its way."""
        self._outbox.put({"type": kind, **fields})

    def kill(self) -> None:
        """End the worker by force; `died` follows."""
        if self._process:
            self._process.kill()

    def ask_to_end(self) -> None:
        """Have the worker end, and wait for nothing."""
        if self._process:
            self._process.terminate()

    def stop(self) -> None:
        """End the worker, by force if it does not go by itself within three seconds."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
