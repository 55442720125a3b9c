"""The model is shown the part of the plate around what changes: what that buys, and what stays as it is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from shots_on_disk import Engine, Progress, bits, flat_image, footage

from void_server.engine import RemovalRequest
from void_server.mattes import Mattes
from void_server.plates.exr import write_frame
from void_server.plates.frame import Frame, Part
from void_server.plates.resize import shrink
from void_server.plates.window import Window
from void_server.settings import ShotSettings
from void_server.shot import remove_object

PLATE = Window(0, 0, 480, 270)
HOLE = Window(300, 150, 60, 40)
FRAMES = range(1, 4)
SIZE = {"real_pixels": False, "grain": 0.0, "height": 48, "width": 80, "window": 13, "overlap": 8, "feather": 3.0}


def background() -> np.ndarray:
    """A texture with detail of a few pixels, scene-linear [270, 480, 3], highlights to 4."""
    noise = np.random.default_rng(5).random((270, 480, 3), np.float32)
    texture = cv2.GaussianBlur(noise, (0, 0), 1.5)
    low, high = texture.min(), texture.max()
    return np.asarray(((texture - low) / (high - low)) ** 2 * 4, np.float32)


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """The background with a grey box in the hole, and its roto."""
    truth = background()
    rows, columns = HOLE.slices_in(PLATE)
    for frame in FRAMES:
        picture = truth.copy()
        picture[rows, columns] = 0.2
        header = flat_image(0.0, PLATE, PLATE).parts[0].header
        channels = {name: picture[..., index].astype(np.float16) for index, name in enumerate("RGB")}
        (tmp_path / f"plate.{frame:04d}.exr").write_bytes(write_frame(Frame((Part(header, channels),))))
        roto = flat_image(0.0, PLATE, PLATE, "A")
        roto.channel("A")[rows, columns] = 1.0
        (tmp_path / f"roto.{frame:04d}.exr").write_bytes(write_frame(roto))
    return tmp_path


def oracle(request: RemovalRequest) -> np.ndarray:
    """The true background, cut and encoded as the clip was."""
    truth = background()
    height, width = request.clip.shape[1:3]
    return np.stack([request.curve.encode(shrink(truth[w.slices_in(PLATE)], width, height)) for w in request.windows])


def removed(shot: Path, **settings: object) -> tuple[list[Frame], RemovalRequest]:
    engine = Engine(oracle)
    plate, roto = (footage(shot, name, FRAMES) for name in ("plate", "roto"))
    given = ShotSettings.from_dict({**SIZE, **settings})
    return list(remove_object(plate, Mattes(roto), given, engine, Progress())), engine.requests[0]


def psnr(frame: Frame) -> float:
    """In the hole, against the truth, in decibels of a range of 1."""
    here = HOLE.slices_in(PLATE)
    ours = np.stack([np.asarray(frame.channel(name), np.float32) for name in "RGB"], axis=-1)[here]
    return float(-10 * np.log10(np.mean((ours - background()[here]) ** 2)))


def test_an_oracle_comes_back_sharper_by_the_scale_that_the_crop_saves(shot: Path) -> None:
    cropped, request = removed(shot)
    whole, all_of_it = removed(shot, crop="full")
    assert all_of_it.windows == (PLATE,) * 3
    # 60 x 40 and a ramp of 3: 66 x 46. Three times that area in 80 : 48 is 123 x 74, and more than 0.15 on every side.
    assert abs(123 * 74 / (66 * 46) - 3) < 0.003
    assert request.windows == (Window(330 - 62, 170 - 37, 123, 74),) * 3
    assert psnr(cropped[1]) > psnr(whole[1]) + 3


def test_outside_the_matte_every_bit_is_the_plates(shot: Path) -> None:
    frames, _ = removed(shot)
    plate = footage(shot, "plate", FRAMES)
    for number, frame in zip(FRAMES, frames, strict=True):
        source = plate.read(number)
        outside = np.asarray(frame.channel("void.matte")) == 0
        assert 0.8 < outside.mean() < 1
        for name in "RGB":
            assert np.array_equal(bits(frame.channel(name))[outside], bits(source.channel(name))[outside])
            assert not np.array_equal(bits(frame.channel(name)), bits(source.channel(name)))


def test_the_curve_is_that_of_what_the_model_sees(shot: Path) -> None:
    """A light far away does not cost the picture around the object its levels."""
    for frame in FRAMES:
        path = shot / f"plate.{frame:04d}.exr"
        image = footage(shot, "plate", FRAMES).read(frame)
        for name in "RGB":
            image.channel(name)[5:9, 5:9] = 50.0
        path.write_bytes(write_frame(image))
    _, cropped = removed(shot)
    _, whole = removed(shot, crop="full")
    assert whole.curve.maximum == 50
    assert cropped.curve.maximum < 5
