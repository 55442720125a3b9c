"""What front and worker write to stderr."""

from __future__ import annotations

import logging
import sys
from typing import Literal

LogLevel = Literal["debug", "info", "warning", "error"]


def log_to_stderr(level: LogLevel) -> None:
    """One line an event, with time and origin."""
    logging.basicConfig(
        stream=sys.stderr, level=level.upper(), format="%(asctime)s %(name)s %(levelname)s %(message)s", force=True
    )
