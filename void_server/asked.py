"""What came of asking for hints, kept until the shot is done: every attempt at it rests on the first one's answer."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Self

import msgspec
from void_client.delivery import write_atomically

log = logging.getLogger("void.asked")

FILE = "asked.json"


class Asked(msgspec.Struct, frozen=True):
    """hints: a hints file's text, or "" where there were none to be had; notice: what the artist is told then."""

    hints: str
    notice: str = ""

    @classmethod
    def earlier(cls, folder: Path | None) -> Self | None:
        """What an earlier attempt was answered; None where nobody was asked, or the file is damaged."""
        if folder is None:
            return None
        try:
            return msgspec.json.decode((folder / FILE).read_bytes(), type=cls)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("%s can't be read (%s): the hints are asked for again", folder / FILE, error)
            return None

    def keep(self, folder: Path | None) -> None:
        """Keep it for the next attempt. Raises OSError: frames that rest on different hints must not be mixed."""
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / FILE, msgspec.json.encode(self))
