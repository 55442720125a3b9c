"""Whole shots, EXRs to EXRs: a hole that other frames show is filled with their pixels, to the bit at rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from shots_on_disk import Engine, Progress, bits, footage

from void_server.engine import RemovalRequest
from void_server.masks.quadmask import AFFECTED, PRIMARY
from void_server.mattes import Mattes
from void_server.plates.exr import read_frame, write_frame
from void_server.plates.frame import BadPlate, Frame, Part
from void_server.plates.resize import shrink
from void_server.plates.window import Window
from void_server.settings import ShotSettings
from void_server.shot import remove_object

PICTURE = Window(0, 0, 320, 180)
WHOLE = PICTURE.grown(40)  # what there is to see
SETTINGS = {"height": 48, "width": 80, "window": 13, "overlap": 8, "feather": 3.0}
FIRST = 1001


def background(seed: int = 7) -> np.ndarray:
    """Detail of a few pixels, scene-linear [h, w, 3] over 400x260, 0.02 to 0.6, a lamp of 30."""
    noise = np.random.default_rng(seed).random((260, 400, 3), np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 2)
    picture = 0.02 + 0.58 * (soft - soft.min()) / (soft.max() - soft.min())
    picture[96:102, 190:196] = 30.0
    return np.asarray(picture, np.float32)


MASTER = background()
Box = tuple[int, int, int, int]  # x, y, width, height, counted from the picture's first pixel


@dataclass(frozen=True)
class Case:
    """A shot: where the object is on each frame, and what else differs from a plate at rest."""

    boxes: list[Box]
    affected: Box | None = None
    pan: float = 0.0  # pixels a frame
    grain: float = 0.003
    data: Callable[[int], Window] = lambda index: PICTURE
    light: Callable[[int], float] = lambda index: 1.0
    spoil: Callable[[int, np.ndarray], None] = lambda index, picture: None

    @property
    def frames(self) -> range:
        return range(FIRST, FIRST + len(self.boxes))

    def plate(self, index: int) -> np.ndarray:
        """A frame without the object, half [h, w, 3], over the 400x260 that start at -40, -40."""
        lens = np.array([[1, 0, self.pan * index], [0, 1, 0]], np.float32)
        flags = cv2.WARP_INVERSE_MAP | cv2.INTER_CUBIC
        seen = MASTER if not self.pan else cv2.warpAffine(MASTER, lens, (400, 260), flags=flags, borderMode=1)
        grain = np.random.default_rng((3, index)).normal(0, self.grain, MASTER.shape)
        return np.asarray(seen * self.light(index) + grain, np.float16)

    def oracle(self, request: RemovalRequest) -> np.ndarray:
        """What the engine answers: the background, cut, shrunk and encoded as the clip was."""
        size = request.clip.shape[2], request.clip.shape[1]
        return np.stack(
            [
                request.curve.encode(shrink(self.plate(index).astype(np.float32)[window.slices_in(WHOLE)], *size))
                for index, window in enumerate(request.windows)
            ]
        )

    def write(self, folder: Path) -> None:
        for index, number in enumerate(self.frames):
            picture, data = self.plate(index), self.data(index)
            level = np.ones((260, 400), np.float32)
            painted = [(self.boxes[index], PRIMARY)] + ([(self.affected, AFFECTED)] if self.affected else [])
            for (x, y, width, height), value in painted:
                here = slice(40 + y, 40 + y + height), slice(40 + x, 40 + x + width)
                picture[here] = 2.0 if value == PRIMARY else picture[here] * np.float16(0.5)
                level[here] = np.where(level[here] == 1, value / 255, level[here])
            self.spoil(index, picture)
            here = data.slices_in(WHOLE)
            header = {"dataWindow": data.box, "displayWindow": PICTURE.box}
            plate = {name: np.ascontiguousarray(picture[here][..., c]) for c, name in enumerate("RGB")}
            for name, channels in (("plate", plate), ("q", dict.fromkeys("RGB", np.ascontiguousarray(level[here])))):
                (folder / f"{name}.{number:04d}.exr").write_bytes(write_frame(Frame((Part(header, channels),))))


@dataclass(frozen=True)
class Pixel:
    """A result as arrays over its data window."""

    rgb: np.ndarray  # half [h, w, 3]
    level: np.ndarray  # 0..255
    matte: np.ndarray
    real: np.ndarray
    offset: np.ndarray
    window: Window


def remove(folder: Path, case: Case) -> list[Pixel]:
    """Remove it with an engine that knows the background at its own size; check what holds for every shot."""
    case.write(folder)
    plate, quadmask = (footage(folder, name, case.frames) for name in ("plate", "q"))
    settings = ShotSettings.from_dict(SETTINGS)
    engine = Engine(case.oracle)
    results = []
    frames = remove_object(plate, Mattes(quadmask=quadmask), settings, engine, Progress())
    for number, frame in zip(case.frames, frames, strict=True):
        source = plate.read(number)
        found = _arrays(frame)
        assert found.window == source.data_window
        outside = found.matte == 0
        for name in "RGB":
            ours = frame.channel(name)
            assert ours.dtype == source.channel(name).dtype
            assert np.array_equal(bits(ours)[outside], bits(source.channel(name))[outside])
        assert np.isfinite(found.rgb[~outside]).all()
        assert ((found.real >= 0) & (found.real <= found.matte)).all()
        assert not found.real[outside].any()
        assert not found.offset[found.real == 0].any()
        assert (found.offset[found.real > 0] != 0).all(), "never from itself"
        others = found.offset[found.real > 0] + number
        assert np.isin(others, case.frames).all()
        results.append(found)
    return results


def _arrays(frame: Frame) -> Pixel:
    layers = [
        np.asarray(frame.channel(name), np.float32)
        for name in ("void.quadmask", "void.matte", "provenance.real", "provenance.offset")
    ]
    rgb = np.stack([frame.channel(name) for name in "RGB"], axis=-1)
    return Pixel(rgb, np.rint(layers[0] * 255), *layers[1:], frame.data_window)


def copied(folder: Path, number: int, found: Pixel) -> np.ndarray:
    """Which pixels that are wholly another frame's have its bits: over all that are."""
    wholly = (found.real == 1) & (found.matte == 1)
    same = np.zeros(wholly.shape, bool)
    for offset in np.unique(found.offset[wholly]):
        other = read_frame(folder / f"plate.{number + int(offset):04d}.exr")
        window = found.window.intersection(other.data_window)
        theirs = np.zeros_like(found.rgb)
        theirs[window.slices_in(found.window)] = np.stack([other.channel(name) for name in "RGB"], axis=-1)[
            window.slices_in(other.data_window)
        ]
        same |= wholly & (found.offset == offset) & (bits(theirs) == bits(found.rgb)).all(axis=-1)
    return same[wholly]


