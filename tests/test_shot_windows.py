"""Windows that move, and several at once: every hole is filled from the right one, and nothing else is touched."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from shots_on_disk import Engine, Progress, bits, footage

from void_server.engine import RemovalRequest
from void_server.masks.quadmask import AFFECTED, PRIMARY
from void_server.mattes import Mattes
from void_server.plates.exr import write_frame
from void_server.plates.frame import Frame, Part
from void_server.plates.resize import shrink
from void_server.plates.window import Window
from void_server.settings import ShotSettings
from void_server.shot import remove_object

PICTURE = Window(0, 0, 480, 270)
MODEL = (80, 48)
SETTINGS = {"real_pixels": False, "grain": 0.0, "height": 48, "width": 80, "window": 13, "overlap": 8, "feather": 3.0}
PERIOD, LEVEL, AMPLITUDE = 18, 0.18, 0.05

Painted = list[tuple[Window, int]]


@dataclass(frozen=True)
class Case:
    """What is painted on each frame, over a plate of these windows."""

    painted: list[Painted]
    data: Window = PICTURE
    display: Window = PICTURE
    aspect: float = 1.0
    light: Window | None = None  # on the first frame

    @property
    def frames(self) -> range:
        return range(1001, 1001 + len(self.painted))

    def truth(self) -> np.ndarray:
        """Waves along both axes, scene-linear [h, w, 3]."""
        columns = np.arange(self.data.width) * self.aspect
        rows = np.arange(self.data.height)
        waves = np.sin(2 * np.pi * rows / PERIOD)[:, None] + np.sin(2 * np.pi * columns / PERIOD)
        return np.repeat((LEVEL + AMPLITUDE * waves / np.sqrt(2))[..., None], 3, axis=2).astype(np.float32)

    def write(self, folder: Path) -> None:
        header = {"dataWindow": self.data.box, "displayWindow": self.display.box, "pixelAspectRatio": self.aspect}
        truth = self.truth()
        for frame, painted in zip(self.frames, self.painted, strict=True):
            picture, level = truth.copy(), np.ones((self.data.height, self.data.width), np.float32)
            for box, painted_level in painted:
                picture[box.slices_in(self.data)] = 0.9
                level[box.slices_in(self.data)] = painted_level / 255
            if self.light and frame == self.frames[0]:
                picture[self.light.slices_in(self.data)] = 8.0
            plate = {name: picture[..., index].astype(np.float16) for index, name in enumerate("RGB")}
            for name, channels in (("plate", plate), ("q", dict.fromkeys("RGB", level))):
                path = folder / f"{name}.{frame:04d}.exr"
                path.write_bytes(write_frame(Frame((Part(header, channels),))))


@dataclass(frozen=True)
class Done:
    case: Case
    requests: list[RemovalRequest]
    notices: list[str]
    parts: list[tuple[int, int]]
    error: float  # rms in what was painted, scene-linear

    @property
    def decibels(self) -> float:
        return float(-20 * np.log10(self.error))

    def scale(self, request: RemovalRequest) -> float:
        return max(request.windows[0].width * self.case.aspect / MODEL[0], request.windows[0].height / MODEL[1])


def remove(folder: Path, case: Case, **settings: object) -> Done:
    """Remove what is painted with an engine that knows the truth; check what holds for every shot."""
    case.write(folder)
    truth = case.truth()

    def oracle(request: RemovalRequest) -> np.ndarray:
        cut = [truth[window.slices_in(case.data)] for window in request.windows]
        return np.stack([request.curve.encode(shrink(picture, *MODEL)) for picture in cut])

    engine, progress = Engine(oracle), Progress()
    plate, quadmask = (footage(folder, name, case.frames) for name in ("plate", "q"))
    given = ShotSettings.from_dict({**SETTINGS, **settings})
    errors = []
    for number, painted, frame in zip(
        case.frames, case.painted, remove_object(plate, Mattes(quadmask=quadmask), given, engine, progress), strict=True
    ):
        source, matte = plate.read(number), np.asarray(frame.channel("void.matte"))
        assert frame.data_window == case.data
        assert frame.display_window == case.display
        assert source.pixel_aspect == frame.pixel_aspect == case.aspect
        assert (matte == 0).any()
        for name in "RGB":
            assert np.array_equal(bits(frame.channel(name))[matte == 0], bits(source.channel(name))[matte == 0])
        for box, _ in painted:
            here = box.slices_in(case.data)
            assert (matte[here] == 1).all()
            errors.append((np.asarray(frame.channel("G"), np.float32)[here] - truth[..., 1][here]).ravel())
    assert len({request.curve for request in engine.requests}) == 1
    for request in engine.requests:
        assert len({(window.width, window.height) for window in request.windows}) == 1
        assert all(case.data.union(window) == case.data for window in request.windows)
        for window, painted, levels in zip(request.windows, case.painted, request.quadmask, strict=True):
            for (x, y, width, height), level in painted:
                column = int((x + width / 2 - window.x) / window.width * MODEL[0])
                row = int((y + height / 2 - window.y) / window.height * MODEL[1])
                seen = 0 <= column < MODEL[0] and 0 <= row < MODEL[1]
                assert not seen or levels[row, column] == level, "the quadmask is cut as the clip is"
    error = float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))
    assert error < 0.2 * AMPLITUDE, "every hole holds the background (the object is at 0.9)"
    return Done(case, engine.requests, progress.notices, progress.parts, error)


def gain(coarse: Done, fine: Done) -> float:
    """Decibels by which the error of waves falls with the scale, in arithmetic.

    The mean over a width of s, anywhere across pixels of width 1, leaves sinc(s / P) sinc(1 / P) of a wave of period P.
    """
    scales = [max(done.scale(request) for request in done.requests) for done in (coarse, fine)]
    lost_before, lost_after = (1 - np.sinc(scale / PERIOD) * np.sinc(1 / PERIOD) for scale in scales)
    return float(20 * np.log10(lost_before / lost_after))


def walk(count: int, start: tuple[int, int], step: tuple[int, int], size: tuple[int, int] = (20, 20)) -> list[Painted]:
    return [[(Window(start[0] + step[0] * i, start[1] + step[1] * i, *size), PRIMARY)] for i in range(count)]


def test_a_window_follows_an_object_that_walks_across(tmp_path: Path) -> None:
    case = Case(walk(60, (30, 120), (4, 0), (20, 34)))
    followed, whole = remove(tmp_path, case), remove(tmp_path, case, crop="full")
    (request,) = followed.requests
    # 34 pixels, the ramp on both sides and 0.15 of all that above and below.
    assert request.windows[0].height == 1.3 * (34 + 2 * 3) == 52
    steps = [after.x - before.x for before, after in pairwise(request.windows)]
    assert min(steps) == 0
    assert max(steps) <= 4 + 1
    assert request.windows[-1].x - request.windows[0].x > 100
    assert followed.decibels - whole.decibels == pytest.approx(gain(whole, followed), abs=4)
    assert gain(whole, followed) > 20
    (notice,) = followed.notices
    # At rest: its whole way, the ramp and 0.15 of that at both ends.
    assert round(1.3 * (59 * 4 + 20 + 2 * 3)) == 341
    for word in ("87x52, moving", "341x204", "crop"):
        assert word in notice
    assert not whole.notices


def test_objects_far_apart_have_a_window_each(tmp_path: Path) -> None:
    near, far = Window(20, 20, 34, 34), Window(416, 216, 34, 34)
    apart = Case([[(near, PRIMARY), (far, PRIMARY)]] * 3)
    several, whole = remove(tmp_path, apart), remove(tmp_path, apart, crop="full")
    assert [len(request.windows) for request in several.requests] == [3, 3]
    for request, hole in zip(several.requests, (near, far), strict=True):
        (window,) = set(request.windows)
        assert window.union(hole) == window
        assert (request.quadmask == PRIMARY).any()
        # Three times the area of the hole and its ramp.
        assert window.width * window.height == pytest.approx(3 * (34 + 2 * 3) ** 2, rel=0.01)
    assert several.parts == [(1, 2), (1, 2), (2, 2)], "told early, and before each run"
    assert several.decibels - whole.decibels == pytest.approx(gain(whole, several), abs=4)
    (notice,) = several.notices
    for word in ("2 times", "89x54; 89x54", "480x270"):
        assert word in notice


@pytest.mark.parametrize("light", [Window(60, 40, 9, 9), Window(410, 240, 9, 9)])
def test_one_curve_has_room_for_the_brightest_in_any_window(tmp_path: Path, light: Window) -> None:
    near, far = Window(20, 20, 20, 20), Window(430, 230, 20, 20)
    done = remove(tmp_path, Case([[(near, PRIMARY), (far, PRIMARY)]] * 3, light=light))
    assert [request.curve.maximum for request in done.requests] == [8.0, 8.0]


def test_objects_side_by_side_share_one_and_nothing_is_said(tmp_path: Path) -> None:
    done = remove(tmp_path, Case([[(Window(100, 100, 20, 20), PRIMARY), (Window(128, 104, 20, 20), PRIMARY)]] * 3))
    assert len(done.requests) == 1
    assert not done.notices


def test_one_walks_while_the_other_stands_far_away(tmp_path: Path) -> None:
    stands = (Window(440, 20, 20, 20), PRIMARY)
    done = remove(tmp_path, Case([[*painted, stands] for painted in walk(60, (30, 220), (4, 0))]))
    assert sorted(len(set(request.windows)) > 1 for request in done.requests) == [False, True]


def test_an_effect_far_from_its_cause_is_seen_together_with_it(tmp_path: Path) -> None:
    effect = (Window(400, 220, 30, 30), AFFECTED)
    done = remove(
        tmp_path, Case([[(Window(30, 30, 20, 20), PRIMARY)]] + [[(Window(30, 30, 20, 20), PRIMARY), effect]] * 2)
    )
    (request,) = done.requests
    assert {PRIMARY, AFFECTED} <= set(np.unique(request.quadmask))
    assert request.windows == (PICTURE,) * 3


def test_an_object_leaves_the_picture_and_the_window_waits_at_its_edge(tmp_path: Path) -> None:
    """Forty frames towards the right edge, over it, and gone."""
    boxes = [Window(200 + 8 * i, 120, 30, 30).intersection(PICTURE) for i in range(50)]
    case = Case([[(box, PRIMARY)] if box.width else [] for box in boxes])
    assert not case.painted[-1]
    done = remove(tmp_path, case)
    (request,) = done.requests
    assert request.windows[-1].right == PICTURE.right
    assert request.windows[0].x < request.windows[-1].x
    assert (request.quadmask[-1] == 255).all()


def test_frames_with_nothing_on_them_lie_between(tmp_path: Path) -> None:
    painted = walk(60, (30, 120), (4, 0))
    case = Case([boxes if index not in range(20, 40) else [] for index, boxes in enumerate(painted)])
    (request,) = remove(tmp_path, case).requests
    xs = [window.x for window in request.windows]
    assert xs == sorted(xs)
    assert max(after - before for before, after in pairwise(xs)) <= 5
    assert xs[20] < xs[39]


def test_anamorphic_pixels_are_shown_at_their_shape(tmp_path: Path) -> None:
    case = Case(walk(80, (20, 120), (2, 0), (10, 20)), aspect=2.0)
    (request,) = remove(tmp_path, case).requests
    window = request.windows[0]
    assert window.width * 2 / window.height == pytest.approx(MODEL[0] / MODEL[1], abs=2 / window.height)
    assert window.height < PICTURE.height / 3
    assert len(set(request.windows)) > 1


def test_overscan_is_followed_into_negative_columns(tmp_path: Path) -> None:
    data = Window(-40, -30, 560, 330)
    case = Case(walk(60, (-40, -30), (4, 1)), data=data)
    (request,) = remove(tmp_path, case).requests
    assert (request.windows[0].x, request.windows[0].y) == (data.x, data.y)
    assert request.windows[-1].x > 0


def test_a_plate_smaller_than_the_model_is_shown_whole(tmp_path: Path) -> None:
    small = Window(0, 0, 64, 40)
    painted = [[(Window(2 + i, 4, 6, 6), PRIMARY), (Window(50, 30, 6, 6), PRIMARY)] for i in range(20)]
    (request,) = remove(tmp_path, Case(painted, data=small, display=small)).requests
    assert set(request.windows) == {small}
