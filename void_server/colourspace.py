"""The working space of a plate on the command line; worked out here, so that the server needs no config."""

from __future__ import annotations

import os

from void_client.colour import Colour, colour, linear_rec709
from void_client.errors import BadInput
from void_client.farm_shots import FileShot
from void_client.ocio import SCENE_LINEAR, working_space
from void_client.sequences import FileSequence, FrameRange

from void_server.footage import Footage
from void_server.plates.frame import BadPlate
from void_server.plates.working_space import matrix_from_chromaticities

# OpenColorIO's own, with the ACES spaces and the cameras': for a name without a config.
BUILT_IN = "ocio://studio-config-latest"


def plate_colour(plate: FileSequence, frames: FrameRange, name: str | None, config: str | None) -> Colour:
    """The named space of an OCIO config, else what the set-up says, else what the plate itself says.

    name: a colour space, alias or role; None: the role scene_linear. config: a file or ocio://...; None: the
    environment's OCIO, else, for a name, OpenColorIO's own. With neither, the chromaticities in the plate's headers,
    else linear Rec.709. Raises BadInput.
    """
    config = config or os.environ.get("OCIO") or (BUILT_IN if name else None)
    if config is None:
        return _of_headers(plate, frames)
    try:
        return working_space(config, name or SCENE_LINEAR)
    except BadInput as error:
        raise BadInput(f"{error} (--colourspace NAME, --ocio CONFIG, or OCIO in the environment)") from error


def colour_of(shot: FileShot) -> Colour:
    """A shot's working space, by `plate_colour`."""
    return plate_colour(shot.inputs["plate"], shot.frames, shot.colourspace, shot.ocio)


def _of_headers(plate: FileSequence, frames: FrameRange) -> Colour:
    """What the EXRs' attribute `chromaticities` says, which must be one thing."""
    plate.require(frames)
    footage = Footage(plate.pattern, {frame: plate.path(frame) for frame in frames})
    try:
        said = {frame: footage.layout(frame).chromaticities for frame in frames}
    except BadPlate as error:
        raise BadInput(str(error)) from error
    first = said[frames.first]
    for frame, other in said.items():
        if other != first:
            raise BadInput(
                f"{footage.label(frame)} has {_in_words(other)}, {footage.label(frames.first)} has {_in_words(first)}: "
                "render all frames in one space, or name it with --colourspace"
            )
    if first is None:
        return linear_rec709()
    try:
        return colour(_in_words(first), matrix_from_chromaticities(first))
    except (BadInput, ValueError) as error:
        raise BadInput(
            f"{footage.label(frames.first)} has {_in_words(first)}, which are no colour space ({error}): name the "
            "plate's with --colourspace"
        ) from error


def _in_words(chromaticities: tuple[float, ...] | None) -> str:
    if chromaticities is None:
        return "no chromaticities"
    pairs = zip("RGBW", chromaticities[0::2], chromaticities[1::2], strict=True)
    return "the chromaticities " + ", ".join(f"{name} {x:.4g} {y:.4g}" for name, x, y in pairs)
