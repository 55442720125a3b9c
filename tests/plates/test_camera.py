"""The camera's move, against moves that the test makes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from camera_steps import steps

from void_server.plates.camera import CameraPath, Follower, carry, motion, proxy, tone

WIDTH, HEIGHT = 1280, 720
CORNERS = np.array([[100, 100], [1180, 100], [100, 620], [1180, 620]], np.float32)


@pytest.fixture(scope="module")
def master() -> np.ndarray:
    noise = np.random.default_rng(1).random((HEIGHT + 400, WIDTH + 400), np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 4)
    return np.asarray((soft - soft.min()) / (soft.max() - soft.min()) * 1.5, np.float32)


def seen(master: np.ndarray, x: float, y: float, degrees: float = 0.0, zoom: float = 1.0, frame: int = 0) -> np.ndarray:
    """What a camera there sees, with grain of its own."""
    picture = cv2.warpAffine(
        master, lens(x, y, degrees, zoom)[:2], (WIDTH, HEIGHT), flags=cv2.WARP_INVERSE_MAP | cv2.INTER_CUBIC
    )
    grain = np.random.default_rng((2, frame)).normal(0, 0.01, picture.shape)
    return np.asarray(picture + grain, np.float16)


def lens(x: float, y: float, degrees: float = 0.0, zoom: float = 1.0) -> np.ndarray:
    """From a pixel of the picture to one of the master, [3, 3]."""
    angle = np.deg2rad(degrees)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.vstack([np.column_stack([turn, [200 + x, 200 + y]]), [0, 0, 1]])


EVERYTHING = np.ones((HEIGHT, WIDTH), bool)


def test_a_camera_at_rest_moves_not_at_all_however_grainy_the_plate(master):
    frames = [proxy(seen(master, 0, 0, frame=frame), EVERYTHING) for frame in range(2)]
    assert np.array_equal(motion(*frames), np.eye(3))


@pytest.mark.parametrize("move", [(3.3, -1.7, 0, 1), (14, 6, 0, 1), (2, 1, 0.4, 1), (1, 0, 0, 1.01)])
def test_a_pan_a_roll_and_a_zoom_are_told_to_a_fifth_of_a_pixel(master, move):
    first, second = (proxy(seen(master, *at, frame=frame), EVERYTHING) for frame, at in enumerate([(0, 0), move]))
    truth = np.linalg.inv(lens(*move)) @ lens(0, 0)
    assert np.abs(carry(CORNERS, motion(first, second)) - carry(CORNERS, truth)).max() < 0.2


def test_what_is_removed_does_not_move_the_camera(master):
    """An object over most of the picture that goes the other way."""
    pictures = [seen(master, 5.0 * frame, 0, frame=frame) for frame in range(2)]
    texture = cv2.GaussianBlur(np.random.default_rng(3).normal(0, 1, (600, 1000)), (0, 0), 4)
    texture = 0.5 + 0.2 * texture / texture.std()
    still = EVERYTHING.copy()
    still[50:670, 90:1160] = False
    for frame, picture in enumerate(pictures):
        picture[60:660, 120 + 25 * frame : 1120 + 25 * frame] = texture
    masked, unmasked = (motion(*(proxy(picture, mask) for picture in pictures)) for mask in (still, EVERYTHING))
    truth = carry(CORNERS, np.linalg.inv(lens(5, 0)) @ lens(0, 0))
    assert np.abs(carry(CORNERS, masked) - truth).max() < 0.3
    assert np.abs(carry(CORNERS, unmasked) - truth).max() > 20


@pytest.mark.parametrize("move", [(0, 0), (6.5, -3)])
def test_pictures_of_which_other_parts_are_stored_are_laid_over_each_other(master, move):
    """Black where nothing is: seen from far, that is the largest thing in the picture. Small, as the model sees it."""
    frames = []
    for index, (at, kept) in enumerate([((0, 0), np.s_[20:150, 60:260]), (move, np.s_[:, :])]):
        green, still = np.zeros((180, 320), np.float16), np.zeros((180, 320), bool)
        green[kept], still[kept] = seen(master, 4 * at[0], 4 * at[1], frame=index)[::4, ::4][kept], True
        frames.append(proxy(green, still))
    corners = CORNERS / 4
    for first, second, way in ((0, 1, 1), (1, 0, -1)):
        found = motion(frames[first], frames[second])
        assert found is not None
        assert np.abs(carry(corners, found) - corners + way * np.array(move)).max() < 0.4


def test_a_large_object_that_walks_does_not_hide_how_much_stands_still(master):
    frames = []
    for index in range(2):
        green, still = seen(master, 0, 0, frame=index)[:180, :320].copy(), np.ones((180, 320), bool)
        here = np.s_[20:160, 60 + 40 * index : 200 + 40 * index]
        green[here], still[here] = 4.0, False
        frames.append(proxy(green, still))
    assert np.array_equal(motion(*frames), np.eye(3))


def test_a_drift_too_slow_for_two_frames_is_noticed(master):
    """A fiftieth of a pixel a frame: after 60 frames, one and a fifth."""
    follow = Follower()
    links = [follow(proxy(seen(master, frame / 50, 0, frame=frame), EVERYTHING)) for frame in range(0, 61, 4)]
    assert links[0] is None
    between = CameraPath(links).between(0, 15)
    assert carry(CORNERS, between)[:, 0] - CORNERS[:, 0] == pytest.approx(-1.2, abs=0.25)


def test_a_flash_does_not_cut_the_shot_in_two(master):
    """White frames, one in front of a camera at rest and two while it pans."""
    places = [0, 0, None, 0, 4, 8, None, None, 20, 24]
    follow, white = Follower(), np.full((HEIGHT, WIDTH), 60, np.float16)
    pictures = [white if x is None else seen(master, x, 0, frame=frame) for frame, x in enumerate(places)]
    path = CameraPath([follow(proxy(picture, EVERYTHING)) for picture in pictures])
    assert np.array_equal(path.between(1, 3), np.eye(3))
    assert carry(CORNERS, path.between(0, 9)) == pytest.approx(CORNERS - np.array([24, 0]), abs=0.5)
    assert path.between(3, 6) is None


def test_a_cut_does(master):
    follow = Follower()
    cuts = [seen(master, x, y, frame=x) for x, y in ((0, 0), (2, 0))] + [
        seen(np.ascontiguousarray(master[::-1, ::-1].T.repeat(2, 1)[: HEIGHT + 400, : WIDTH + 400]), x, 0, frame=x)
        for x in (0, 3)
    ]
    path = CameraPath([follow(proxy(picture, EVERYTHING)) for picture in cuts])
    assert path.between(1, 2) is None
    assert carry(CORNERS, path.between(2, 3)) == pytest.approx(CORNERS - np.array([3, 0]), abs=0.5)


def test_nothing_to_follow_is_said(master):
    flat = proxy(np.full((HEIGHT, WIDTH), 0.2, np.float16), EVERYTHING)
    textured = proxy(seen(master, 0, 0), EVERYTHING)
    assert motion(flat, flat) is None
    assert motion(textured, proxy(seen(master, 0, 0), ~EVERYTHING)) is None


def test_a_path_goes_both_ways_and_breaks_where_a_move_is_unknown():
    step = np.array([[1, 0, 2.5], [0, 1, -1], [0, 0, 1.0]])
    path = steps([step, np.eye(3), step, None, step])
    assert carry(CORNERS, path.between(0, 3)) == pytest.approx(CORNERS + np.array([5, -2]))
    assert carry(CORNERS, path.between(3, 0)) == pytest.approx(CORNERS - np.array([5, -2]))
    assert np.array_equal(path.between(1, 2), np.eye(3))
    assert path.between(3, 4) is None
    assert path.between(4, 5) is not None


def test_the_tone_curve_keeps_highlights_apart_and_hides_what_is_no_number():
    levels = tone(np.array([0, 0.18, 1, 4, 16, np.nan, -1, np.inf], np.float16)).astype(int)
    assert levels[1] == 128
    assert (np.diff(levels[:5]) > 0).all()
    assert levels[5:].tolist() == [0, 0, 255]
