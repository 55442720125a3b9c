"""Asking Gemini for hints, through Google's own client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2

from void_server.masks.endpoint import (
    USUAL_PATIENCE,
    CannotReason,
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

if TYPE_CHECKING:
    from google import genai
    from google.genai import errors, types

KEY_VARIABLE = "GEMINI_API_KEY"
ENDPOINT = "https://generativelanguage.googleapis.com"
# Google lets this name follow its models, which are retired within a year or two.
MODEL = "gemini-flash-latest"

# Gemini looks at one frame a second unless told otherwise, which is two of most shots.
_VIDEO_LOOKS = 96
_HIGHEST_RATE = 24.0


class Gemini:
    """A Reasoner (see reasoner.py) that asks Gemini; the key comes from GEMINI_API_KEY, and is nowhere kept."""

    def __init__(self, model: str = MODEL, endpoint: str = ENDPOINT, *, patience: Patience = USUAL_PATIENCE) -> None:
        """model: as Google lists it. endpoint: Google's, or a proxy's address. Raises CannotReason for a bad one."""
        self._service = Service("Gemini", checked_endpoint(endpoint), model, KEY_VARIABLE)
        self._patience = patience

    @property
    def identity(self) -> str:
        """Protocol, endpoint and model."""
        return f"gemini {self._service.endpoint} {self._service.model}"

    def ask(self, question: Question) -> Hints:
        """Hints for the question's shot. Raises CannotReason saying why there are none."""
        key = read_key(KEY_VARIABLE)
        if not key:
            raise CannotReason(
                f"there is no key for Gemini: set {KEY_VARIABLE} where the shot is run, give a hints file, or go on "
                "with the roto alone"
            )

        # Our own connection, since the client's follows redirects and takes the key along.
        with (
            httpx2.Client(timeout=self._patience.timeout) as connection,
            self._client(key, connection) as client,
        ):

            def say(turns: tuple[Turn, ...]) -> str:
                contents = _contents(question, turns)
                return persist(lambda: self._attempt(client, contents, key), self._patience, key)

            return converse(say, question, self._service.name)

    def _client(self, key: str, connection: httpx2.Client) -> genai.Client:
        """Google's client, told all that it would otherwise look for in the environment. It doesn't retry by itself."""
        # Importing it takes a second or two, which only those who ask should wait.
        from google import genai
        from google.genai import types
        from google.genai.client import DebugConfig

        return genai.Client(
            api_key=key,
            vertexai=False,
            debug_config=DebugConfig(client_mode=None, replays_directory=None, replay_id=None),
            http_options=types.HttpOptions(
                base_url=self._service.endpoint,
                httpx_client=connection,
                timeout=round(self._patience.timeout * 1000),
            ),
        )

    def _attempt(self, client: genai.Client, contents: list[types.Content], key: str) -> str | Failure:
        from google.genai import errors, types

        config = types.GenerateContentConfig(
            response_mime_type="application/json",
            response_json_schema=schema(),
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        )
        try:
            response = client.models.generate_content(model=self._service.model, contents=list(contents), config=config)
        except errors.APIError as error:
            return self._refused(error, key)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return explain_error(self._service, error, self._patience.timeout, key)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            # What the client raises for an answer that isn't in its protocol.
            return Failure(
                f"{self._service.endpoint} does not answer as Gemini does ({type(error).__name__}): check the "
                "endpoint's address"
            )
        return _text(response)

    def _refused(self, error: errors.APIError, key: str) -> Failure:
        wait = _retry_info(error.details)
        if wait is None and error.response is not None:
            wait = wait_from_header(error.response.headers.get("retry-after"))
        return explain_status(self._service, error.code, quote(key, str(error.message or "")), wait)


def _contents(question: Question, turns: tuple[Turn, ...]) -> list[types.Content]:
    """The question, and what was said since."""
    from google.genai import types

    video = question.evidence.video
    looks = min(video.rate, _HIGHEST_RATE, video.rate * _VIDEO_LOOKS / len(video.frames))

    def part(content: str | Media) -> types.Part:
        if isinstance(content, str):
            return types.Part(text=content)
        moving = types.VideoMetadata(fps=looks) if content.mime.startswith("video/") else None
        return types.Part(inline_data=types.Blob(mime_type=content.mime, data=content.data), video_metadata=moving)

    contents = [types.Content(role="user", parts=[part(content) for content in compose(question, video=True)])]
    for turn in turns:
        contents.append(types.Content(role="model", parts=[types.Part(text=turn.answer)]))
        contents.append(types.Content(role="user", parts=[types.Part(text=turn.complaint)]))
    return contents


def _text(response: types.GenerateContentResponse) -> str | Failure:
    """What was answered, without the model's thoughts, or why nothing was."""
    alternatives = "describe the object differently, give a hints file, or go on with the roto alone"
    blocked = response.prompt_feedback.block_reason if response.prompt_feedback else None
    if blocked:
        return Failure(f"Gemini refuses to look at this shot ({blocked.value}): {alternatives}")
    if not response.candidates:
        return Failure(f"Gemini gave no answer at all: ask again, {alternatives}")
    candidate = response.candidates[0]
    reason = candidate.finish_reason.value if candidate.finish_reason else "STOP"
    if reason == "MAX_TOKENS":
        return Failure("Gemini's answer is too long and was cut off (MAX_TOKENS): ask again, or ask another model")
    if reason != "STOP":
        return Failure(f"Gemini broke off its answer ({reason}): {alternatives}")
    parts = (candidate.content.parts if candidate.content else None) or []
    text = "".join(part.text for part in parts if part.text and not part.thought)
    return text or Failure(f"Gemini's answer is empty ({reason}): ask again, {alternatives}")


def _retry_info(details: Any) -> float | None:
    """Seconds from google.rpc.RetryInfo in an error's details ("retryDelay": "34s"), where Gemini tells them."""
    error = details.get("error", details) if isinstance(details, dict) else {}
    for detail in error.get("details") or [] if isinstance(error, dict) else []:
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str) and delay.endswith("s"):
            return wait_from_header(delay[:-1])
    return None
