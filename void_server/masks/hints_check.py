"""Whether hints fit their shot and agree with themselves. Messages give the place as a path within the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from void_server.masks.hints_form import Affected, BadHints, Belonging, Hints

Placed = tuple[str, int]  # a place in the file, and the number that stands there


class Statement(NamedTuple):
    """One thing that is said of an object: where in the file, of what, at which frame (None: always), and what."""

    path: str
    what: str
    frame: int | None
    value: frozenset[tuple[int, int]] | tuple[int, int]


class Said:
    """What has been said of each noun so far, so that a second word on the same is compared with the first."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str, int | None], Statement] = {}

    def add(self, noun: str, new: Statement) -> None:
        """Raises BadHints where this disagrees with what was said of that noun before, in whatever case."""
        first = self._first.setdefault((noun.strip().casefold(), new.what, new.frame), new)
        if first.value != new.value:
            at = "" if new.frame is None else f" at frame {new.frame}"
            raise BadHints(
                f"{first.path} and {new.path} give {noun!r} a different {new.what}{at}: correct one of them, or give "
                "two objects two nouns"
            )


def check_hints(hints: Hints, frames: range, grid: tuple[int, int]) -> None:
    """Hints of the published form against their shot: its own frame numbers, its (rows, columns). Raises BadHints."""
    check_grid("grid", (hints.grid.rows, hints.grid.cols), grid)
    things: list[tuple[str, Belonging | Affected]] = []
    things += [(f"belongings[{index}]", thing) for index, thing in enumerate(hints.belongings)]
    things += [(f"affected[{index}]", thing) for index, thing in enumerate(hints.affected)]
    said = Said()
    for where, thing in things:
        _check_localizations(f"{where}.grid_localizations", thing, frames, grid)
        if isinstance(thing, Affected):
            _check_affected(where, thing, frames, grid)
        statements = list(_statements(where, thing))
        check_placed(where, thing.noun, any(statement.value for statement in statements))
        for statement in statements:
            said.add(thing.noun, statement)


def check_grid(where: str, told: tuple[int, int], grid: tuple[int, int]) -> None:
    """That hints were made for a picture of this shape. Raises BadHints."""
    if told != grid:
        raise BadHints(
            f"{where} is {told[0]} rows and {told[1]} columns, the shot's is {grid[0]} and {grid[1]}: these hints are "
            "for a picture of another shape, make them again for this one"
        )


def check_cell(row: Placed, col: Placed, grid: tuple[int, int]) -> None:
    """That there is such a cell. Raises BadHints."""
    for (path, value), count, what in ((row, grid[0], "rows"), (col, grid[1], "columns")):
        if value >= count:
            raise BadHints(f"{path} is {value}, outside the grid of {count} {what}: they count from 0 to {count - 1}")


def check_placed(where: str, noun: str, placed: bool) -> None:
    """That an object is somewhere at all. Raises BadHints."""
    if not placed:
        raise BadHints(f"{where} ({noun!r}) has no cell at any frame: say where it is, or take it out")


def _check_frame(path: str, frame: int, frames: range) -> None:
    if frame not in frames:
        raise BadHints(
            f"{path} is {frame}, which is not a frame of the shot: use the plate's own numbers, "
            f"{frames[0]} to {frames[-1]}"
        )


def _check_localizations(path: str, thing: Belonging | Affected, frames: range, grid: tuple[int, int]) -> None:
    for index, localization in enumerate(thing.grid_localizations):
        _check_frame(f"{path}[{index}].frame", localization.frame, frames)
        for number, cell in enumerate(localization.grid_regions):
            at = f"{path}[{index}].grid_regions[{number}]"
            check_cell((f"{at}.row", cell.row), (f"{at}.col", cell.col), grid)


def _check_affected(where: str, thing: Affected, frames: range, grid: tuple[int, int]) -> None:
    """What an affected object has beyond a belonging."""
    for index, key in enumerate(thing.trajectory_path):
        path = f"{where}.trajectory_path[{index}]"
        _check_frame(f"{path}.frame", key.frame, frames)
        check_cell((f"{path}.grid_row", key.grid_row), (f"{path}.grid_col", key.grid_col), grid)
    size, home, first = thing.object_size_grids, thing.original_position_grid, thing.first_appears_frame
    if thing.trajectory_path and thing.will_move is False:
        raise BadHints(f"{where}.will_move is false, but it has a trajectory_path: make it true, or take out the path")
    if thing.trajectory_path and size is None:
        raise BadHints(f"{where} has a trajectory_path but no object_size_grids: say how many rows and cols it covers")
    if size and (size.rows > grid[0] or size.cols > grid[1]):
        raise BadHints(
            f"{where}.object_size_grids is {size.rows} rows and {size.cols} cols, larger than the grid: {grid[0]} and "
            f"{grid[1]} are the most"
        )
    if home:
        path = f"{where}.original_position_grid"
        check_cell((f"{path}.row", home.row), (f"{path}.col", home.col), grid)
    if first is not None:
        _check_frame(f"{where}.first_appears_frame", first, frames)
        for told in _statements(where, thing):
            if told.value and told.frame is not None and told.frame < first:
                raise BadHints(
                    f"{told.path}.frame is {told.frame}, but first_appears_frame is {first}: correct one of them"
                )


def _statements(where: str, thing: Belonging | Affected) -> Iterator[Statement]:
    """What is said of an object, one by one."""
    for index, localization in enumerate(thing.grid_localizations):
        cells = frozenset((cell.row, cell.col) for cell in localization.grid_regions)
        yield Statement(f"{where}.grid_localizations[{index}]", "set of cells", localization.frame, cells)
    if isinstance(thing, Affected):
        for index, key in enumerate(thing.trajectory_path):
            centre = (key.grid_row, key.grid_col)
            yield Statement(f"{where}.trajectory_path[{index}]", "position on its path", key.frame, centre)
        if thing.original_position_grid:
            home = (thing.original_position_grid.row, thing.original_position_grid.col)
            yield Statement(f"{where}.original_position_grid", "original position", None, home)
