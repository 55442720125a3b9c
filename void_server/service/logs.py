"""What front and worker write to stderr: lines for people, or JSON for a facility's collector."""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Literal

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]

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


class JsonLines(logging.Formatter):
    """One JSON object a line: time (local, with its offset), level, origin, job (may be empty), message."""

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
            "message": text,
        }
        return json.dumps(facts)


def log_to_stderr(level: LogLevel, form: LogFormat = "text") -> JobTag:
    """One line an event. Set the tag's `running` to the job that this process works on."""
    handler = logging.StreamHandler(sys.stderr)
    tag = JobTag()
    handler.addFilter(tag)
    handler.setFormatter(
        JsonLines() if form == "json" else logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s")
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    return tag