def walk(count: int, step: int = 20) -> list[Box]:
    return [(40 + step * index, 50, 40, 60) for index in range(count)]


def settled(found: Pixel) -> np.ndarray:
    """The object's own pixels."""
    return (found.level == PRIMARY) & (found.matte == 1)


def test_a_camera_at_rest_gives_the_other_frames_bits(tmp_path: Path) -> None:
    case = Case(walk(8))
    for number, found in zip(case.frames, remove(tmp_path, case), strict=True):
        assert found.real[settled(found)].min() == 1
        same = copied(tmp_path, number, found)
        assert same.size >= 40 * 60
        assert same.all()
        assert len(np.unique(found.offset[settled(found)])) <= 3


def test_neighbouring_frames_are_filled_from_different_ones_so_that_grain_lives(tmp_path: Path) -> None:
    """It stands for 12 frames and then is gone."""
    case = Case([(120, 60, 50, 60)] * 12 + [(-40, -40, 1, 1)] * 6)
    found = remove(tmp_path, case)[:12]
    used = [number + np.median(each.offset[settled(each)]) for number, each in zip(case.frames, found, strict=False)]
    assert min(used) >= FIRST + 12
    assert all(before != after for before, after in pairwise(used))


def test_a_pan_gives_the_background_that_comes_by(tmp_path: Path) -> None:
    """The object stays in the picture's middle while the camera pans by 11.5 pixels a frame."""
    case = Case([(140, 60, 40, 50)] * 9, pan=11.5)
    for index, found in enumerate(remove(tmp_path, case)):
        here = settled(found)
        truth = case.plate(index).astype(np.float32)[PICTURE.slices_in(WHOLE)]
        dull = here & (truth.max(axis=-1) < 1)
        assert found.real[here].mean() > 0.8
        error = np.abs(found.rgb.astype(np.float32) - truth)[dull].mean()
        assert error < 0.2 * np.abs(truth[dull] - truth[dull].mean(axis=0)).mean()


