"""The schema that models are asked to fill, and the older form of a file."""

from __future__ import annotations

import copy
import json

import pytest
from hint_files import FRAMES, FULL, GRID, OLDER, changed, paths, read

from void_server.masks import hints
from void_server.masks.hints import Affected, BadHints, Belonging, Cell, GridSize, Hints, Keyframe, Localization
from void_server.masks.regions import regions


def nodes(schema):
    """Every schema within a schema."""
    yield schema
    within = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    for inner in [*within, schema["items"]] if "items" in schema else within:
        yield from nodes(inner)


def fits(value, schema):
    """Whether a value is what the schema asks for: just the keywords we use."""
    if "anyOf" in schema:
        return any(fits(value, each) for each in schema["anyOf"])
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    kind = schema["type"]
    if kind in ("integer", "number"):
        right = isinstance(value, int if kind == "integer" else int | float) and not isinstance(value, bool)
        return right and schema.get("minimum", value) <= value <= schema.get("maximum", value)
    if not isinstance(value, kinds[kind]):
        return False
    if kind == "object":
        inner = schema["properties"]
        return set(schema["required"]) <= set(value) <= set(inner) and all(
            fits(value[key], inner[key]) for key in value
        )
    if kind == "array":
        return len(value) <= schema.get("maxItems", len(value)) and all(fits(item, schema["items"]) for item in value)
    return "enum" not in schema or value in schema["enum"]


def test_the_schema_asks_for_every_field_and_is_told_in_words_that_providers_take():
    known = {"type", "description", "properties", "required", "additionalProperties", "items", "maxItems"}
    every = list(nodes(hints.schema()))
    for node in every:
        assert set(node) <= known | {"anyOf", "enum", "minimum", "maximum"}
        assert "anyOf" in node or isinstance(node["type"], str)
        if node.get("type") == "object":
            assert node["required"] == list(node["properties"])
            assert node["additionalProperties"] is False
    # Belongings, affected objects, keyframes: what guards the reader alone is not asked of a model.
    assert sorted(node["maxItems"] for node in every if "maxItems" in node) == [3, 5, 5]
    assert {node[word] for node in every for word in ("minimum", "maximum") if word in node} == {0, 1}
    assert "$" not in json.dumps(hints.schema())
    objects = {tuple(node["properties"]) for node in every if "properties" in node}
    structs = (Hints, GridSize, Belonging, Localization, Cell, Affected, Keyframe)
    assert objects == {struct.__struct_fields__ for struct in structs}


def test_what_the_schema_asks_for_can_be_read():
    asked = hints.schema()
    assert fits(FULL, asked)
    for path in paths(FULL):
        keys = path.split("/")
        if keys[-1].isdigit():
            continue
        without = copy.deepcopy(FULL)
        node = without
        for key in keys[:-1]:
            node = node[int(key) if key.isdigit() else key]
        del node[keys[-1]]
        assert not fits(without, asked), path
    for path, value in (("extra", 1), ("affected/0/category", "shadow"), ("confidence", 2), ("grid/rows", 0)):
        assert not fits(changed(FULL, path, value), asked)
    assert not fits(changed(FULL, "affected", FULL["affected"] * 3), asked)
    assert not fits(changed(FULL, "affected/1/trajectory_path", FULL["affected"][1]["trajectory_path"] * 3), asked)


def test_the_older_form_holds_its_cells_for_the_whole_shot():
    told = read(OLDER)
    assert told == Hints(
        grid=GridSize(8, 14),
        scene="an empty gym",
        confidence=0.95,
        belongings=(Belonging(noun="hat", grid_localizations=(Localization(1001, (Cell(0, 3), Cell(0, 4))),)),),
        affected=(
            Affected(
                noun="mat",
                category="physical",
                why="pressed down",
                will_move=True,
                grid_localizations=(Localization(1001, (Cell(6, 4), Cell(6, 5), Cell(7, 4), Cell(7, 5))),),
            ),
            Affected(
                noun="shadow",
                category="visual_artifact",
                will_move=False,
                grid_localizations=(Localization(1001, (Cell(5, 3),)),),
            ),
        ),
    )
    affected = regions(told, FRAMES, *GRID).affected
    assert affected.sum(axis=(1, 2)).tolist() == [0] + [5] * 45


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("grid_cols", 8, r"grid_rows and grid_cols is 8 rows and 8 columns, the shot's is 8 and 14"),
        ("affected_subjects/0/contact_position/0", [8, 0], r"affected_subjects\[0\]\.contact_position\[0\]\[0\] is 8"),
        ("affected_subjects/0/final_position/0", [0, 14], r"affected_subjects\[0\]\.final_position\[0\]\[1\] is 14"),
        ("integral_belongings/0/position/1", [9, 0], r"integral_belongings\[0\]\.position\[1\]\[0\] is 9, outside"),
        ("affected_subjects/0/movement_path/0", [1], r"affected_subjects\[0\]\.movement_path\[0\]: Expected `array`"),
        (
            "affected_subjects/0/will_move",
            False,
            r"affected_subjects\[0\]\.will_move is false, but it has a movement_path",
        ),
        ("affected_subjects/1/current_position", [], r"affected_subjects\[1\] \('shadow'\) has no cell at any frame"),
        (
            "affected_subjects/1/noun",
            "Mat",
            r"affected_subjects\[0\] and affected_subjects\[1\] give 'Mat' a different",
        ),
        ("affected_subjects/1/colour", 1, r"affected_subjects\[1\]: .*unknown field `colour`"),
        ("affected", [], r"the file: .*unknown field `affected`"),
    ],
)
def test_the_older_form_is_checked_too(path, value, message):
    with pytest.raises(BadHints, match=rf"^hints\.json: {message}"):
        read(changed(OLDER, path, value))


def test_a_real_answer_of_the_older_form(shared):
    data = (shared / "samples" / "gemini_answer_older_schema.json").read_bytes()
    told, written = read(data), json.loads(data)
    assert told.scene.startswith("A gymnasium scene featuring a trampoline")
    assert (told.confidence, told.belongings) == (0.95, ())
    assert [(thing.noun, thing.category) for thing in told.affected] == [
        ("shadow", "visual_artifact"),
        ("trampoline bed", "physical"),
    ]
    everywhere = {tuple(pair) for thing in written["affected_subjects"] for pair in thing["current_position"]}
    affected = regions(told, FRAMES, *GRID).affected
    assert not affected[0].any()
    for frame in affected[1:]:
        assert {(int(row), int(col)) for row, col in zip(*frame.nonzero(), strict=True)} == everywhere
