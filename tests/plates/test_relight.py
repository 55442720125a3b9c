"""Another frame's pixels beside the model's: light is the model's, detail is real, and what passed by is found out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from void_server.plates.relight import relight

HEIGHT, WIDTH = 160, 220
HOLE = slice(50, 110), slice(70, 150)
MIDDLE = slice(65, 95), slice(90, 130)


def texture(seed: int, sigma: float, deviation: float, size: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    soft = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=size).astype(np.float32), (0, 0), sigma)
    soft = (soft - soft.mean()) / max(float(soft.std()), 1e-6) * deviation
    return np.repeat(soft[..., None], 3, axis=2)


PICTURE = 0.45 + texture(1, 2, 0.06) + texture(2, 0.7, 0.02)  # detail that the model sees, and detail that it cannot


def as_model(picture: np.ndarray, scale: float) -> np.ndarray:
    """What a model at this scale could make of it."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (round(width / scale), round(height / scale)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def shadow(by: float) -> np.ndarray:
    """Light that is missing from all of the picture but its borders, float32 [h, w, 1]."""
    soft = np.zeros((HEIGHT, WIDTH), np.float32)
    soft[HOLE] = by
    return cv2.GaussianBlur(soft, (0, 0), 4)[..., None]


def ring_and_trust() -> tuple[np.ndarray, np.ndarray]:
    ring = np.ones((HEIGHT, WIDTH), bool)
    ring[HOLE] = False
    return ring, np.ones((HEIGHT, WIDTH), np.float32)


def relit(
    real: np.ndarray, generated: np.ndarray, scale: float = 1.0, source: np.ndarray = PICTURE
) -> tuple[np.ndarray, np.ndarray]:
    ring, trust = ring_and_trust()
    seen = np.where(ring[..., None], source, 0.9).astype(np.float32)
    change, believed = relight(
        real.astype(np.float32), generated.astype(np.float32).clip(0, 1), seen, trust, ring, scale
    )
    assert change.shape == real.shape
    assert change.dtype == believed.dtype == np.float32
    assert believed.shape == trust.shape
    assert 0 <= believed.min() <= believed.max() <= 1
    return change, believed


@pytest.mark.parametrize("scale", [1.0, 5.7])
def test_in_the_same_light_nothing_changes(scale: float) -> None:
    change, trust = relit(PICTURE, as_model(PICTURE, scale), scale)
    assert (change == 0).all()
    assert (trust == 1).all()


@pytest.mark.parametrize("by", [0.15, 0.25, -0.2])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_where_the_models_light_is_another_it_is_taken_and_the_detail_stays(by: float, scale: float) -> None:
    """A shadow that lies where the object stood; what is real was seen without it."""
    now = PICTURE - shadow(by)
    change, trust = relit(PICTURE, as_model(now, scale), scale, source=now)
    assert change[MIDDLE].mean() == pytest.approx(-by, abs=0.02)
    assert change[MIDDLE].std() < 0.02, "only low frequencies"
    assert trust[MIDDLE].min() > 0.8
    away = change[:, 170:]
    assert np.abs(away).max() < 0.01


def test_light_is_taken_by_channel() -> None:
    tinted = PICTURE - shadow(0.2) * np.array([1, 0, 0], np.float32)
    change, _ = relit(PICTURE, tinted, source=tinted)
    assert change[MIDDLE][..., 0].mean() == pytest.approx(-0.2, abs=0.02)
    assert np.abs(change[MIDDLE][..., 1:]).max() < 0.02


@pytest.mark.parametrize("scale", [1.0, 2.0])
@pytest.mark.parametrize("seed", range(3, 8))
def test_another_thing_that_stands_there_in_the_other_frame_is_not_believed(scale: float, seed: int) -> None:
    real = PICTURE.copy()
    thing = slice(53, 107), slice(73, 147)
    real[thing] = 0.85 + texture(seed, 2, 0.06)[thing]
    _, trust = relit(real, as_model(PICTURE, scale), scale)
    assert trust[MIDDLE].mean() < 0.03
    assert trust[:, :60].min() == 1


@pytest.mark.parametrize("tint", [0.1, -0.1, 0.2])
def test_a_tint_of_the_models_whole_picture_is_left_out(tint: float) -> None:
    change, trust = relit(PICTURE, PICTURE + tint)
    assert np.abs(change[HOLE]).max() < 0.01
    assert trust[HOLE].min() > 0.99


def test_a_tint_is_left_out_in_the_middle_of_a_hole_so_wide_that_no_ring_is_near() -> None:
    ring, trust = np.zeros((400, 600), bool), np.ones((400, 600), np.float32)
    ring[:8], ring[-8:], ring[:, :8], ring[:, -8:] = True, True, True, True
    picture = 0.4 + texture(4, 4, 0.05, (400, 600)).astype(np.float32)
    change, believed = relight(picture, picture + np.float32(0.2), picture, trust, ring, 1.0)
    assert np.abs(change).max() < 0.01
    assert believed.min() > 0.99


@pytest.mark.parametrize("scale", [1.0, 5.7])
def test_detail_that_the_model_invents_neither_lights_nor_discards_what_is_real(scale: float) -> None:
    """Of the same brightness, and all else different."""
    invented = 0.45 + texture(5, 1.5 * scale, 0.04)
    change, trust = relit(PICTURE, as_model(invented, scale), scale)
    assert trust.min() > 0.95
    assert np.abs(change).mean() < 0.01


def test_a_flat_fill_of_the_model_in_the_right_light_does_not_discard_what_is_real() -> None:
    fine = 0.45 + texture(5, 1.5, 0.06)
    change, trust = relit(fine, np.full_like(fine, 0.45), source=fine)
    assert trust.min() > 0.95
    assert np.abs(change).mean() < 0.01


def test_a_flat_wall_in_another_light_is_the_same_wall() -> None:
    """Neither has detail that would speak against it."""
    flat = np.full_like(PICTURE, 0.7)
    now = flat - shadow(0.3)
    change, trust = relit(flat, now, source=now)
    middle = slice(75, 85), slice(105, 115)
    assert change[middle] == pytest.approx(-0.3, abs=0.02)
    assert trust[middle].min() > 0.9


def test_what_was_not_known_stays_unknown_and_does_not_reach_its_neighbours() -> None:
    ring, trust = ring_and_trust()
    real = PICTURE.astype(np.float32)
    real[61:80, 81:100], trust[61:80, 81:100] = 1.0, 0.0
    change, believed = relight(real, PICTURE.astype(np.float32), PICTURE.astype(np.float32), trust, ring, 2.0)
    assert not believed[61:80, 81:100].any()
    assert (believed[trust > 0] > 0.99).all()
    assert np.abs(change[trust > 0]).max() < 0.01
    half = relight(real, PICTURE.astype(np.float32), PICTURE.astype(np.float32), trust / 2, ring, 2.0)[1]
    assert half == pytest.approx(believed / 2, abs=0.01)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (2, 2)])
@pytest.mark.parametrize("scale", [0.5, 1.0, 5.7])
@pytest.mark.parametrize("known", [0.0, 1.0])
def test_tiny_boxes(size: tuple[int, int], scale: float, known: float) -> None:
    picture = np.full((*size, 3), 0.4, np.float32)
    for ring in (np.ones(size, bool), np.zeros(size, bool)):
        change, trust = relight(picture, picture, picture, np.full(size, known, np.float32), ring, scale)
        assert change == pytest.approx(0, abs=1e-5)
        assert trust == pytest.approx(known)
