"""Frames that the roto is not painted on, carried there by SAM 2; and what is left undone where nothing is open.

The SAM 2 is a tiny one with random weights: its masks mean nothing, the way to them is the real one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from masking_shots import (
    FRAMES,
    Carrier,
    Seer,
    as_the_model_sees,
    asking,
    disc,
    expected,
    hints,
    levels,
    paint,
    parsed,
    quadmasks,
    refused,
    write_plate,
)
from shots_on_disk import SETTINGS, Engine, Progress, rewrite

from void_server.footage import Footage
from void_server.masking import MaskTools
from void_server.masks.endpoint import CannotReason
from void_server.masks.quadmask import BadMask
from void_server.masks.sam2 import Sam2
from void_server.mattes import Mattes
from void_server.plates.frame import BadPlate
from void_server.settings import ShotSettings
from void_server.shot import remove_object
from void_server.training.tiny_sam2 import write_random_sam2


@pytest.fixture(scope="module")
def sam2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sam2]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("sam2")
    write_random_sam2(folder / "tiny")
    yield Sam2.load(folder / "tiny")
    torch.set_num_threads(threads)


@pytest.fixture
def plate(tmp_path: Path) -> Footage:
    return write_plate(tmp_path)


# Frames that the roto is not painted on


@pytest.mark.parametrize(
    ("keys", "words"),
    [((1001, 1006), "frames 1002, 1003, 1004, 1005"), ((1001, 1002, 1003, 1005, 1006), "frame 1004,")],
)
def test_without_sam2_unpainted_frames_are_refused_by_number(
    plate: Footage, tmp_path: Path, keys: tuple[int, ...], words: str
) -> None:
    said = refused(plate, Mattes(paint(tmp_path, keys)), BadMask, SETTINGS)
    assert words in said
    assert "roto.####.exr" in said
    assert "paint every frame" in said
    assert "weights" in said


def test_sam2_carries_the_roto_and_what_is_painted_stays_bit_for_bit(
    plate: Footage, tmp_path: Path, sam2: Sam2
) -> None:
    keys = (1002, 1005)
    engine, progress = Engine(lambda request: request.clip), Progress()
    mattes, tools = Mattes(paint(tmp_path, keys)), MaskTools(sam2)
    shown = levels(remove_object(plate, mattes, SETTINGS, engine, progress, tools=tools))
    assert list(shown) == list(FRAMES)
    for frame in keys:
        assert np.array_equal(shown[frame] == 0, disc(frame))
    others = [frame for frame in FRAMES if frame not in keys]
    assert all(0 < np.count_nonzero(shown[frame] == 0) < 80 * 128 for frame in others)
    carried = sam2.carry(engine.requests[0].clip, [{frame - 1001: as_the_model_sees(disc(frame)) for frame in keys}])
    for frame in others:
        agree = as_the_model_sees(shown[frame] == 0) == carried[frame - 1001]
        assert agree.mean() > 0.99, "what SAM 2 says, in its place"
    (notice,) = progress.notices
    assert "painted on 2 of 6 frames" in notice
    assert "roto.####.exr" in notice
    alone = quadmasks(plate, mattes, tools=tools)
    assert all(np.array_equal(alone[frame], shown[frame]) for frame in FRAMES)


def test_the_engine_gets_what_was_carried_too(plate: Footage, tmp_path: Path) -> None:
    """The clip is 80 wide, the plate 128: of the sixth frame, columns 40 to 48 of 80, so 64 to 76.8 of 128."""
    engine = Engine(lambda request: request.clip)
    mattes = Mattes(paint(tmp_path, [1001]))
    shown = levels(remove_object(plate, mattes, SETTINGS, engine, Progress(), tools=MaskTools(Carrier())))
    removed = np.zeros((80, 128), bool)
    removed[:, 64:77] = True
    assert np.array_equal(shown[1006] == 0, removed)
    small = engine.requests[0].quadmask[5]
    assert (small[:, 40:48] == 0).all()
    assert (small[:, :39] == 255).all()
    assert (small[:, 50:] == 255).all()


def test_every_object_is_carried_by_itself_from_its_own_frames(plate: Footage, tmp_path: Path) -> None:
    carrier, progress = Carrier(), Progress()
    mattes = Mattes(paint(tmp_path, (1002, 1004), A=10.0, bob_A=60.0))
    shown = quadmasks(plate, mattes, tools=MaskTools(carrier), progress=progress)
    assert carrier.clip.shape == (6, 48, 80, 3)
    assert carrier.clip.dtype == np.float32
    assert [list(mattes) for mattes in carrier.painted] == [[1, 3], [1, 3]], "by index into the clip"
    for mattes, x in zip(carrier.painted, (10.0, 60.0), strict=True):
        for index, matte in mattes.items():
            rows, columns = np.nonzero(matte)
            assert matte.shape == (48, 80)
            assert abs(columns.mean() + 0.5 - (x + 8.3 * index + 0.5) * 80 / 128) < 0.5
            assert abs(rows.mean() + 0.5 - 37.9 * 48 / 80) < 0.5
    for frame in (1002, 1004):
        assert np.array_equal(shown[frame] == 0, disc(frame, 10.0) | disc(frame, 60.0))
    carried = np.zeros((80, 128), bool)
    carried[:, 26:38] = True  # of the third frame, columns 16 to 24 of 80 are 25.6 to 38.4 of 128
    assert np.array_equal(shown[1003] == 0, carried)
    assert progress.steps[7:14] == [("masking", step, 6) for step in range(7)], "after the plate's seven"


def test_an_object_without_a_layer_on_a_painted_frame_is_carried_there(plate: Footage, tmp_path: Path) -> None:
    """Of the second frame, columns 8 to 16 of 80 are 12.8 to 25.6 of 128."""
    roto = paint(tmp_path, (1001, 1002), A=70.0, bob_A=90.0)
    paint(tmp_path, [1002], A=70.0)
    shown = quadmasks(plate, Mattes(roto), tools=MaskTools(Carrier()))
    carried = np.zeros((80, 128), bool)
    carried[:, 13:26] = True
    assert np.array_equal(shown[1001] == 0, disc(1001, 70.0) | disc(1001, 90.0))
    assert np.array_equal(shown[1002] == 0, disc(1002, 70.0) | carried)


def test_several_objects_go_through_sam2(plate: Footage, tmp_path: Path, sam2: Sam2) -> None:
    mattes = Mattes(paint(tmp_path, (1001, 1004), A=10.0, bob_A=60.0))
    shown = quadmasks(plate, mattes, tools=MaskTools(sam2))
    for frame in (1001, 1004):
        assert np.array_equal(shown[frame] == 0, disc(frame, 10.0) | disc(frame, 60.0))
    assert all((shown[frame] == 0).any() for frame in FRAMES)


def test_what_is_smaller_than_a_pixel_of_the_clip_is_not_lost(plate: Footage, tmp_path: Path) -> None:
    roto = paint(tmp_path, [1003])

    def dot(channels: dict[str, npt.NDArray[np.generic]]) -> None:
        channels["A"].fill(0)
        channels["A"][50:51, 100:101] = 1

    rewrite(roto.paths[1003], dot)
    carrier = Carrier()
    quadmasks(plate, Mattes(roto), tools=MaskTools(carrier))
    ((matte,),) = (list(mattes.values()) for mattes in carrier.painted)
    assert np.argwhere(matte).tolist() == [[30, 62]]  # 50.5 x 48 / 80 = 30.3 and 100.5 x 80 / 128 = 62.8


def test_a_roto_that_is_empty_where_it_is_painted_is_refused(plate: Footage, tmp_path: Path, sam2: Sam2) -> None:
    roto = paint(tmp_path, (1001, 1006))
    for path in roto.paths.values():
        rewrite(path, lambda channels: channels["A"].fill(0))
    assert "is empty on every frame" in refused(plate, Mattes(roto), BadMask, SETTINGS, tools=MaskTools(sam2))


def test_where_every_frame_is_painted_nothing_is_carried(plate: Footage, tmp_path: Path) -> None:
    carrier, progress = Carrier(), Progress()
    shown = quadmasks(plate, Mattes(paint(tmp_path, FRAMES)), tools=MaskTools(carrier), progress=progress)
    assert not carrier.painted
    assert not progress.notices
    assert all(np.array_equal(shown[frame] == 0, disc(frame)) for frame in FRAMES)


def test_a_stop_while_the_roto_is_carried_ends_the_work(plate: Footage, tmp_path: Path, sam2: Sam2) -> None:
    class Stopped(Exception):
        pass

    class Impatient(Progress):
        def step(self, stage: str, step: int, steps: int) -> None:
            super().step(stage, step, steps)
            if len(self.steps) > 9:  # seven of the plate
                raise Stopped

    with pytest.raises(Stopped):
        quadmasks(plate, Mattes(paint(tmp_path, [1001])), tools=MaskTools(sam2), progress=Impatient())


# What is not needed is not done


@pytest.mark.parametrize(
    ("settings", "given"),
    [
        (SETTINGS, {}),
        (SETTINGS, {"hints": json.dumps(hints())}),
        (asking("require"), {"hints": json.dumps(hints())}),
        (SETTINGS, {"tools": MaskTools(Carrier(), Seer(CannotReason("never")), Path("nowhere"))}),
    ],
    ids=["paint", "hints", "hints for a question", "tools"],
)
def test_of_the_plate_headers_alone_are_read_where_nobody_has_to_see_it(
    plate: Footage, tmp_path: Path, settings: ShotSettings, given: dict[str, Any]
) -> None:
    for path in plate.paths.values():
        path.write_bytes(path.read_bytes()[:-40])
    shown = quadmasks(plate, Mattes(paint(tmp_path, FRAMES)), settings, **given)
    wanted = {frame: expected(frame) if "hints" in given else np.where(disc(frame), 0, 255) for frame in FRAMES}
    assert all(np.array_equal(shown[frame], wanted[frame]) for frame in FRAMES)


def test_a_damaged_plate_is_named_where_sam2_or_a_reasoner_has_to_see_it(plate: Footage, tmp_path: Path) -> None:
    plate.paths[1003].write_bytes(plate.paths[1003].read_bytes()[:-40])
    seer = Seer(parsed())
    for keys, settings, tools in [
        ([1001], SETTINGS, MaskTools(Carrier())),
        (FRAMES, asking("try"), MaskTools(reasoner=seer, answers=tmp_path / "answers")),
    ]:
        said = refused(plate, Mattes(paint(tmp_path, keys)), BadPlate, settings, tools=tools)
        assert "frame 1003 of plate.####.exr" in said
    assert not seer.questions
