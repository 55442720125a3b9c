"""Grain: what is measured of known grain, and what is laid by it."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from void_server.demo.scene import Scene
from void_server.plates.grain import Grain, sample_grain

Pixels = npt.NDArray[np.float32]

pytestmark = pytest.mark.slow

HEIGHT, WIDTH = 1080, 2048
TINT = np.array([1.1, 1, 0.8], np.float32)
ALL = np.ones((HEIGHT, WIDTH), bool)


def textured(share: float, slope: float = 2.0) -> Pixels:
    """Five octaves of levels: a texture of amplitude falling with frequency^(slope / 2), above a smooth part."""
    return _textured(share, slope).copy()


@functools.cache
def _textured(share: float, slope: float) -> Pixels:
    rng = np.random.default_rng(3)
    frequency = np.hypot(np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH))
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((HEIGHT, WIDTH))) * frequency ** (-slope / 2)
    texture = np.fft.irfft2(spectrum, (HEIGHT, WIDTH))
    across = np.linspace(-5, 0.5, WIDTH)
    rows = np.arange(HEIGHT)[:, None] < share * HEIGHT
    stops = across + np.where(rows, np.clip(texture / texture.std(), -1.4, 1.4), 0)
    return np.asarray(np.exp2(stops)[..., None] * TINT, np.float32)


def deviation(picture: Pixels) -> Pixels:
    """Of the grain in these tests: 2 % at 0.18, growing as light does."""
    return np.asarray(0.0036 * np.sqrt(np.clip(picture, 0, None) / 0.18 + 0.05), np.float32)


def noise(shape: tuple[int, ...], sigma: float, seed: int = 0) -> Pixels:
    """White noise blurred by sigma pixels, of deviation 1."""
    white = np.random.default_rng((5, seed)).standard_normal(shape, np.float32)
    soft = cv2.GaussianBlur(white, (0, 0), sigma) if sigma else white
    return np.asarray(soft / soft.std(axis=(0, 1)), np.float32)


def grain_of(*plates: Pixels) -> Grain:
    return Grain.of(sample_grain(np.moveaxis(plate, -1, 0), np.ones(plate.shape[:2], bool)) for plate in plates)


def is_none(grain: Grain) -> bool:
    base = np.full((40, 50, 3), 0.18, np.float32)
    return not grain.deviations.any() and not grain.deviation(base).any() and not grain.lay(base, (1, 2)).any()


def by_level(clean: Pixels, *noises: Pixels) -> list[Pixels]:
    """Deviations [4, 3] of noises in four bands of the clean picture's luminance, with as many pixels in each."""
    luminance = clean @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    band = np.searchsorted(np.quantile(luminance, [0.25, 0.5, 0.75]), luminance)
    return [np.stack([each[band == index].std(axis=0) for index in range(4)]) for each in noises]


def likeness(one: Pixels, other: Pixels) -> float:
    return float(np.mean(one * other) / math.sqrt(np.mean(one**2) * np.mean(other**2)))


@pytest.mark.parametrize("share", [0.0, 0.8])
@pytest.mark.parametrize("sigma", [0.0, 0.7, 1.2])
def test_what_is_laid_is_as_strong_as_what_was_there(sigma: float, share: float) -> None:
    clean = textured(share)
    grain = noise(clean.shape, sigma) * deviation(clean)
    laid = grain_of(clean + grain).lay(clean, (1, 1001))
    there, ours = by_level(clean, grain, laid)
    assert ours / there == pytest.approx(np.ones((4, 3)), abs=0.08)
    assert abs(laid.mean()) < 0.01 * laid.std()


@pytest.mark.parametrize("slope", [1.2, 3.0])
def test_more_frames_say_it_better_in_rough_and_in_cloudy_texture(slope: float) -> None:
    clean = textured(0.8, slope)
    plates = [clean + noise(clean.shape, 1.2, frame) * deviation(clean) for frame in range(3)]
    there, ours = by_level(clean, plates[0] - clean, grain_of(*plates).lay(clean, (1, 1)))
    assert ours / there == pytest.approx(np.ones((4, 3)), abs=0.06)


def test_grain_is_told_from_the_texture_under_it() -> None:
    """Where nothing is flat."""
    clean = textured(1.0, 3.0)
    laid = grain_of(clean + noise(clean.shape, 0.7) * deviation(clean)).lay(clean, (1, 1))
    there, ours = by_level(clean, noise(clean.shape, 0.7) * deviation(clean), laid)
    assert ours / there == pytest.approx(np.ones((4, 3)), abs=0.1)


@pytest.mark.parametrize("sigma", [0.0, 0.7, 1.2])
def test_what_is_laid_is_as_soft_as_what_was_there(sigma: float) -> None:
    clean = textured(0.8)
    unit = noise(clean.shape, sigma)
    laid = grain_of(clean + unit * deviation(clean)).lay(np.full_like(clean, 0.18), (7,))
    for step in (1, 2, 3):
        for there, ours in ((unit, laid), (unit.swapaxes(0, 1), laid.swapaxes(0, 1))):
            expected = likeness(there[:, :-step], there[:, step:])
            assert likeness(ours[:, :-step], ours[:, step:]) == pytest.approx(expected, abs=0.03)