def test_what_is_affected_is_generated_and_so_is_what_touches_it(tmp_path: Path) -> None:
    case = Case(walk(8), affected=(30, 110, 260, 30))
    for found in remove(tmp_path, case):
        affected = found.level == AFFECTED
        assert affected.any()
        assert not found.real[affected].any()
        assert not found.offset[affected].any()
        away = (found.level == PRIMARY) & (np.arange(180) < 110 - 17)[:, None]
        assert found.real[away].min() == 1
        touching = (found.level == PRIMARY) & (np.arange(180) == 109)[:, None]
        assert found.real[touching].max() < 0.1


def test_an_object_that_never_moves_is_generated_and_so_is_a_single_frame(tmp_path: Path) -> None:
    for count in (1, 6):
        for found in remove(tmp_path, Case([(120, 60, 50, 60)] * count)):
            assert not found.real.any()
            assert not found.offset.any()
            assert (found.matte == 1).sum() == 50 * 60


def test_overscan_with_negative_origins_is_filled_as_the_picture_is(tmp_path: Path) -> None:
    over = PICTURE.grown(32)
    case = Case([(-30 + 40 * index, -28, 40, 60) for index in range(8)], data=lambda index: over)
    for number, found in zip(case.frames, remove(tmp_path, case), strict=True):
        assert found.window == over
        assert found.real[settled(found)].min() == 1
        assert copied(tmp_path, number, found).all()


def test_frames_of_different_data_windows(tmp_path: Path) -> None:
    """Every other one is smaller, and shows less."""
    small = Window(60, 20, 200, 130)
    case = Case(walk(9), data=lambda index: PICTURE if index % 2 else small)
    reals = []
    for number, found in zip(case.frames, remove(tmp_path, case), strict=True):
        assert copied(tmp_path, number, found).all()
        reals.append(found.real[settled(found)].mean())
    assert min(reals[1::2]) > 0.95


def test_a_frame_whose_data_lies_far_from_the_hole_is_neither_filled_nor_a_source(tmp_path: Path) -> None:
    corner = Window(280, 150, 40, 30)
    case = Case(walk(10), data=lambda index: corner if index in (3, 4) else PICTURE)
    found = remove(tmp_path, case)
    for number, each in zip(case.frames, found, strict=True):
        sources = number + each.offset[each.real > 0]
        assert not np.isin(sources, [FIRST + 3, FIRST + 4]).any()
        assert copied(tmp_path, number, each).all()
    assert not found[3].real.any()
    assert found[9].real[settled(found[9])].mean() > 0.9


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_source_with_pixels_that_are_no_numbers(tmp_path: Path, bad: float) -> None:
    """A block of them on every frame, elsewhere each time, and in the very hole that others fill."""

    def spoil(index: int, picture: np.ndarray) -> None:
        picture[40 + 70 : 40 + 74, 40 + 50 + 20 * ((index + 4) % 8) :][:, :4, 1] = bad

    case = Case(walk(8), spoil=spoil)
    for number, found in zip(case.frames, remove(tmp_path, case), strict=True):
        assert found.real[settled(found)].mean() > 0.95
        assert copied(tmp_path, number, found).all()


def test_flicker_is_taken_out_of_what_another_frame_lends(tmp_path: Path) -> None:
    case = Case(walk(8), light=lambda index: (1.0, 1.12)[index % 2], grain=0.001)
    for index, found in enumerate(remove(tmp_path, case)):
        here = settled(found)
        truth = case.plate(index).astype(np.float32)[PICTURE.slices_in(WHOLE)]
        dull = here & (truth.max(axis=-1) < 1)
        assert found.real[here].min() > 0.9
        assert found.rgb.astype(np.float32)[dull].mean() == pytest.approx(truth[dull].mean(), rel=0.01)


def test_a_source_that_can_no_longer_be_read_is_named(tmp_path: Path) -> None:
    """It was whole when the shot was prepared."""
    case = Case(walk(8))
    case.write(tmp_path)
    plate, quadmask = (footage(tmp_path, name, case.frames) for name in ("plate", "q"))

    def spoiled(request: RemovalRequest) -> np.ndarray:
        for number in case.frames[3:]:
            path = plate.paths[number]
            path.write_bytes(path.read_bytes()[:-400])
        return case.oracle(request)

    shot = remove_object(
        plate, Mattes(quadmask=quadmask), ShotSettings.from_dict(SETTINGS), Engine(spoiled), Progress()
    )
    with pytest.raises(BadPlate, match=r"frame 100[4-8] of plate\.####\.exr.*render it again"):
        list(shot)
