"""A hints file on its way to the server, which checks what it says."""

from __future__ import annotations

from pathlib import Path

from . import protocol
from .errors import BadInput


def read_hints_file(path: Path) -> str:
    """The file's text. Raises BadInput where it can't be read, is empty, or is larger than a job may carry."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the hints file {path} can't be read ({error}): choose another") from error
    if not text.strip():
        raise BadInput(f"the hints file {path} is empty: choose another, or go on without")
    if len(text.encode()) > protocol.MAX_HINTS:
        raise BadInput(
            f"the hints file {path} is larger than {protocol.MAX_HINTS >> 10} KiB: name fewer frames, those between "
            "are interpolated"
        )
    return text
