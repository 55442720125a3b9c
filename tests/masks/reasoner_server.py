"""A model's endpoint on this machine: Gemini's generateContent and OpenAI's chat completions, scripted, recorded."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

MODEL = "seer-1"
ENDS = {  # how an answer ends, as Gemini and as OpenAI say it
    "done": ("STOP", "stop"),
    "filtered": ("SAFETY", "content_filter"),
    "cut": ("MAX_TOKENS", "length"),
}


@dataclass(frozen=True)
class Reply:
    """What the endpoint does with one request.

    text: the model's words; None for an answer without any. end: how they end, a key of ENDS, or "blocked" where the
    question itself is refused, or "nothing" for an answer without candidates. drop: hang up. body: instead of all that.
    """

    text: str | None = None
    end: str = "done"
    status: int = 200
    said: str = ""
    retry_after: str | None = None
    retry_info: str | None = None
    location: str | None = None
    delay: float = 0.0
    drop: bool = False
    body: bytes | None = None


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    time: float


@dataclass
class Endpoint:
    """The replies to come, of which the last is repeated; the requests that came. key: what it accepts, None: all."""

    replies: list[Reply] = field(default_factory=list)
    key: str | None = None
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    closing: Event = field(default_factory=Event)

    def next(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


class Handler(BaseHTTPRequestHandler):
    endpoint: Endpoint

    def log_message(self, *_: object) -> None: ...

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.endpoint.requests.append(Request(self.path, headers, body, time.monotonic()))
        if self.path == "/v1/chat/completions":
            given, model, speak = headers.get("authorization", "").removeprefix("Bearer "), body["model"], openai
        elif re.fullmatch(r"/v1(beta)?/models/[^/]+:generateContent", self.path):
            given, model, speak = headers["x-goog-api-key"], self.path.split("/")[-1].partition(":")[0], gemini
        else:
            return self.send(404, b"there is no such page")
        reply = self.endpoint.next()
        if self.endpoint.key not in (None, given):
            # Endpoints do quote the key that they don't know.
            status = 400 if speak is gemini else 401
            reply = Reply(status=status, said=f"API key not valid: {given}. Please pass a valid API key.")
        elif model != MODEL:
            reply = Reply(status=404, said=f"model {model} is not found")
        return self.carry_out(reply, speak(reply) if reply.body is None else reply.body)

    def carry_out(self, reply: Reply, body: bytes) -> None:
        self.endpoint.closing.wait(reply.delay)
        if reply.drop:
            self.close_connection = True
            return
        names = {"Retry-After": reply.retry_after, "Location": reply.location}
        self.send(reply.status, body, {name: value for name, value in names.items() if value})

    def send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        try:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass  # the client has lost patience


def gemini(reply: Reply) -> bytes:
    """A GenerateContentResponse, or a google.rpc.Status."""
    if reply.status != 200:
        details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": reply.retry_info}]
        error = {"code": reply.status, "message": reply.said, "status": "SOME_STATUS"}
        return json.dumps({"error": error | ({"details": details} if reply.retry_info else {})}).encode()
    if reply.end == "blocked":
        return json.dumps({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}).encode()
    if reply.end == "nothing":
        return json.dumps({"usageMetadata": {"promptTokenCount": 1}}).encode()
    thought = {"text": "hm {", "thought": True}
    content = {"role": "model", "parts": [thought, {"text": reply.text}]} if reply.text is not None else {}
    candidate = {"content": content, "finishReason": ENDS[reply.end][0], "index": 0}
    return json.dumps({"candidates": [candidate], "modelVersion": MODEL}).encode()


def openai(reply: Reply) -> bytes:
    """A chat.completion, or an error."""
    if reply.status != 200:
        return json.dumps({"error": {"message": reply.said, "type": "some_error", "code": None}}).encode()
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if reply.end == "blocked":
        message["refusal"] = "I can't look at this: PROHIBITED_CONTENT"
    choice = {"index": 0, "message": message, "finish_reason": ENDS.get(reply.end, ENDS["done"])[1]}
    choices = [] if reply.end == "nothing" else [choice]
    return json.dumps({"id": "1", "object": "chat.completion", "model": MODEL, "choices": choices}).encode()


@contextmanager
def serving(*replies: Reply, key: str | None = None) -> Iterator[Endpoint]:
    """An endpoint on a free port of this machine, its address in `url`."""
    endpoint = Endpoint(list(replies), key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OneEndpoint", (Handler,), {"endpoint": endpoint}))
    endpoint.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
