"""What an OpenColorIO config says of a working space: its matrix to linear Rec.709.

The command line and the node in Nuke both ask this, and this package is the one place that both may import. It stays
free of dependencies: PyOpenColorIO is imported when a config is opened, where Nuke brings its own and the server's
packages include it. What is called here is in OpenColorIO 2.0, unless the comment says otherwise.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Any

from .colour import Colour, colour
from .errors import BadInput

SCENE_LINEAR = "scene_linear"
INTERCHANGE = "aces_interchange"

# What configs call linear Rec.709 (D65): those for ACES 2 and 1, Blender's.
REC709_NAMES = (
    *("Linear Rec.709 (sRGB)", "lin_rec709", "lin_rec709_srgb", "lin_rec709_scene", "lin_srgb"),
    *("Utility - Linear - Rec.709", "Utility - Linear - sRGB", "Linear Rec.709", "Linear BT.709"),
)

# Linearity is tried on these: dark, light, above 1, saturated and grey.
_TRIED = ((0.002, 0.01, 0.03), (0.18, 0.18, 0.18), (0.9, 0.05, 0.1), (0.02, 0.7, 3.0), (8.0, 12.0, 0.5))
_TOLERANCE = 1e-4  # of the largest channel: tables and float32 round

Apply = Callable[[list[float]], list[float]]


def working_space(config: str, name: str = SCENE_LINEAR) -> Colour:
    """A config's colour space, by its name, alias or role, with its matrix to linear Rec.709.

    config: a file, or ocio://... for one that is built into OpenColorIO. Raises BadInput for a config that can't be
    read, a space it does not have, one that is not linear or holds data, and a config without a way to Rec.709.
    """
    ocio = _library(config)
    opened = _open(ocio, config)
    space = opened.getColorSpace(name) if name else None
    if space is None:
        raise BadInput(_unknown(opened, config, name))
    if space.isData():
        raise BadInput(f"{_called(space, name)} of {config} holds data, not colour: {_instead(opened)}")
    apply = _way_to_rec709(ocio, opened, config, space)
    columns = [apply([float(row == column) for row in range(3)]) for column in range(3)]
    if not _is_linear(apply, columns):
        raise BadInput(
            f"{_called(space, name)} of {config} is not linear (a log or display encoding): convert the plate to a "
            f"scene-linear space first, or {_instead(opened)}"
        )
    return colour(space.getName(), [columns[column][row] for row in range(3) for column in range(3)])


def _library(config: str) -> Any:
    try:
        import PyOpenColorIO
    except ImportError as error:
        raise BadInput(
            f"the OCIO config {config} can't be read without PyOpenColorIO ({error}): install the package opencolorio "
            "for this Python, or go without OCIO"
        ) from error
    return PyOpenColorIO


def _open(ocio: Any, config: str) -> Any:
    try:
        return ocio.Config.CreateFromFile(config)
    except (ocio.Exception, ocio.ExceptionMissingFile, UnicodeDecodeError) as error:
        raise BadInput(f"the OCIO config {config} can't be read ({error}): name another") from error


def _way_to_rec709(ocio: Any, config: Any, path: str, space: Any) -> Apply:
    """One colour from the space to linear Rec.709, as the config or, failing that, its interchange role has it.

    Without that role OpenColorIO would go by what looks like sRGB in the config, which may be a curve alone.
    """
    known = next((name for name in REC709_NAMES if config.getColorSpace(name) is not None), None)
    try:
        if known is not None:
            processor = config.getProcessor(space.getName(), known)
        elif config.hasRole(INTERCHANGE) and hasattr(ocio.Config, "GetProcessorToBuiltinColorSpace"):  # 2.2
            processor = ocio.Config.GetProcessorToBuiltinColorSpace(config, space.getName(), REC709_NAMES[0])
        else:
            raise BadInput(_no_way(path, space, f"it has neither such a space nor the role {INTERCHANGE}"))
        apply: Apply = processor.getDefaultCPUProcessor().applyRGB
    except (ocio.Exception, ocio.ExceptionMissingFile) as error:
        raise BadInput(_no_way(path, space, str(error))) from error
    return apply


def _no_way(path: str, space: Any, cause: str) -> str:
    return (
        f"the OCIO config {path} has no way from {space.getName()} to linear Rec.709 ({cause}): add the space "
        f'"{REC709_NAMES[0]}" to it, or name another config'
    )


def _is_linear(apply: Apply, columns: list[list[float]]) -> bool:
    """Whether colours, sums and multiples come out as sums and multiples of what the primaries do."""
    for rgb in ([0.0, 0.0, 0.0], *_TRIED):
        expected = [sum(columns[column][row] * rgb[column] for column in range(3)) for row in range(3)]
        tolerance = _TOLERANCE * max(*rgb, 1e-3)
        # Written so that NaN is not linear.
        if not all(abs(out - wish) <= tolerance for out, wish in zip(apply(list(rgb)), expected)):
            return False
    return True


def _called(space: Any, name: str) -> str:
    own = space.getName()
    return f"the colour space {own}" + (f" ({name})" if name.lower() != own.lower() else "")


def _instead(config: Any) -> str:
    """The space that most likely was meant."""
    space = config.getColorSpace(SCENE_LINEAR)
    return f"name another, such as {space.getName()} (role {SCENE_LINEAR})" if space else "name another"


def _unknown(config: Any, path: str, name: str) -> str:
    names = {spelled.lower(): spelled for spelled in _names(config)}
    close = [names[match] for match in difflib.get_close_matches(name.lower(), names, n=5, cutoff=0.4)]
    near = f"the nearest are {', '.join(close)}" if close else f"it has {', '.join(list(names.values())[:8])}"
    return f'the OCIO config {path} has no colour space or role "{name}": {near}; name one of its own'


def _names(config: Any) -> Iterator[str]:
    """All that a space may be called by."""
    yield from config.getRoleNames()
    for name in config.getColorSpaceNames():
        yield name
        yield from getattr(config.getColorSpace(name), "getAliases", tuple)()  # OpenColorIO 2.1