def test_channels_keep_their_own_strength_and_softness_and_what_they_share() -> None:
    clean = textured(0.5)
    sharp, soft = noise(clean.shape, 0.6), noise(clean.shape, 1.3, 1)
    red, green, blue = sharp[..., 0], 0.6 * sharp[..., 0] + 0.8 * sharp[..., 1], soft[..., 2]
    unit = np.stack([red, green, blue], axis=2)
    strength = np.array([1.5, 1, 3], np.float32)
    laid = grain_of(clean + unit * deviation(clean) * strength).lay(np.full_like(clean, 0.18), (7,))
    assert laid.std(axis=(0, 1)) / deviation(np.float32(0.18)) == pytest.approx(strength, rel=0.06)
    assert likeness(laid[..., 0], laid[..., 1]) == pytest.approx(0.6, abs=0.04)
    assert likeness(laid[..., 1], laid[..., 2]) == pytest.approx(0, abs=0.04)
    for channel in range(3):
        there = likeness(unit[:, 1:, channel], unit[:, :-1, channel])
        assert likeness(laid[:, 1:, channel], laid[:, :-1, channel]) == pytest.approx(there, abs=0.03)


def test_the_demos_grain() -> None:
    """0.0085 * 2.4 * sqrt(x / 0.18 + 0.05) of noise blurred by 0.7 pixels (to about 0.4 of it, as measured here)."""
    scene = Scene(width=1280, height=720)
    grain = Grain.of(
        sample_grain(
            np.moveaxis(scene.plate(frame), -1, 0),
            (scene.object_matte(frame) == 0) & (scene.affected_matte(frame) == 0),
        )
        for frame in (1001, 1008, 1016, 1024)
    )
    unit = cv2.GaussianBlur(np.random.default_rng(0).standard_normal((512, 512), np.float32), (0, 0), 0.7) * 2.4
    levels = np.array([0.1, 0.18, 0.3, 0.5], np.float32)
    expected = 0.0085 * np.sqrt(levels / 0.18 + 0.05) * unit.std()
    base = np.repeat(levels, 3).reshape(1, 4, 3)
    assert grain.deviation(base)[0] == pytest.approx(np.repeat(expected, 3).reshape(4, 3), rel=0.1)


@pytest.mark.parametrize("kind", ["smooth", "half", "texture and smooth", "constant", "constant with boxes"])
def test_a_picture_without_grain_gives_none(kind: str) -> None:
    picture = textured(0.8 if "and" in kind else 0.0)
    if kind == "half":
        picture = picture.astype(np.float16).astype(np.float32)
    if "constant" in kind:
        picture[:] = 0.3
    if "boxes" in kind:
        picture[100:600, 50:900] = 0.8
    assert is_none(grain_of(picture))


def test_where_there_is_nothing_to_measure_there_is_none() -> None:
    grainy = noise((200, 300, 3), 0) * 0.01 + 0.2
    full = np.ones((200, 300), bool)
    assert not is_none(Grain.of([sample_grain(np.moveaxis(grainy, -1, 0), full)]))
    assert is_none(Grain.of([]))
    assert is_none(Grain.of([sample_grain(np.moveaxis(grainy, -1, 0), ~full)]))
    for value in (0, np.nan, np.inf, -np.inf, 1e30):
        assert is_none(Grain.of([sample_grain(np.moveaxis(np.full_like(grainy, value), -1, 0), full)]))
    for height, width in ((0, 0), (1, 1), (31, 300), (200, 7), (32, 32)):
        assert is_none(Grain.of([sample_grain(np.moveaxis(grainy[:height, :width], -1, 0), full[:height, :width])]))


def test_what_is_removed_and_what_is_no_number_is_not_measured() -> None:
    clean = textured(0.3)
    plate = clean + noise(clean.shape, 0.7) * deviation(clean)
    keep = ALL.copy()
    keep[:, 300:1500] = False
    plate[~keep] += 5 * noise(clean.shape, 0.7, 1)[~keep]
    plate[::300, ::200, 1] = np.nan
    plate[150::300, ::200, 0] = -np.inf
    plate[150::300, 100::400, 2] = 1e30
    base = np.repeat(np.array([0.05, 0.8], np.float32), 3).reshape(1, 2, 3)
    assert Grain.of([sample_grain(np.moveaxis(plate, -1, 0), keep)]).deviation(base) == pytest.approx(
        deviation(base), rel=0.1
    )


