"""What asking any model over HTTP needs: patience, refusals in words, and keys that appear nowhere.

Failures are values here rather than exceptions: an exception from a client library carries the request, and with it
the key, along its chain of causes into whatever prints it.
"""

from __future__ import annotations

import logging
import math
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx2

logger = logging.getLogger(__name__)

_SAID = 400  # characters of an endpoint's own words that a message quotes
_SHORTEST_SECRET = 8  # characters


class CannotReason(RuntimeError):
    """There are no hints to be had: the message says why and what to do. Never holds a key."""


@dataclass(frozen=True)
class Patience:
    """How long to go on asking, in seconds.

    timeout: silence after which an endpoint counts as lost; a model thinks in silence. attempts: requests in all,
    where the endpoint is busy. The wait before the next doubles from first_wait up to longest_wait, with jitter, and
    is never shorter than the endpoint asks for; an endpoint that asks for more than longest_wait is not waited for.
    """

    timeout: float = 180.0
    attempts: int = 4
    first_wait: float = 1.0
    longest_wait: float = 60.0


USUAL_PATIENCE = Patience()


@dataclass(frozen=True)
class Failure:
    """An attempt without an answer. again: another one may have more luck, after `wait` seconds if that is told."""

    message: str
    again: bool = False
    wait: float | None = None


@dataclass(frozen=True)
class Service:
    """Whom messages speak of. name: "Gemini"; key_variable: where its key comes from."""

    name: str
    endpoint: str
    model: str
    key_variable: str


def persist(send: Callable[[], str | Failure], patience: Patience, key: str) -> str:
    """Call `send` until it returns an answer, and return that. Raises CannotReason when it is of no use to go on.

    The key is taken out of whatever comes back, since some endpoints echo it.
    """
    attempt = 0
    while True:
        outcome = send()
        attempt += 1
        if isinstance(outcome, str):
            return _hide(key, outcome)
        outcome = replace(outcome, message=_hide(key, outcome.message))
        if not outcome.again:
            raise CannotReason(outcome.message)
        if attempt >= patience.attempts:
            raise CannotReason(f"{outcome.message}, {attempt} times in a row: ask again later")
        wait = min(patience.first_wait * 2 ** (attempt - 1), patience.longest_wait) * random.uniform(0.5, 1)
        if outcome.wait is not None:
            if outcome.wait > patience.longest_wait:
                raise CannotReason(f"{outcome.message}; it asks to wait {outcome.wait:.0f} s: ask again after that")
            wait = outcome.wait + wait / 4
        logger.info("%s; asking again in %.1f s", outcome.message, wait)
        time.sleep(wait)


def checked_endpoint(url: str) -> str:
    """`url` without a slash at its end. Raises CannotReason unless it is http(s), with a host, and without secrets.

    A password or a key in the address would be logged with it, by us and by every proxy.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise CannotReason("the endpoint is no address: give one like http://127.0.0.1:8000/v1")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise CannotReason(
            "the endpoint's address holds a password, a query or a fragment: leave only scheme, host and path, and "
            "give the key in the environment"
        )
    return url.rstrip("/")


def read_key(variable: str) -> str:
    """The key in an environment variable, "" where there is none. Raises CannotReason for what can't be a key.

    To be called for every question: an object that holds a key shows it to whoever prints the object's fields.
    """
    key = os.environ.get(variable, "").strip()
    if not all("!" <= letter <= "~" for letter in key):
        # An HTTP library would quote the whole header in its complaint.
        raise CannotReason(f"{variable} holds spaces, line breaks or letters that no key has: set it anew")
    return key


def quote(key: str, text: str) -> str:
    """`text` as a message may quote it: on one line, not too long, and without the key, of which no part may stay."""
    text = " ".join(_hide(key, text).split())
    return text if len(text) <= _SAID else text[:_SAID] + " ..."


def _hide(key: str, text: str) -> str:
    """`text` without the key. Local endpoints take "x" or "EMPTY" for one: no secret, and a part of other words."""
    return text.replace(key, "[key]") if len(key) >= _SHORTEST_SECRET else text


def explain_status(service: Service, status: int, said: str, wait: float | None = None) -> Failure:
    """A refusal by HTTP status. said: the endpoint's words, already without the key."""
    name, quoted = service.name, f"HTTP {status}: {said}" if said else f"HTTP {status}"
    if status in (401, 403) or (status == 400 and "api key" in said.lower()):
        return Failure(f"{name} does not accept the key ({quoted}): check {service.key_variable}")
    if status == 404:
        return Failure(
            f"{name} has no model '{service.model}' at {service.endpoint} ({quoted}): name one that it lists"
        )
    if status in (408, 429) or status >= 500:
        return Failure(f"{name} is busy or out of order ({quoted})", again=True, wait=wait)
    if 300 <= status < 400:
        return Failure(f"{name} at {service.endpoint} sends us elsewhere ({quoted}): give the endpoint's final address")
    return Failure(
        f"{name} refuses the request ({quoted}): check that the model '{service.model}' takes pictures and answers "
        "by a JSON schema"
    )


def explain_error(service: Service, error: httpx2.HTTPError | httpx2.InvalidURL, timeout: float, key: str) -> Failure:
    """What went wrong on the way there or back."""
    where = f"{service.name} at {service.endpoint}"
    cause = quote(key, str(error)) or type(error).__name__
    if isinstance(error, httpx2.ConnectTimeout | httpx2.ConnectError | httpx2.ProxyError):
        return Failure(f"{where} can't be reached ({cause}): check the network, the proxy and the endpoint's address")
    if isinstance(error, httpx2.TimeoutException):
        return Failure(f"{where} did not answer within {timeout:g} s: raise the timeout, or ask again later")
    if isinstance(error, httpx2.ReadError | httpx2.WriteError | httpx2.RemoteProtocolError):
        return Failure(f"{where} broke off ({cause})", again=True)
    return Failure(f"{where} can't be asked ({cause}): check the endpoint's address")


def wait_from_header(value: str | None) -> float | None:
    """Seconds from a Retry-After header (RFC 9110, 10.2.3): a number, or a date; None where there is neither."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
