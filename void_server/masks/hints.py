"""Hints: what goes along with the object and what it affects, in cells of the grid, from an artist or a vision model.

A JSON file, published in docs/hints.md. `read_hints` reads and checks one; `schema` is what a model is asked to
fill; masks/regions.py turns hints into cells and pixels.
"""

from __future__ import annotations

import codecs
import re
from typing import Any, TypeVar

import msgspec

from void_server.masks.hints_check import Said, Statement, check_cell, check_grid, check_hints, check_placed
from void_server.masks.hints_form import (
    LARGEST_NUMBER,
    Affected,
    BadHints,
    Belonging,
    Cell,
    FormPeek,
    GridSize,
    Hints,
    Keyframe,
    Localization,
    OlderHints,
)

__all__ = [
    "Affected",
    "BadHints",
    "Belonging",
    "Cell",
    "GridSize",
    "Hints",
    "Keyframe",
    "Localization",
    "read_hints",
    "schema",
]

NEWLINE = b"\n"
LARGEST_FILE = 4 << 20  # 200 frames that each name all of 8 x 14 cells, a line a field, are 2 MiB

# In one way or another the models' providers refuse these, or what they hold: defaults and titles are no constraints,
# lengths guard the reader alone, and long arrays make Gemini call a schema too complex.
_NOT_FOR_MODELS = ("title", "default", "minLength", "maxLength", "maxItems")

_OLDER_PLACES = ("current_position", "contact_position", "movement_path", "final_position")

Form = TypeVar("Form")
CellPairs = tuple[tuple[int, int], ...]


def read_hints(data: bytes, name: str, frames: range, grid: tuple[int, int]) -> Hints:
    """A hints file, in the published or the older form, checked against its shot.

    `name` is the file's, for messages; `frames` are the shot's own numbers; `grid` is (rows, columns) as
    `masks.grid.grid_shape` gives them. Raises BadHints, which names the place in the file, for JSON that is not
    valid, fields that are unknown or of a wrong type, frames outside the shot, cells outside the grid, another
    grid, sizes above the grid's, objects without any place, and hints that contradict each other.
    """
    try:
        if len(data) > LARGEST_FILE:
            raise BadHints(
                f"{len(data)} bytes, more than {LARGEST_FILE}: name fewer frames, the others are interpolated"
            )
        if _decode(data, FormPeek).older:
            return _translate(_decode(data, OlderHints), frames, grid)
        hints = _decode(data, Hints)
        check_hints(hints, frames, grid)
    except BadHints as problem:
        raise BadHints(f"{name}: {problem}") from problem.__cause__
    return hints


def schema() -> dict[str, Any]:
    """JSON Schema of the published form, for Gemini's response_json_schema and OpenAI's strict response_format.

    Stricter than reading: every field is required, nullable where it may be absent, since OpenAI takes no optional
    ones. References are inlined, and only what both providers document is used: type, enum, anyOf, properties,
    required, additionalProperties, items, maxItems, minimum, maximum, description.
    """
    whole = msgspec.json.schema(Hints)
    inlined: dict[str, Any] = _for_models(whole, whole["$defs"])
    return inlined


def _for_models(node: Any, definitions: dict[str, Any]) -> Any:
    """One node of a schema with its references inlined and without what models' providers don't take."""
    if not isinstance(node, dict):
        return [_for_models(item, definitions) for item in node] if isinstance(node, list) else node
    if "$ref" in node:
        node = definitions[node["$ref"].rpartition("/")[2]] | {k: v for k, v in node.items() if k[0] != "$"}
    kept = {key: value for key, value in node.items() if key not in _NOT_FOR_MODELS and not _no_bound(key, value)}
    if "asked" in kept:
        kept["maxItems"] = kept.pop("asked")
    if "enum" in kept:
        kept["type"] = "string"
    if "properties" in kept:
        properties = {name: _for_models(value, definitions) for name, value in kept["properties"].items()}
        return kept | {"properties": properties, "required": list(properties)}
    return {key: _for_models(value, definitions) for key, value in kept.items()}


def _no_bound(key: str, value: Any) -> bool:
    """Whether this keyword is a bound that only guards the reader."""
    return key in ("minimum", "maximum") and abs(value) == LARGEST_NUMBER


def _decode(data: bytes, form: type[Form]) -> Form:
    """The file as one of the forms. Raises BadHints."""
    try:
        return msgspec.json.decode(data.removeprefix(codecs.BOM_UTF8), type=form)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        where = path.strip(".`") or "the file"
        raise BadHints(f"{where}: {problem[:200]}; docs/hints.md lists the fields and what they hold") from error
    except UnicodeDecodeError as error:
        raise BadHints("not UTF-8 text: save it as UTF-8") from error
    except (msgspec.DecodeError, RecursionError) as error:
        byte = re.search(r"byte (\d+)", str(error))
        line = f", line {data.count(NEWLINE, 0, int(byte[1])) + 1}" if byte else ""
        raise BadHints(f"not valid JSON{line}: {error}; look for a comma, quote or bracket gone astray") from error


def _translate(older: OlderHints, frames: range, grid: tuple[int, int]) -> Hints:
    """Hints of the older form in the published one: its cells hold for the whole shot, so from the first frame on.

    An affected object is in all cells that any of its lists names. What will move is physical, else a visual
    artifact, which makes no difference to the region. The primary is the roto's to say; aliases, reasonings and the
    camera's motion are left out. Raises BadHints.
    """
    check_grid("grid_rows and grid_cols", (older.grid_rows, older.grid_cols), grid)
    belongings, affected = [], []
    said = Said()
    for index, place in enumerate(older.integral_belongings):
        where = f"integral_belongings[{index}]"
        held = _held(where, place.noun, {"position": place.position}, said, frames, grid)
        belongings.append(Belonging(noun=place.noun, grid_localizations=held))
    for index, thing in enumerate(older.affected_subjects):
        where = f"affected_subjects[{index}]"
        if thing.movement_path and thing.will_move is False:
            raise BadHints(
                f"{where}.will_move is false, but it has a movement_path: make it true, or take out the path"
            )
        lists = {label: getattr(thing, label) for label in _OLDER_PLACES}
        affected.append(
            Affected(
                noun=thing.noun,
                category="physical" if thing.will_move else "visual_artifact",
                why=thing.why,
                will_move=thing.will_move,
                grid_localizations=_held(where, thing.noun, lists, said, frames, grid),
            )
        )
    return Hints(
        grid=GridSize(older.grid_rows, older.grid_cols),
        scene=older.scene_description,
        confidence=older.confidence,
        belongings=tuple(belongings),
        affected=tuple(affected),
    )


def _held(
    where: str, noun: str, lists: dict[str, CellPairs], said: Said, frames: range, grid: tuple[int, int]
) -> tuple[Localization, ...]:
    """The cells of several lists of [row, col], from the shot's first frame on. Raises BadHints."""
    for label, pairs in lists.items():
        for index, (row, col) in enumerate(pairs):
            path = f"{where}.{label}[{index}]"
            check_cell((f"{path}[0]", row), (f"{path}[1]", col), grid)
    cells = frozenset(pair for pairs in lists.values() for pair in pairs)
    check_placed(where, noun, bool(cells))
    said.add(noun, Statement(where, "set of cells", None, cells))
    return (Localization(frames[0], tuple(Cell(row, col) for row, col in sorted(cells))),)
