"""What front and worker write to stderr: lines for people, or JSON for a facility's collector."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
from typing import Literal

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]

log = logging.getLogger("void")

_SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$")  # how variables that hold one are named
_PUBLIC = ("VOID_SERVER_KEY",)
_SHORTEST = 8  # characters; what is shorter is no secret, and a part of other words
_JOB = re.compile(r"\bjob ([0-9a-f]{32})\b")


class JobTag(logging.Filter):
    """Marks every record with the job that it is about: the one it names, or the one that runs in this process."""

    def __init__(self) -> None:
        super().__init__()
        self.running = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add `job` to a record."""
        named = _JOB.search(record.getMessage())
        record.job = named[1] if named else self.running
        return True


class Secrets:
    """What no log, message or file may hold: keys in the environment, and those that are named."""

    def __init__(self, *named: str) -> None:
        kept = {value.strip() for name, value in os.environ.items() if _SECRET.search(name) and name not in _PUBLIC}
        self._words = sorted((word for word in {*kept, *named} if len(word) >= _SHORTEST), key=len, reverse=True)

    def hide(self, text: str) -> str:
        """`text` without any of them."""
        for word in self._words:
            text = text.replace(word, "[secret]")
        return text


class TextLines(logging.Formatter):
    """A line for people, its traceback below it."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__("%(asctime)s %(name)s %(levelname)s %(message)s")
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """As usual, without secrets."""
        return self._secrets.hide(super().format(record))


class JsonLines(logging.Formatter):
    """One JSON object a line: time (local, with its offset), level, origin, job (may be empty), message."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """A record as one line, its traceback included."""
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        facts = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "origin": record.name,
            "job": getattr(record, "job", ""),
            "message": self._secrets.hide(text),
        }
        return json.dumps(facts)


def log_to_stderr(level: LogLevel, form: LogFormat, secrets: Secrets) -> JobTag:
    """One line an event, also for what nobody catches.

    Set the tag's `running` to the job that this process works on.
    """
    handler = logging.StreamHandler(sys.stderr)
    tag = JobTag()
    handler.addFilter(tag)
    handler.setFormatter(JsonLines(secrets) if form == "json" else TextLines(secrets))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    sys.excepthook = lambda kind, error, trace: log.critical("this process ends", exc_info=error)
    threading.excepthook = lambda given: log.critical("a thread ends", exc_info=given.exc_value)
    return tag
