"""The trained tiny weights that come with the package. Imports no torch."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "weights" / "tiny"
SETTINGS = "settings.toml"  # in a weights folder: what its model was trained for, as `void run --settings` takes it
PROMPT = "An empty room."


def settings_of(folder: Path) -> dict[str, Any]:
    """The settings that a folder of tiny weights brings along. Raises OSError where it has none, ValueError."""
    return tomllib.loads((folder / SETTINGS).read_text("utf-8"))
