"""A shot in one picture: a plate's frame, its quadmask over it, and the result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from void_client.colour import Colour
from void_client.errors import BadInput

from .overlay import overlay_picture, screen_picture
from .plates.exr import read_frame
from .plates.frame import BadPlate
from .plates.working_space import WorkingSpace

WIDTH, GAP = 480, 6  # of each of the three, and between them, in pixels


def write_picture(target: Path, plate: Path, result: Path, colour: Colour) -> None:
    """Write the three side by side as JPEG. plate, result: EXRs of one frame in the working space `colour`.

    Raises BadInput where one can't be read or the picture can't be written.
    """
    space = WorkingSpace.from_dict(colour)
    try:
        before, after = read_frame(plate), read_frame(result)
        window = before.display_window
        height = max(1, round(WIDTH * window.height / (window.width * before.pixel_aspect)))
        views = [
            screen_picture(before, WIDTH, height, space),
            overlay_picture(before, after, WIDTH, height, space),
            screen_picture(after, WIDTH, height, space),
        ]
        gap = np.full((height, GAP, 3), 24, np.uint8)
        Image.fromarray(np.hstack([views[0], gap, views[1], gap, views[2]])).save(target, "JPEG", quality=88)
    except (BadPlate, OSError) as error:
        raise BadInput(f"no picture of {result.name} could be made ({error})") from error
