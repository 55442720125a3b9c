from __future__ import annotations

import io

import av
import numpy as np
import pytest
from PIL import Image

from void_server.masks import evidence
from void_server.masks.evidence import (
    HEADER,
    KIB,
    MARGIN,
    STILL_BYTES,
    VIDEO_BYTES,
    draw_grid,
    encode_within,
    gather_evidence,
    make_video,
    still_indices,
    tint,
)
from void_server.masks.grid import gridify
from void_server.masks.quadmask import BadMask


def small_clip(length=14, height=64, width=96):
    """Grey, a little brighter from frame to frame, so that each can be told; the primary enters on the fourth."""
    levels = 40 + 8 * np.arange(length) % 160
    clip = np.broadcast_to(levels[:, None, None, None], (length, height, width, 3)).astype(np.uint8)
    primary = np.zeros((length, height, width), bool)
    primary[3:, 16:40, 24:60] = True
    return clip, primary


def noise(length, height, width):
    return np.random.default_rng(0).integers(0, 256, (length, height, width, 3), np.uint8)


def opened(jpeg):
    return np.asarray(Image.open(io.BytesIO(jpeg)), np.int16)


def inside(sheet):
    """The picture within its margins."""
    return sheet[HEADER + MARGIN : -MARGIN, MARGIN:-MARGIN]


def decoded(mp4):
    with av.open(io.BytesIO(mp4)) as box:
        stream = box.streams.video[0]
        assert stream.codec_context.name == "h264"
        pictures = [frame.to_ndarray(format="rgb24") for frame in box.decode(stream)]
        return pictures, float(stream.average_rate)


def test_ten_frames_from_the_first_to_the_last():
    assert still_indices(100) == [0, 11, 22, 33, 44, 55, 66, 77, 88, 99]
    assert still_indices(46) == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]
    assert still_indices(1) == [0]
    for length in range(1, 300):
        indices = still_indices(length)
        assert len(set(indices)) == len(indices) == min(length, 10)
        assert (indices[0], indices[-1]) == (0, length - 1)


def test_the_stills_and_the_video_show_the_frames_that_they_name():
    clip, primary = small_clip()
    shown = gather_evidence(clip, primary, range(1001, 1015), (8, 12), rate=24)
    assert [still.frame for still in shown.stills] == [1001, 1002, 1004, 1005, 1007, 1008, 1010, 1011, 1013, 1014]
    for still in shown.stills:
        cell = inside(opened(still.jpeg))[6:20, 6:20]  # within the first cell, off the lines
        assert np.abs(cell - int(clip[still.frame - 1001, 0, 0, 0])).max() <= 6
    pictures, rate = decoded(shown.video.mp4)
    assert (rate, shown.video.rate, list(shown.video.frames)) == (24, 24, list(range(1001, 1015)))
    assert len(pictures) == 14
    for picture, level in zip(pictures, clip[:, 0, 0, 0], strict=True):
        assert abs(picture.mean() - int(level)) < 4


def test_the_first_frame_on_which_the_object_is_seen_has_it_in_red():
    clip, primary = small_clip()
    shown = gather_evidence(clip, primary, range(1001, 1015), (8, 12))
    assert shown.appearance.frame == 1004
    plain = next(still for still in shown.stills if still.frame == 1004)
    red, grey = inside(opened(shown.appearance.jpeg)), inside(opened(plain.jpeg))
    height, width = red.shape[:2]
    rows, columns = np.arange(height) * 64 // height, np.arange(width) * 96 // width
    expected = primary[3][np.ix_(rows, columns)]
    redder = (red[..., 0] - red[..., 1]) - (grey[..., 0] - grey[..., 1]) > 40
    assert np.count_nonzero(redder != expected) < 0.01 * expected.size
    assert np.count_nonzero(redder) > 0.9 * np.count_nonzero(expected)


def test_tint_touches_nothing_but_the_primary_and_leaves_it_recognisable():
    picture, primary = noise(1, 20, 30)[0], np.zeros((20, 30), bool)
    primary[5:15, 8:20] = True
    tinted = tint(picture, primary).astype(int)
    assert np.array_equal(tinted[~primary], picture[~primary])
    core = (slice(6, 14), slice(9, 19))
    assert np.abs(tinted[core] - (picture[core] + np.array([255, 0, 0])) / 2).max() <= 1
    assert (tinted[5, 8:20] == [255, 0, 0]).all()


