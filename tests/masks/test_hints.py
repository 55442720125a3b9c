from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hint_files import FRAMES, FULL, GRID, OLDER, cells, changed, paths, read
from hypothesis import given, settings
from hypothesis import strategies as st

from void_server.masks.hints import Affected, BadHints, Belonging, Cell, GridSize, Hints, Keyframe, Localization
from void_server.masks.regions import regions

DOCUMENT = Path(__file__).parents[2] / "docs" / "hints.md"


def test_a_whole_file():
    assert read(FULL) == Hints(
        grid=GridSize(8, 14),
        scene="an empty table",
        confidence=0.75,
        belongings=(Belonging(noun="hat", grid_localizations=(Localization(1001, (Cell(0, 5),)),)),),
        affected=(
            Affected(
                noun="shadow",
                category="visual_artifact",
                why="cast by the person",
                will_move=False,
                first_appears_frame=1001,
                grid_localizations=(Localization(1001, (Cell(6, 3), Cell(7, 13))), Localization(1046, ())),
            ),
            Affected(
                noun="guitar",
                category="physical",
                why="held up",
                will_move=True,
                first_appears_frame=1010,
                object_size_grids=GridSize(3, 2),
                trajectory_path=(Keyframe(1010, 3, 6), Keyframe(1020, 7, 7)),
                currently_moving=True,
                should_have_stayed=True,
                original_position_grid=Cell(2, 1),
            ),
        ),
    )


def test_what_is_saved_can_be_given_back():
    told = read(FULL)
    assert read(msgspec.json.encode(told)) == told


def test_a_grid_alone_is_enough_and_an_editor_may_leave_its_byte_order_mark():
    told = read(b'\xef\xbb\xbf{"grid": {"rows": 8, "cols": 14}}')
    assert told == Hints(grid=GridSize(8, 14))
    assert (told.scene, told.confidence, told.belongings, told.affected) == ("", 1.0, (), ())


def test_the_examples_of_the_document_are_good():
    examples = [block.partition("```")[0] for block in DOCUMENT.read_text().split("```json\n")[1:]]
    assert len(examples) == 2
    for example in examples:
        assert regions(read(example.encode()), FRAMES, *GRID).affected[1:].any()


