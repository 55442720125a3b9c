"""Asking a model behind an endpoint that speaks OpenAI's chat completions: vLLM, Ollama, a studio's own proxy."""

from __future__ import annotations

import base64
from typing import Any

import httpx2
import msgspec

from void_server.masks.endpoint import (
    USUAL_PATIENCE,
    Failure,
    Patience,
    Service,
    checked_endpoint,
    explain_error,
    explain_status,
    persist,
    quote,
    read_key,
    wait_from_header,
)
from void_server.masks.hints import Hints, schema
from void_server.masks.reasoner import Media, Question, Turn, compose, converse

# Not OPENAI_API_KEY, which would be sent to whatever endpoint is set here.
KEY_VARIABLE = "VOID_REASONER_KEY"


class OpenAICompatible:
    """A Reasoner (see reasoner.py) that asks a chat model; a key, where one is needed, comes from VOID_REASONER_KEY."""

    def __init__(
        self,
        endpoint: str,
        model: str,
        *,
        video: bool = False,
        patience: Patience = USUAL_PATIENCE,
    ) -> None:
        """endpoint: up to and with /v1: http://127.0.0.1:11434/v1. model: as the endpoint lists it.

        video: send the shot as a video too. vLLM takes one, by its own extension of the protocol; most others refuse
        the whole question. Raises CannotReason for an endpoint that is no address.
        """
        self._service = Service("the endpoint", checked_endpoint(endpoint), model, KEY_VARIABLE)
        self._video = video
        self._patience = patience

    @property
    def identity(self) -> str:
        """Protocol, endpoint, model, and whether it gets the video."""
        return f"openai {self._service.endpoint} {self._service.model}{' video' if self._video else ''}"

    def ask(self, question: Question) -> Hints:
        """Hints for the question's shot. Raises CannotReason saying why there are none."""
        key = read_key(KEY_VARIABLE)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        with httpx2.Client(timeout=self._patience.timeout, headers=headers) as connection:

            def say(turns: tuple[Turn, ...]) -> str:
                body = msgspec.json.encode(self._request(question, turns))
                return persist(lambda: self._attempt(connection, body, key), self._patience, key)

            return converse(say, question, self._service.name)

    def _request(self, question: Question, turns: tuple[Turn, ...]) -> dict[str, Any]:
        messages: list[dict[str, Any]] = [
            {"role": "user", "content": [_part(content) for content in compose(question, video=self._video)]}
        ]
        for turn in turns:
            messages.append({"role": "assistant", "content": turn.answer})
            messages.append({"role": "user", "content": turn.complaint})
        return {
            "model": self._service.model,
            "messages": messages,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "hints", "strict": True, "schema": schema()},
            },
        }

    def _attempt(self, connection: httpx2.Client, body: bytes, key: str) -> str | Failure:
        try:
            response = connection.post(f"{self._service.endpoint}/chat/completions", content=body)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return explain_error(self._service, error, self._patience.timeout, key)
        if response.status_code != 200:
            said = quote(key, _complaint(response.content))
            wait = wait_from_header(response.headers.get("retry-after"))
            return explain_status(self._service, response.status_code, said, wait)
        return self._text(response.content, key)

    def _text(self, content: bytes, key: str) -> str | Failure:
        """What was answered, or why nothing was."""
        alternatives = "describe the object differently, give a hints file, or go on with the roto alone"
        name = f"the model '{self._service.model}'"
        try:
            reply = msgspec.json.decode(content, type=_Reply)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Failure(
                f"{self._service.endpoint} does not answer as chat completions do: check its address, which often "
                "ends in /v1"
            )
        if not reply.choices:
            said = quote(key, _complaint(content))
            return Failure(f"{name} gave no answer at all{f' ({said})' if said else ''}: ask again, {alternatives}")
        choice = reply.choices[0]
        if choice.message.refusal or choice.finish_reason == "content_filter":
            said = quote(key, choice.message.refusal or "content_filter")
            return Failure(f"{name} refuses to answer about this shot ({said}): {alternatives}")
        if choice.finish_reason == "length":
            return Failure(
                f"{name}'s answer is too long and was cut off (length): raise the endpoint's limits of context and "
                "answer, or ask another model"
            )
        return choice.message.content or Failure(f"{name}'s answer is empty: ask again, {alternatives}")


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Reply(msgspec.Struct):
    choices: list[_Choice] = []


def _part(content: str | Media) -> dict[str, Any]:
    """A part of a message: text, or a picture or video as a data URL."""
    if isinstance(content, str):
        return {"type": "text", "text": content}
    kind = f"{content.mime.partition('/')[0]}_url"
    return {"type": kind, kind: {"url": f"data:{content.mime};base64,{base64.b64encode(content.data).decode()}"}}


def _complaint(body: bytes) -> str:
    """An error body's own words: {"error": {"message"}} of OpenAI, {"error"} of Ollama, {"detail"} or {"message"}."""
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode(errors="replace")
    for name in ("error", "message", "detail"):
        if isinstance(said, dict) and said.get(name):
            said = said[name]
    return said if isinstance(said, str) else body.decode(errors="replace")