@pytest.mark.parametrize(("size", "grid"), [((384, 672), (8, 14)), ((672, 384), (14, 8)), ((410, 1020), (8, 20))])
def test_the_lines_lie_on_the_edges_of_the_cells(size, grid):
    """A line begins where gridify's cells do, and there is none within a cell."""
    sheet = np.asarray(draw_grid(np.full((*size, 3), 128, np.uint8), grid, "frame 1"))
    ruled = inside(sheet)[..., 0] != 128
    columns, rows = set(np.flatnonzero(ruled.all(axis=0))), set(np.flatnonzero(ruled.all(axis=1)))
    for row, column in np.ndindex(*grid):
        y, x = (row * size[0]) // grid[0], (column * size[1]) // grid[1]
        point = np.zeros(size, bool)
        point[y, x] = True
        cell = np.argwhere(gridify(point, *grid))
        assert tuple(cell[0]) == (y, x)
        assert not row or y in rows
        assert not column or x in columns
    assert (len(rows), len(columns)) == (2 * (grid[0] - 1), 2 * (grid[1] - 1))


@pytest.mark.parametrize(("height", "width", "grid"), [(384, 672, (8, 14)), (640, 64, (80, 8)), (48, 48, (8, 8))])
def test_every_row_and_column_has_its_number_on_both_sides(height, width, grid):
    sheet = np.asarray(draw_grid(np.zeros((height, width, 3), np.uint8), grid, "f"))
    for side in (sheet[:, : MARGIN - 2], sheet[:, -MARGIN + 2 :]):
        for row in range(grid[0]):
            top = HEADER + MARGIN + row * height // grid[0]
            assert side[top : top + height // grid[0]].max() > 128
    for side in (sheet[HEADER : HEADER + MARGIN], sheet[-MARGIN:]):
        for column in range(grid[1]):
            left = MARGIN + column * width // grid[1]
            assert side[:, left : left + width // grid[1]].max() > 128


def test_float_and_integer_clips_look_the_same_and_nothing_is_left_to_chance():
    clip, primary = small_clip()
    arguments = (primary, range(1, 15), (8, 12))
    shown = gather_evidence(clip, *arguments)
    assert gather_evidence(clip, *arguments) == shown
    assert gather_evidence(clip.astype(np.float32) / 255, *arguments) == shown
    wild = clip.astype(np.float32) / 255
    wild[0, 0, 0], wild[0, 0, 1] = np.nan, 7
    tame = clip.copy()
    tame[0, 0, 0], tame[0, 0, 1] = 0, 255
    assert gather_evidence(wild, *arguments) == gather_evidence(tame, *arguments)


def test_the_video_is_small_whatever_the_clip(monkeypatch):
    video = make_video(noise(9, 301, 1203), range(9))
    pictures, _ = decoded(video.mp4)
    assert len(pictures) == 9
    assert {picture.shape for picture in pictures} == {(128, 512, 3)}
    tight = len(make_video(noise(9, 64, 64), range(9)).mp4) // 4
    video = make_video(noise(9, 64, 64), range(1001, 1010), 24, limit=tight)
    pictures, rate = decoded(video.mp4)
    assert len(video.mp4) <= tight
    assert len(pictures) == len(video.frames) < 9
    step = video.frames[1] - video.frames[0]
    assert list(video.frames) == list(range(1001, 1010, step))
    assert rate == video.rate == 24 / step, "it lasts as long as the shot"
    with pytest.raises(ValueError, match="one frame has"):
        make_video(noise(9, 64, 64), range(9), limit=100)
    monkeypatch.setattr(evidence, "_VIDEO_FRAMES", 5)
    assert list(make_video(noise(11, 32, 32), range(11)).frames) == [0, 3, 6, 9]


@pytest.mark.parametrize(("rate", "step", "shown"), [(24, 1, 24), (23.976, 1, 24000 / 1001), (60, 3, 20), (12, 1, 12)])
def test_at_most_24_frames_a_second(rate, step, shown):
    video = make_video(small_clip(12)[0], range(12), rate)
    assert list(video.frames) == list(range(0, 12, step))
    assert decoded(video.mp4)[1] == pytest.approx(shown, abs=1e-3)


def test_a_still_of_noise_fits_too_and_all_pictures_together_fit_into_a_request():
    sheet = Image.fromarray(noise(1, 1100, 1100)[0])
    assert len(encode_within(sheet, STILL_BYTES)) <= STILL_BYTES
    assert len(encode_within(sheet, 4 * KIB)) <= 4 * KIB
    assert (11 * STILL_BYTES + VIDEO_BYTES) * 4 / 3 < 14e6
    clip = noise(12, 1600, 1200)
    shown = gather_evidence(clip, np.ones(clip.shape[:3], bool), range(12), (11, 8))
    assert shown.size <= 11 * STILL_BYTES + VIDEO_BYTES
    assert max(max(opened(still.jpeg).shape) for still in shown.stills) <= 1024 + 2 * MARGIN + HEADER


def test_what_cannot_be_shown_is_refused():
    clip, primary = small_clip()
    with pytest.raises(BadMask, match=r"empty on every frame, .*paint"):
        gather_evidence(clip, np.zeros_like(primary), range(14), (8, 12))
    for bad in ((clip[..., 0], primary, range(14)), (clip, primary[1:], range(14)), (clip, primary, range(13))):
        with pytest.raises(ValueError, match="don't belong together"):
            gather_evidence(*bad, (8, 12))
