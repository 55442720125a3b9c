"""The two forms of a hints file as types: what each field is, and how much a file may hold.

What the fields mean for the quadmask is written in docs/hints.md. Rows and columns are counted from 0 at the top left.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

LARGEST_NUMBER = 2**31 - 1

FrameNumber = Annotated[int, Meta(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER, description="the plate's own frame number")]
Index = Annotated[int, Meta(ge=0, le=LARGEST_NUMBER, description="counted from 0 at the top left")]
Count = Annotated[int, Meta(ge=1, le=LARGEST_NUMBER)]
Noun = Annotated[str, Meta(min_length=1, max_length=100, description="a short name, another one for each object")]
Text = Annotated[str, Meta(max_length=10_000)]
Confidence = Annotated[float, Meta(ge=0, le=1)]
CellList = Annotated[tuple[tuple[Index, Index], ...], Meta(max_length=20_000)]


class BadHints(ValueError):
    """Hints that cannot be used; the message names the file, the place in it and what to do."""


class GridSize(Struct, frozen=True, forbid_unknown_fields=True):
    """A number of rows and columns of cells."""

    rows: Count
    cols: Count


class Cell(Struct, frozen=True, forbid_unknown_fields=True):
    """One cell of the grid."""

    row: Index
    col: Index


class Localization(Struct, frozen=True, forbid_unknown_fields=True):
    """Every cell that holds any part of the object at one frame; no cells: it is not in the picture."""

    frame: FrameNumber
    grid_regions: Annotated[tuple[Cell, ...], Meta(max_length=20_000)]


class Keyframe(Struct, frozen=True, forbid_unknown_fields=True):
    """The cell in which the centre of the object lies at one frame."""

    frame: FrameNumber
    grid_row: Index
    grid_col: Index


Localizations = Annotated[tuple[Localization, ...], Meta(max_length=10_000)]


class Belonging(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something that is removed together with the object: a hat, a bike being ridden."""

    noun: Noun
    grid_localizations: Localizations


# "asked" is how many a model is asked for at most, where a file may hold more.
class Affected(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something that stays in the scene and looks or moves otherwise once the object is gone."""

    noun: Noun
    category: Annotated[
        Literal["visual_artifact", "physical"], Meta(description="visual_artifact: a shadow, a reflection, ripples")
    ]
    why: Text = ""
    will_move: Annotated[bool | None, Meta(description="whether it falls or moves once the object is gone")] = None
    first_appears_frame: Annotated[FrameNumber | None, Meta(description="null: from the start")] = None
    grid_localizations: Annotated[
        Localizations, Meta(description="where it shows: for every visual artifact, and for what moves now")
    ] = ()
    object_size_grids: Annotated[GridSize | None, Meta(description="its size in cells, rather too large")] = None
    trajectory_path: Annotated[
        tuple[Keyframe, ...],
        Meta(max_length=10_000, extra_json_schema={"asked": 5}, description="3-5 keyframes of what falls or moves"),
    ] = ()
    currently_moving: Annotated[bool, Meta(description="whether it moves in the plate")] = False
    should_have_stayed: Annotated[bool, Meta(description="whether it would have stayed without the object")] = False
    original_position_grid: Annotated[Cell | None, Meta(description="where it would have stayed: its centre")] = None


class Hints(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What goes along with the object that is removed, what that affects, and what remains."""

    grid: GridSize
    scene: Annotated[Text, Meta(description="the scene without the object, in one or two sentences")] = ""
    confidence: Confidence = 1.0
    belongings: Annotated[tuple[Belonging, ...], Meta(max_length=3, extra_json_schema={"asked": 3})] = ()
    affected: Annotated[tuple[Affected, ...], Meta(max_length=64, extra_json_schema={"asked": 5})] = ()


class OlderPlace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The older form's object, or something removed together with it."""

    noun: Noun
    aliases: Annotated[tuple[Text, ...], Meta(max_length=100)] = ()
    position: CellList = ()
    why: Text = ""
    reasoning: Text = ""


class OlderAffected(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The older form's affected object: lists of cells that hold for the whole shot, and no frames."""

    noun: Noun
    why: Text = ""
    current_position: CellList = ()
    current_reasoning: Text = ""
    contact_position: CellList = ()
    contact_reasoning: Text = ""
    will_move: bool | None = None
    movement_path: CellList = ()
    final_position: CellList = ()
    movement_reasoning: Text = ""


class OlderHints(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The older form of a file."""

    grid_rows: Count
    grid_cols: Count
    primary_subject: OlderPlace | None = None
    integral_belongings: Annotated[tuple[OlderPlace, ...], Meta(max_length=3)] = ()
    affected_subjects: Annotated[tuple[OlderAffected, ...], Meta(max_length=64)] = ()
    scene_description: Text = ""
    camera_motion_note: Text = ""
    confidence: Confidence = 1.0


class FormPeek(Struct):
    """The names by which the older form is known, unread."""

    affected_subjects: Raw | UnsetType = UNSET
    grid_rows: Raw | UnsetType = UNSET

    @property
    def older(self) -> bool:
        """Whether the file is of the older form."""
        return self.affected_subjects is not UNSET or self.grid_rows is not UNSET
