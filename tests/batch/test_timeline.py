"""Which frames of which files a timeline's clips stand for."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from edits import clip, sequence, span, write
from hypothesis import given
from hypothesis import strategies as st
from void_client.errors import BadInput
from void_client.sequences import FileSequence, FrameRange

from void_server.batch.prepare import Outcome
from void_server.batch.rates import exact_rate
from void_server.batch.timeline import BrokenShot, Shot, read_timeline
from void_server.batch.write_back import with_results

NTSC = Fraction(24000, 1001)


def shot(path: Path, **options: Any) -> Shot:
    """The only one of a timeline."""
    (found,) = read_timeline(path, **options).shots
    assert isinstance(found, Shot), found
    return found


def reason(path: Path) -> str:
    (found,) = read_timeline(path).shots
    assert isinstance(found, BrokenShot)
    assert found.name == "sh010"
    return found.reason


def test_a_marked_clip_is_a_shot_in_the_numbers_of_its_files(tmp_path: Path) -> None:
    media = sequence("plates/sh010", first=1001, count=100, starts=86400)  # the first file is at 01:00:00:00
    mark = {"roto": "rotos/sh010.%04d.exr", "prompt": "a floor", "settings": {"pass1": {"steps": 3}}, "hints": "h.json"}
    found = shot(write(tmp_path / "cut.otio", clip("sh010", media, span(86420, 30), **mark)), handles=8)
    assert (found.name, found.prompt, found.settings) == ("sh010", "a floor", {"pass1": {"steps": 3}})
    assert (found.cut, found.frames) == (FrameRange(1021, 1050), FrameRange(1013, 1058))
    assert found.inputs == {
        "plate": FileSequence(tmp_path / "plates/sh010", "plate.%04d.exr"),
        "roto": FileSequence(tmp_path / "rotos", "sh010.%04d.exr"),
    }
    assert found.hints == tmp_path / "h.json"
    assert found.start == otio.opentime.RationalTime(86412, 24)


@pytest.mark.parametrize(
    ("handles", "frames"), [(None, (1001, 1020)), (0, (1003, 1018)), (1, (1002, 1019)), (9, (1001, 1020))]
)
def test_handles_are_what_the_media_has_beyond_the_cut_or_fewer(
    tmp_path: Path, handles: int | None, frames: tuple[int, int]
) -> None:
    path = write(tmp_path / "cut.otio", clip("sh010", sequence(), span(1003, 16), roto="r.exr"))
    assert shot(path, handles=handles).frames == FrameRange(*frames)


@given(
    first=st.integers(-2000, 200_000),
    number=st.integers(-100, 20_000),
    head=st.integers(0, 50),
    count=st.integers(1, 300),
    tail=st.integers(0, 50),
    rate=st.sampled_from([24, 23.976, 23.98, 24000 / 1001, 25, 29.97, 30, 59.94, 60000 / 1001]),
)
def test_every_frame_is_the_one_that_opentimelineio_names(
    tmp_path_factory: pytest.TempPathFactory,
    first: int,
    number: int,
    head: int,
    count: int,
    tail: int,
    rate: float,
) -> None:
    """The oracle: frame_for_time of the same media, with its rate written exactly."""
    media = sequence(first=number, count=head + count + tail, starts=first, rate=rate)
    path = write(tmp_path_factory.mktemp("t") / "c.otio", clip("a", media, span(first + head, count, rate), roto="r"))
    found = shot(path, handles=0)
    exact = float(exact_rate(rate))
    oracle = sequence(first=number, count=head + count + tail, starts=first, rate=exact)
    times = [otio.opentime.RationalTime(first + head + index, exact) for index in (0, count // 2, count - 1)]
    names = [found.frames.first, found.frames.first + count // 2, found.frames.last]
    assert [oracle.frame_for_time(time) for time in times] == names


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (23.976, NTSC),
        (23.98, NTSC),
        (23.976023976023978, NTSC),
        (29.97, Fraction(30000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (24.0, Fraction(24)),
        (25.0, Fraction(25)),
        (47.952, Fraction(48000, 1001)),
        (12.5, Fraction(25, 2)),
        (23.9, Fraction(23.9)),
    ],
)
def test_a_rate_is_the_nearest_whole_one_or_its_thousand_and_first(written: float, meant: Fraction) -> None:
    assert exact_rate(written) == meant


def test_the_clips_rate_and_the_medias_may_be_written_differently(tmp_path: Path) -> None:
    """At 01:00:00:00, 23.98 and 23.976 are 14 frames apart if taken by their word."""
    media = sequence(starts=86400, rate=23.976)
    path = write(tmp_path / "cut.otio", clip("sh010", media, span(86405, 3, 23.98), roto="r.exr"))
    assert shot(path, handles=0).frames == FrameRange(1006, 1008)


def test_a_transition_shows_frames_beyond_the_cut(tmp_path: Path) -> None:
    dissolve = otio.schema.Transition(
        in_offset=otio.opentime.RationalTime(3, 24), out_offset=otio.opentime.RationalTime(5, 24)
    )
    first = clip("a", sequence(), span(1003, 10), roto="r.exr")
    second = clip("b", sequence(), span(1005, 10), roto="r.exr")
    found = read_timeline(write(tmp_path / "cut.otio", first, dissolve, second), handles=0).shots
    assert [shot.frames for shot in found] == [FrameRange(1003, 1017), FrameRange(1002, 1014)]


def test_clips_are_found_in_nested_tracks_and_compounds_beside_gaps(tmp_path: Path) -> None:
    inner = clip("inner", sequence(), span(1003, 4), roto="r.exr")
    compound = otio.schema.Stack("compound", children=[otio.schema.Track("t", [otio.schema.Gap(), inner])])
    plain = clip("plain", sequence(), span(1001, 4))
    found = read_timeline(write(tmp_path / "cut.otio", otio.schema.Gap(), compound, plain)).shots
    assert [shot.name for shot in found] == ["inner"]


def test_two_clips_of_one_name_or_one_media_are_two_shots(tmp_path: Path) -> None:
    media = sequence()
    clips = [clip(name, media, span(1003, 4), roto="r.exr") for name in ("sh/010", "SH 010", "sh_010_2", "Sh_010")]
    names = [shot.name for shot in read_timeline(write(tmp_path / "cut.otio", *clips)).shots]
    assert names == ["sh_010", "SH_010_2", "sh_010_2_2", "Sh_010_3"]


def test_what_is_disabled_is_left_out_and_named(tmp_path: Path) -> None:
    off = clip("off", sequence(), span(1003, 4), roto="r.exr")
    off.enabled = False
    nested = otio.schema.Track("t", [clip("in", sequence(), span(1003, 4), roto="r.exr")])
    nested.enabled = False
    edit = read_timeline(write(tmp_path / "cut.otio", off, nested, clip("on", sequence(), None, roto="r.exr")))
    assert [shot.name for shot in edit.shots] == ["on"]
    assert edit.disabled == ["off", "in"]


@pytest.mark.parametrize(
    ("url", "available", "number"),
    [
        ("plates/plate.%04d.exr", span(1001, 20), 1003),
        ("plates/plate.####.exr", span(1001, 20), 1003),
        ("file:///plates/a%20b/plate.%2504d.exr", span(1001, 20), 1003),
        ("plates/plate.1001.exr", span(0, 20), 1003),  # the first file of a sequence
        ("plates/plate.1003.exr", None, 2),
    ],
)
def test_an_external_reference_with_a_pattern_counts_files_by_its_range(
    tmp_path: Path, url: str, available: otio.opentime.TimeRange | None, number: int
) -> None:
    media = otio.schema.ExternalReference(url, available)
    starts = available.start_time.value + 2 if available else 2
    found = shot(write(tmp_path / "cut.otio", clip("sh010", media, span(starts, 4), roto="r.exr")), handles=0)
    assert found.frames.first == number
    plate = found.inputs["plate"].path(1003)
    assert plate == (Path("/plates/a b") if "b/" in url else tmp_path / "plates") / "plate.1003.exr"


def test_a_mark_can_name_the_exrs_of_a_clip_whose_media_is_a_film(tmp_path: Path) -> None:
    film = otio.schema.ExternalReference("cut.mov", span(86400, 100))
    mark = {"plate": "plates/p.%04d.exr", "start_frame": 1001, "roto": "r.exr"}
    found = shot(write(tmp_path / "cut.otio", clip("sh010", film, span(86410, 4), **mark)), handles=0)
    assert found.frames == FrameRange(1011, 1014)
    assert found.inputs["plate"].path(1011) == tmp_path / "plates/p.1011.exr"


@pytest.mark.parametrize(
    "marker",
    [
        otio.schema.Marker("void", metadata={"void": {"roto": "r.exr", "prompt": "p"}}),
        otio.schema.Marker("note", metadata={"void": {"roto": "r.exr", "prompt": "p"}}),
        otio.schema.Marker("VOID", comment='roto = "r.exr"\nprompt = "p"'),
        otio.schema.Marker('Void {roto = "r.exr", prompt = "p"}'),
        otio.schema.Marker("void", metadata={"fcp_xml": {"comment": '{roto = "r.exr", prompt = "p"}'}}),
    ],
    ids=["name and metadata", "metadata", "comment", "name", "xml"],
)
def test_a_marker_can_carry_the_mark(tmp_path: Path, marker: otio.schema.Marker) -> None:
    marked = clip("sh010", sequence(), span(1003, 4))
    marked.markers.append(marker)
    found = shot(write(tmp_path / "cut.otio", marked))
    assert (found.inputs["roto"].pattern, found.prompt) == ("r.exr", "p")


def warped(effect: otio.schema.Effect) -> otio.schema.Clip:
    retimed = clip("sh010", sequence(), span(1003, 4), roto="r.exr")
    retimed.effects.append(effect)
    return retimed


def nested_in_a_warp() -> otio.schema.Stack:
    stack = otio.schema.Stack("comp", children=[clip("sh010", sequence(), span(1003, 4), roto="r.exr")])
    stack.effects.append(otio.schema.LinearTimeWarp(time_scalar=0.5))
    return stack


def stepped() -> otio.schema.ImageSequenceReference:
    media = sequence()
    media.frame_step = 2
    return media


def of_two_rates() -> otio.schema.ImageSequenceReference:
    media = sequence()
    media.rate = 25
    return media


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (warped(otio.schema.LinearTimeWarp(time_scalar=-1)), ["retimed", "x-1", "put it back over the result"]),
        (warped(otio.schema.FreezeFrame()), ["retimed", "FreezeFrame"]),
        (warped(otio.schema.TimeEffect(effect_name="Twixtor")), ["retimed (Twixtor)"]),
        (nested_in_a_warp(), ["the stack 'comp' around it is retimed"]),
        (clip("sh010", sequence(rate=24), span(1003, 4, 25), roto="r"), ["at 25", "at 24", "conform the media"]),
        (clip("sh010", of_two_rates(), span(1003, 4), roto="r"), ["25 frames per second, its range 24"]),
        (clip("sh010", sequence(), span(1003, 40), roto="r"), ["frames 1003-1042, its media has 1001-1020", "trim"]),
        (clip("sh010", sequence(), span(1003.5, 4), roto="r"), ["1003.5", "between two frames"]),
        (clip("sh010", sequence(), span(1003, 0), roto="r"), ["empty"]),
        (clip("sh010", stepped(), span(1003, 4), roto="r"), ["frame_step of 2"]),
        (clip("sh010", None, span(1003, 4), roto="r"), ["media is missing", "relink"]),
        (clip("sh010", otio.schema.ExternalReference("a.mov"), span(1, 4), roto="r"), ["a.mov is no EXR", "plate"]),
        (clip("sh010", otio.schema.ExternalReference("http://x/a.exr"), span(1, 4), roto="r"), ["is no file"]),
        (clip("sh010", sequence(), span(1003, 4), prompt="p"), ["roto", "quadmask"]),
        (clip("sh010", sequence(), span(1003, 4), roto="r", quadmask="q"), ["one of the two"]),
        (clip("sh010", sequence(), span(1003, 4), quadmask="q", hints="h"), ["leave one out"]),
        (clip("sh010", sequence(), span(1003, 4), rota="r"), ["rota", "it may have roto"]),
        (clip("sh010", sequence(), span(1003, 4), roto="r", media="proxy"), ["no media 'proxy'", "DEFAULT_MEDIA"]),
        (clip("sh010", sequence(), span(1003, 4), roto="r", settings="no.toml"), ["no.toml can't be read"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cant_be_done_is_refused_with_the_next_step(
    tmp_path: Path, item: otio.core.Composable, words: list[str]
) -> None:
    said = reason(write(tmp_path / "cut.otio", item.deepcopy()))
    for word in words:
        assert word in said


def test_a_retime_that_is_none_or_switched_off_is_no_matter(tmp_path: Path) -> None:
    off = otio.schema.LinearTimeWarp(time_scalar=2.0)
    off.enabled = False
    found = warped(off)
    found.effects.append(otio.schema.LinearTimeWarp(time_scalar=1.0))
    assert shot(write(tmp_path / "cut.otio", found), handles=0).frames == FrameRange(1003, 1006)


def test_a_file_that_is_no_timeline_or_marks_nothing_is_bad_input(tmp_path: Path) -> None:
    for path, words in (
        (tmp_path / "none.otio", "there is no timeline"),
        (write(tmp_path / "plain.otio", clip("a", sequence(), span(1001, 3))), "no clip of"),
        (tmp_path / "text.otio", "can't be read as a timeline"),
        (tmp_path / "cut.prproj", "of no kind that OpenTimelineIO reads"),
    ):
        if not path.exists() and path.stem != "none":
            path.write_text("not a timeline")
        with pytest.raises(BadInput, match=words):
            read_timeline(path)


def test_an_edl_marks_its_clips_in_words(tmp_path: Path) -> None:
    path = tmp_path / "cut.edl"
    path.write_text(
        "TITLE: cut\n\n001  REEL V C 01:00:00:10 01:00:01:00 01:00:00:00 01:00:00:15\n"
        "* FROM CLIP NAME: sh010\n* FROM CLIP: /plates/plate.[1001-1025].exr\n"
        '* LOC: 01:00:00:10 RED  VOID {roto = "roto.%04d.exr", start_frame = 1011}\n'
    )
    found = shot(path, rate=25)
    assert found.frames == FrameRange(1011, 1025)
    assert found.inputs["plate"].path(1011) == Path("/plates/plate.1011.exr")
    assert found.start == otio.opentime.RationalTime(90010, 25)


def test_an_fcp_xml_is_read_as_what_it_was_written_from(tmp_path: Path) -> None:
    media = otio.schema.ExternalReference("file:///plates/plate.1001.exr", span(0, 40, 23.976))
    marked = clip("sh010", media, span(5, 10, 23.976))
    marked.markers.append(otio.schema.Marker('void {roto = "r.%04d.exr"}', span(5, 1, 23.976)))
    found = shot(write(tmp_path / "cut.xml", marked), handles=2)
    assert found.frames == FrameRange(1004, 1017)
    assert found.start.rate == float(NTSC)


@pytest.mark.parametrize(
    ("speed", "reverse", "refused"), [("50", "FALSE", True), ("100", "TRUE", True), ("100", "FALSE", False)]
)
def test_a_time_remap_of_an_fcp_xml_is_a_retime(tmp_path: Path, speed: str, reverse: str, refused: bool) -> None:
    """Its adapter reads it as any other filter."""
    media = otio.schema.ExternalReference("file:///plates/plate.1001.exr", span(0, 40))
    marked = clip("sh010", media, span(5, 10))
    marked.markers.append(otio.schema.Marker('void {roto = "r.%04d.exr"}', span(5, 1)))
    path = write(tmp_path / "cut.xml", marked)
    rest = (("variablespeed", "0"), ("speed", speed), ("reverse", reverse))
    parameters = "".join(f"<parameter><parameterid>{k}</parameterid><value>{v}</value></parameter>" for k, v in rest)
    remap = f"<filter><effect><name>Time Remap</name><effectid>timeremap</effectid>{parameters}</effect></filter>"
    path.write_text(path.read_text().replace("</clipitem>", remap + "</clipitem>"))
    if refused:
        assert f"retimed (Time Remap, {speed} %)" in reason(path)
    else:
        assert shot(path, handles=0).frames == FrameRange(1006, 1015)


def test_an_edl_says_a_retime_in_its_m2_line(tmp_path: Path) -> None:
    path = tmp_path / "cut.edl"
    path.write_text(
        "TITLE: cut\n\n001  REEL V C 01:00:00:00 01:00:00:10 01:00:00:00 01:00:00:20\n"
        "M2   REEL       012.0                01:00:00:00\n* FROM CLIP NAME: sh010\n"
        '* LOC: 01:00:00:10 RED  VOID {plate = "p.%04d.exr", roto = "r.exr"}\n'
    )
    assert "retimed (LinearTimeWarp x0.5)" in reason(path)


def test_a_result_that_does_not_say_what_it_was_made_of_is_of_the_other_media(tmp_path: Path) -> None:
    marked = clip("a", None, span(1005, 4), roto="r.exr")
    marked.set_media_references({"EXR": sequence(count=20), "VOID": sequence("earlier", count=20)}, "VOID")
    edit = read_timeline(write(tmp_path / "cut.otio", marked))
    (shot,) = edit.shots
    assert isinstance(shot, Shot)
    assert shot.inputs["plate"].folder == tmp_path / "shot"
    (written,) = with_results(edit, [Outcome(shot, "done", manifest={"void": "1"})], tmp_path, "void").find_clips()
    assert written.media_references()["VOID"].metadata["void"]["original"] == "EXR"