LOCALIZED = "affected/0/grid_localizations"
SHADOW = {"noun": "Shadow ", "category": "visual_artifact"}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("sceen", "", r"the file: .*unknown field `sceen`; docs/hints\.md lists the fields"),
        ("affected/1/colour", 1, r"affected\[1\]: .*unknown field `colour`"),
        ("affected/1/will_move", "yes", r"affected\[1\]\.will_move: Expected `bool \| null`, got `str`"),
        (f"{LOCALIZED}/0/frame", 1001.5, r"affected\[0\]\.grid_localizations\[0\]\.frame: Expected `int`"),
        (f"{LOCALIZED}/0/grid_regions/1/row", -1, r"grid_regions\[1\]\.row: Expected `int` >= 0"),
        ("affected/0/category", "shadow", r"affected\[0\]\.category: Invalid enum value 'shadow'"),
        ("affected/0/noun", "", r"affected\[0\]\.noun: Expected `str` of length >= 1"),
        ("affected/0/noun", "x" * 101, r"affected\[0\]\.noun: Expected `str` of length <= 100"),
        ("scene", "x" * 10_001, r"scene: Expected `str` of length <= 10000"),
        ("confidence", 1.5, r"confidence: Expected `float` <= 1"),
        ("belongings", FULL["belongings"] * 4, r"belongings: Expected `array` of length <= 3"),
        ("affected", FULL["affected"] * 33, r"affected: Expected `array` of length <= 64"),
        ("grid", {"rows": 8, "cols": 8}, r"grid is 8 rows and 8 columns, the shot's is 8 and 14.*make them again"),
        ("grid", None, r"grid: Expected `object`, got `null`"),
        (f"{LOCALIZED}/0/frame", 0, r"affected\[0\]\.grid_localizations\[0\]\.frame is 0, which is not.*1001 to 1046"),
        (
            "affected/1/trajectory_path/1/frame",
            1047,
            r"affected\[1\]\.trajectory_path\[1\]\.frame is 1047, which is not",
        ),
        ("affected/1/first_appears_frame", 1000, r"affected\[1\]\.first_appears_frame is 1000, which is not"),
        ("belongings/0/grid_localizations/0/frame", 7, r"belongings\[0\]\.grid_localizations\[0\]\.frame is 7"),
        (f"{LOCALIZED}/0/grid_regions/1/row", 8, r"grid_regions\[1\]\.row is 8, outside the grid of 8 rows.*0 to 7"),
        (f"{LOCALIZED}/0/grid_regions/1/col", 14, r"grid_regions\[1\]\.col is 14, outside the grid of 14 columns"),
        ("affected/1/trajectory_path/1/grid_row", 8, r"affected\[1\]\.trajectory_path\[1\]\.grid_row is 8, outside"),
        ("affected/1/trajectory_path/1/grid_col", 99, r"affected\[1\]\.trajectory_path\[1\]\.grid_col is 99, outside"),
        ("affected/1/original_position_grid/row", 8, r"affected\[1\]\.original_position_grid\.row is 8, outside"),
        ("affected/1/object_size_grids/rows", 9, r"affected\[1\]\.object_size_grids is 9 rows and 2 cols, larger"),
        ("affected/1/object_size_grids/cols", 15, r"affected\[1\]\.object_size_grids is 3 rows and 15 cols, larger"),
        ("affected/1/object_size_grids", None, r"affected\[1\] has a trajectory_path but no object_size_grids: say"),
        ("affected/1/will_move", False, r"affected\[1\]\.will_move is false, but it has a trajectory_path: make it"),
        (
            "affected/1/first_appears_frame",
            1011,
            r"trajectory_path\[0\]\.frame is 1010, but first_appears_frame is 1011",
        ),
        ("affected/0/first_appears_frame", 1002, r"localizations\[0\]\.frame is 1001, but first_appears_frame is 1002"),
        (f"{LOCALIZED}/0/grid_regions", [], r"affected\[0\] \('shadow'\) has no cell at any frame: say where it is"),
        ("belongings/0/grid_localizations", [], r"belongings\[0\] \('hat'\) has no cell at any frame"),
        (
            "affected/1/trajectory_path/2",
            {"frame": 1010, "grid_row": 3, "grid_col": 7},
            r"trajectory_path\[0\] and affected\[1\]\.trajectory_path\[2\] give 'guitar' a different position on its "
            r"path at frame 1010: correct one",
        ),
        (
            f"{LOCALIZED}/2",
            {"frame": 1001, "grid_regions": cells((6, 3))},
            r"grid_localizations\[0\] and affected\[0\]\.grid_localizations\[2\] give 'shadow' a different set of "
            r"cells at frame 1001: correct one",
        ),
        (
            "affected/2",
            SHADOW | {"grid_localizations": [{"frame": 1001, "grid_regions": cells((1, 1))}]},
            r"affected\[0\]\.grid_localizations\[0\] and affected\[2\]\.grid_localizations\[0\] give 'Shadow ' a "
            r"different set of cells at frame 1001: correct one of them, or give two objects two nouns",
        ),
        (
            "affected/2",
            {"noun": "GUITAR", "category": "physical", "original_position_grid": {"row": 2, "col": 2}},
            r"affected\[1\]\.original_position_grid and affected\[2\]\.original_position_grid give 'GUITAR' a "
            r"different original position: correct",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place_and_what_to_do(path, value, message):
    with pytest.raises(BadHints, match=rf"^hints\.json: .*{message}"):
        read(changed(FULL, path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{LOCALIZED}/2", {"frame": 1001, "grid_regions": cells((7, 13), (6, 3), (6, 3))}),
        ("affected/1/trajectory_path/2", {"frame": 1010, "grid_row": 3, "grid_col": 6}),
        ("affected/2", SHADOW | {"grid_localizations": [{"frame": 1002, "grid_regions": cells((1, 1))}]}),
        ("affected/1/will_move", None),
        ("affected/1/first_appears_frame", 1009),
        ("affected/0/grid_localizations/1/frame", 1001 + 45),
        ("affected/1/object_size_grids", {"rows": 8, "cols": 14}),
    ],
)
def test_what_agrees_or_goes_to_the_very_edge_is_taken(path, value):
    read(changed(FULL, path, value))


def test_an_object_may_be_absent_before_its_first_frame():
    first = {"frame": 1001, "grid_regions": []}
    there = {"frame": 1005, "grid_regions": cells((1, 1))}
    told = SHADOW | {"first_appears_frame": 1005, "grid_localizations": [first, there]}
    assert len(read({"grid": {"rows": 8, "cols": 14}, "affected": [told]}).affected) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"not valid JSON: Input data was truncated"),
        (b'{"grid": {"rows": 8', r"not valid JSON: Input data was truncated"),
        (b'{\n "grid": {"rows": 8,\n "cols": 14,}}', r"not valid JSON, line 3: .*comma, quote or bracket"),
        (b'{"scene": "\xff"}', r"hints\.json: not UTF-8 text: save it as UTF-8"),
        (b'{"scene": "\\ud800"}', r"not valid JSON"),
        (b'{"confidence": NaN}', r"not valid JSON"),
        (b"[]", r"the file: Expected `object`, got `array`"),
        (b"7", r"the file: Expected `object`, got `int`"),
        (b'{"deep": ' + b"[" * 1_000_000, r"not valid JSON: maximum recursion depth"),
        (b'{"affected": ' + b"[" * 1_000_000, r"hints\.json: "),
        (b'{"grid": {"rows": ' + b"9" * 100_000 + b', "cols": 14}}', r"grid\.rows: .*out of range"),
        (b'{"grid": {"rows": 9999999999999999999999, "cols": 14}}', r"grid\.rows: "),
        (b'{"' + b"x" * 1_000_000 + b'": 1}', r"unknown field `xxx"),
        (b" " * (4 << 20) + b"{}", r"4194306 bytes, more than 4194304: name fewer frames"),
    ],
)
def test_a_broken_or_hostile_file_is_refused_in_a_few_words(data, message):
    with pytest.raises(BadHints, match=message) as caught:
        read(data)
    assert len(str(caught.value)) < 400


def test_every_cell_of_every_frame_of_a_long_shot_fits_into_a_file_an_editor_has_indented():
    everywhere = cells(*[(row, col) for row in range(8) for col in range(14)])
    told = [{"frame": frame, "grid_regions": everywhere} for frame in range(1001, 1198)]
    content = changed(FULL, "affected", [SHADOW | {"grid_localizations": told}])
    assert len(read(json.dumps(content, indent=2).encode(), range(1001, 1198)).affected[0].grid_localizations) == 197


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(place=st.sampled_from([(form, path) for form in (FULL, OLDER) for path in paths(form)]), value=ANY_JSON)
def test_whatever_stands_anywhere_is_either_refused_or_gives_regions(place, value):
    try:
        told = read(changed(*place, value))
    except BadHints:
        return
    assert regions(told, FRAMES, *GRID, grow=1).affected.shape == (46, 8, 14)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_bytes_at_random_are_refused(data):
    with pytest.raises(BadHints):
        read(data)
