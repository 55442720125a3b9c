"""Hints files of both forms, for tests to change and read."""

from __future__ import annotations

import copy
import json

from void_server.masks import hints

FRAMES, GRID = range(1001, 1047), (8, 14)


def cells(*pairs):
    return [{"row": row, "col": col} for row, col in pairs]


FULL = {
    "grid": {"rows": 8, "cols": 14},
    "scene": "an empty table",
    "confidence": 0.75,
    "belongings": [{"noun": "hat", "grid_localizations": [{"frame": 1001, "grid_regions": cells((0, 5))}]}],
    "affected": [
        {
            "noun": "shadow",
            "category": "visual_artifact",
            "why": "cast by the person",
            "will_move": False,
            "first_appears_frame": 1001,
            "grid_localizations": [
                {"frame": 1001, "grid_regions": cells((6, 3), (7, 13))},
                {"frame": 1046, "grid_regions": []},
            ],
            "object_size_grids": None,
            "trajectory_path": [],
            "currently_moving": False,
            "should_have_stayed": False,
            "original_position_grid": None,
        },
        {
            "noun": "guitar",
            "category": "physical",
            "why": "held up",
            "will_move": True,
            "first_appears_frame": 1010,
            "grid_localizations": [],
            "object_size_grids": {"rows": 3, "cols": 2},
            "trajectory_path": [
                {"frame": 1010, "grid_row": 3, "grid_col": 6},
                {"frame": 1020, "grid_row": 7, "grid_col": 7},
            ],
            "currently_moving": True,
            "should_have_stayed": True,
            "original_position_grid": {"row": 2, "col": 1},
        },
    ],
}

OLDER = {
    "grid_rows": 8,
    "grid_cols": 14,
    "primary_subject": {"noun": "person", "aliases": ["man"], "position": [[1, 3]], "reasoning": "in the middle"},
    "integral_belongings": [{"noun": "hat", "position": [[0, 3], [0, 4]]}],
    "affected_subjects": [
        {
            "noun": "mat",
            "why": "pressed down",
            "current_position": [[6, 4], [6, 5]],
            "contact_position": [[6, 4]],
            "will_move": True,
            "movement_path": [[7, 4]],
            "final_position": [[7, 5]],
            "movement_reasoning": "it comes to rest",
        },
        {"noun": "shadow", "current_position": [[5, 3]], "will_move": False, "movement_path": []},
    ],
    "scene_description": "an empty gym",
    "confidence": 0.95,
}


def read(content, frames=FRAMES, grid=GRID):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return hints.read_hints(data, "hints.json", frames, grid)


def changed(content, path, value):
    """A copy of the content with another value at a path such as affected/0/noun."""
    result = copy.deepcopy(content)
    *way, last = [int(key) if key.isdigit() else key for key in path.split("/")]
    node = result
    for key in way:
        node = node[key]
    if isinstance(node, list) and last == len(node):
        node.append(value)
    else:
        node[last] = value
    return result


def paths(node, prefix=""):
    """Every place in a content."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield f"{prefix}{key}"
        yield from paths(value, f"{prefix}{key}/")