def test_bars_captions_and_clipped_highlights_do_not_count() -> None:
    """A letterbox not quite black, a caption, and half of the picture clipped."""
    clean = textured(0.3)
    plate = np.minimum(clean + noise(clean.shape, 0.7) * deviation(clean), 0.4)
    plate[:100] = plate[-100:] = 0.001
    plate[800:900, 200:600] = 0.12
    base = np.repeat(np.array([0.05, 0.12, 0.3], np.float32), 3).reshape(1, 3, 3)
    assert grain_of(plate).deviation(base) == pytest.approx(deviation(base), rel=0.1)


@pytest.mark.parametrize("slope", [1.0, 2.0])
def test_one_bright_place_that_looks_like_grain_says_nothing_about_a_picture_of_fine_texture(slope: float) -> None:
    """A lamp's glitter at 20, no grain anywhere: taken for grain, it would lie on the shadows, too."""
    picture = textured(1.0, slope)[:544, :960] * np.exp2(noise((544, 960, 3), 1.0, 1) / 2)
    picture[200:264, 400:464] = 20 + 3 * noise((64, 64, 3), 0.7, 2)
    assert is_none(grain_of(picture))


def test_a_level_of_which_nothing_is_flat_lies_between_those_that_are() -> None:
    clean = textured(0.0)
    level = clean[..., 1:2]
    checks = np.indices((HEIGHT, WIDTH)).sum(axis=0)[..., None] // 3 % 2
    clean = np.where((level > 0.1) & (level < 0.35), clean * (1 + 0.2 * checks), clean).astype(np.float32)
    grain = grain_of(clean + noise(clean.shape, 0.7) * deviation(clean))
    base = np.full((1, 1, 3), 0.2, np.float32)
    assert grain.deviation(base) == pytest.approx(deviation(base), rel=0.1)


def test_above_what_was_measured_it_grows_as_that_of_light_does() -> None:
    """In proportion to the square root; and below, to what the law leaves at 0."""
    clean = np.broadcast_to(np.linspace(0.02, 2, WIDTH, dtype=np.float32)[:, None], (HEIGHT, WIDTH, 3))
    grain = grain_of(clean + noise(clean.shape, 0) * deviation(clean))
    base = np.array([0, 0.001, 60, 1e5, -3, np.nan], np.float32)[None, :, None].repeat(3, axis=2)
    measured = grain.deviation(base)
    assert measured[0, :3] == pytest.approx(deviation(base)[0, :3], rel=0.15)
    assert (measured[0, 4:] == measured[0, 0]).all()
    assert np.isfinite(grain.lay(base, (1,))).all()


def test_a_plate_of_values_to_60() -> None:
    clean = textured(0.4) * 40
    grain = grain_of(clean + noise(clean.shape, 1) * deviation(clean))
    base = np.repeat(np.array([2, 10, 40], np.float32), 3).reshape(1, 3, 3)
    assert grain.deviation(base) == pytest.approx(deviation(base), rel=0.08)


@pytest.fixture(scope="module")
def soft() -> Grain:
    clean = textured(0.2)
    return grain_of(clean + noise(clean.shape, 1) * deviation(clean))


def test_every_frame_has_its_own(soft: Grain) -> None:
    base = np.full((256, 256, 3), 0.2, np.float32)
    seeds = [(1, 1001), (1, 1002), (2, 1001), (1001, 1), (1, -1001), (1,), (1, 0), (2**40, 1)]
    laid = [soft.lay(base, seed) for seed in seeds]
    for index, one in enumerate(laid):
        for other in laid[:index]:
            assert abs(likeness(one, other)) < 0.03  # five deviations of chance, grain as soft as this


def test_the_same_seed_makes_the_same_bits_on_any_number_of_threads(soft: Grain) -> None:
    base = textured(0.5)[:700, :900]
    before, laid = cv2.getNumThreads(), []
    try:
        for threads in (1, 2, 4):
            cv2.setNumThreads(threads)
            laid.append(soft.lay(base, (1, 1001)))
    finally:
        cv2.setNumThreads(before)
    assert laid[0].tobytes() == laid[1].tobytes() == laid[2].tobytes()
    assert laid[0].tobytes() == soft.lay(base, (np.int64(1), np.int32(1001))).tobytes()  # type: ignore[arg-type]


def test_real_footage_with_grain_over_its_own(shared: Path) -> None:
    """What is added adds to the variance that the footage has without it."""
    clip = shared / "samples" / "lime" / "input_video.mp4"
    if not clip.exists():
        pytest.skip(f"{clip} is not here")
    shown = cv2.resize(cv2.VideoCapture(str(clip)).read()[1], (1920, 1080), interpolation=cv2.INTER_AREA) / 255
    plate = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4).astype(np.float32)
    base = np.repeat(np.array([0.02, 0.08, 0.2, 0.4], np.float32), 3).reshape(1, 4, 3)
    own = grain_of(plate).deviation(base)
    both = grain_of(plate + noise(plate.shape, 1.2) * deviation(plate)).deviation(base)
    assert (own < deviation(base)).all()
    assert both / np.hypot(own, deviation(base)) == pytest.approx(np.ones((1, 4, 3)), abs=0.15)
