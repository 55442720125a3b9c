"""A shot in ACEScg: the model sees Rec.709, the plate gets its own space back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from masking_shots import Carrier
from shots_on_disk import SETTINGS, Engine, Pixels, Progress, bits, flat_image, footage, rewrite

from void_server.engine import RemovalRequest
from void_server.footage import Footage
from void_server.masking import MaskTools
from void_server.mattes import Mattes
from void_server.plates.exr import write_frame
from void_server.plates.window import Window
from void_server.plates.working_space import WorkingSpace
from void_server.shot import build_quadmasks, remove_object

# ACEScg to linear Rec.709, Bradford, as ACES prints it.
MATRIX = np.array([[1.70505, -0.62179, -0.08326], [-0.13026, 1.14080, -0.01055], [-0.02400, -0.12897, 1.15297]])
ACESCG = WorkingSpace("ACEScg", tuple(map(float, MATRIX.ravel())))
DISPLAY = Window(0, 0, 64, 40)
HOLE = slice(12, 28), slice(24, 40)
FRAMES = range(1, 4)


def write_shot(folder: Path, rec709: tuple[float, ...]) -> tuple[Footage, Footage]:
    """A plate of one colour, which is given in Rec.709 and stored in ACEScg, and a roto of a square in its middle."""
    stored = np.linalg.solve(MATRIX, rec709)
    for frame in FRAMES:
        image = flat_image(0.0, DISPLAY, DISPLAY)
        for name, value in zip("RGB", stored, strict=True):
            image.channel(name)[...] = value
            image.channel(name)[HOLE] = 0.1
        (folder / f"plate.{frame:04d}.exr").write_bytes(write_frame(image))
        roto = flat_image(1.0, Window(24, 12, 16, 16), DISPLAY, "A")
        (folder / f"roto.{frame:04d}.exr").write_bytes(write_frame(roto))
    return replace(footage(folder, "plate", FRAMES), space=ACESCG), footage(folder, "roto", FRAMES)


def oracle(rec709: tuple[float, ...]) -> Engine:
    """Knows the colour behind the object, and answers as the model would: in Rec.709, by the shot's curve."""

    def answer(request: RemovalRequest) -> Pixels:
        return np.broadcast_to(request.curve.encode(np.array(rec709, np.float32)), request.clip.shape).copy()

    return Engine(answer)


def fill_top(plate: Footage, pixels: npt.ArrayLike, names: str = "RGB") -> None:
    """Put these halves into the first four rows of channels on disk."""

    def change(channels: dict[str, npt.NDArray[np.generic]]) -> None:
        for name in names:
            channels[name][:4] = pixels

    for path in plate.paths.values():
        rewrite(path, change)


@pytest.mark.parametrize(
    "rec709",
    [(0.8, 0.02, 0.05), (0.01, 0.5, 0.02), (0.02, 0.03, 0.9), (20.0, 12.0, 1.5), (0.18, 0.18, 0.18)],
    ids=["red", "green", "blue", "fire", "grey"],
)
def test_a_colour_of_the_models_comes_back_as_it_was_in_the_plate(tmp_path: Path, rec709: tuple[float, ...]) -> None:
    plate, roto = write_shot(tmp_path, rec709)
    truth = np.linalg.solve(MATRIX, rec709)
    for frame in remove_object(plate, Mattes(roto), SETTINGS, oracle(rec709), Progress()):
        # A half keeps 2^-11 of a value; the curve and the matrices are far more exact.
        assert np.allclose(frame.rgb()[HOLE], truth, rtol=1e-3, atol=1e-4)


def test_it_would_not_without_the_matrix(tmp_path: Path) -> None:
    red = (0.8, 0.02, 0.05)
    plate, roto = write_shot(tmp_path, red)
    as_if_rec709 = Footage(plate.name, plate.paths)
    frame = next(remove_object(as_if_rec709, Mattes(roto), SETTINGS, oracle(red), Progress()))
    assert np.abs(frame.rgb()[HOLE] - np.linalg.solve(MATRIX, red)).max() > 0.2


def test_the_model_sees_rec709(tmp_path: Path) -> None:
    plate, roto = write_shot(tmp_path, (0.8, 0.02, 0.05))
    engine = Engine(lambda request: request.clip)
    next(remove_object(plate, Mattes(roto), SETTINGS, engine, Progress()))
    (request,) = engine.requests
    seen = request.curve.decode(request.clip)[:, 0, 0]
    assert np.allclose(seen, (0.8, 0.02, 0.05), atol=2e-3)


def test_sam2_and_who_is_asked_see_rec709_too(tmp_path: Path) -> None:
    plate, roto = write_shot(tmp_path, (0.8, 0.02, 0.05))
    keyed = replace(roto, paths={1: roto.paths[1]})
    carrier = Carrier()
    next(build_quadmasks(plate, Mattes(keyed), SETTINGS, Progress(), tools=MaskTools(carrier)))
    srgb = 1.055 * np.array([0.8, 0.02, 0.05]) ** (1 / 2.4) - 0.055
    assert np.allclose(carrier.clip[:, 0, 0], srgb, atol=2e-3)


def test_outside_the_matte_every_bit_is_the_plates(tmp_path: Path) -> None:
    plate, roto = write_shot(tmp_path, (0.8, 0.02, 0.05))
    fill_top(plate, np.random.default_rng(1).integers(0, 1 << 16, (4, 64), np.uint16).view(np.float16))
    for number, frame in zip(
        FRAMES, remove_object(plate, Mattes(roto), SETTINGS, oracle((0.8, 0.02, 0.05)), Progress()), strict=True
    ):
        outside = frame.channel("void.matte") == 0
        source = plate.read(number)
        for name in "RGBA":
            assert np.array_equal(bits(frame.channel(name))[outside], bits(source.channel(name))[outside])
        assert np.isfinite(frame.rgb()[HOLE]).all()
        assert not np.array_equal(bits(frame.channel("R")), bits(source.channel("R")))


def test_a_white_of_inf_is_the_brightest_that_the_model_sees(tmp_path: Path) -> None:
    plate, roto = write_shot(tmp_path, (3.0, 2.0, 1.0))
    fill_top(plate, np.float16(np.inf))
    engine = Engine(lambda request: request.clip)
    next(remove_object(plate, Mattes(roto), SETTINGS, engine, Progress()))
    assert engine.requests[0].clip[:, 0].min() > 0.99


@pytest.mark.parametrize(("names", "value"), [("RGB", np.inf), ("R", -np.inf)])
def test_what_is_not_finite_sets_no_maximum(tmp_path: Path, names: str, value: float) -> None:
    """-Inf in R is a great light in G and B once the matrix has mixed them."""
    plate, roto = write_shot(tmp_path, (3.0, 2.0, 1.0))
    fill_top(plate, np.float16(value), names)
    engine = Engine(lambda request: request.clip)
    next(remove_object(plate, Mattes(roto), SETTINGS, engine, Progress()))
    assert engine.requests[0].curve.maximum == pytest.approx(3.0, rel=2e-3)
