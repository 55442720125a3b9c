"""What front and worker write to stderr."""

from __future__ import annotations

import logging
import sys


def log_to_stderr(level: str) -> None:
    """One line an event, with time and origin; `level` is debug, info, warning or error."""
    logging.basicConfig(
        stream=sys.stderr, level=level.upper(), format="%(asctime)s %(name)s %(levelname)s %(message)s", force=True
    )
