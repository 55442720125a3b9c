"""Pixels of one frame laid over another's, against a background that is a formula: known at every point."""

from __future__ import annotations

import numpy as np
import pytest

from void_server.plates.register import Carried, carried_over, spread_into
from void_server.plates.sampling import Ring

HEIGHT, WIDTH = 150, 190
HOLE = slice(55, 95), slice(65, 125)
SLACK = 24  # pixels by which the other frame's box is larger on every side
IDENTITY = np.eye(3)

_RNG = np.random.default_rng(11)
PERIODS = np.geomspace(7, 70, 14)
WAVES = 2 * np.pi / PERIODS[:, None] * np.stack([np.cos(a := _RNG.uniform(0, np.pi, 14)), np.sin(a)], axis=-1)
PHASES = _RNG.uniform(0, 2 * np.pi, (3, 14))


def scene(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The background at any place, float32 [..., 3], scene-linear, 0.02 to 0.9: waves of 7 to 70 pixels, all ways."""
    angles = x[..., None] * WAVES[:, 0] + y[..., None] * WAVES[:, 1]
    sums = np.stack([np.sin(angles + phase).sum(axis=-1) for phase in PHASES], axis=-1)
    return np.asarray(0.4 * np.exp(sums / 5), np.float32).clip(0.02, 0.9)


def grid(height: int = HEIGHT, width: int = WIDTH, left: int = 0, top: int = 0) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(np.arange(width) + float(left), np.arange(height) + float(top))
    return x, y


def through(move: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    across, down, by = np.tensordot(move, np.stack([x, y, np.ones_like(x)]), axes=1)
    return across / by, down / by


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def turned(degrees: float, zoom: float, x: float, y: float) -> np.ndarray:
    """About the middle of the box."""
    angle = np.deg2rad(degrees)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([WIDTH / 2, HEIGHT / 2])
    return np.vstack([np.column_stack([turn, middle - turn @ middle + [x, y]]), [0, 0, 1]])


def with_hole(rgb: np.ndarray, hole: tuple[slice, slice] = HOLE) -> Ring:
    """An object of 8.0 over the background."""
    rgb, clear = rgb.copy(), np.ones(rgb.shape[:2], bool)
    rgb[hole], clear[hole] = 8.0, False
    return Ring(rgb, clear)


def here(**grain: float) -> Ring:
    return with_hole(scene(*grid()) + noise(1, (HEIGHT, WIDTH), **grain))


def noise(seed: int, size: tuple[int, int], sigma: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, (*size, 3)).astype(np.float32)


def other(move: np.ndarray, *, slack: int = SLACK, sigma: float = 0.0, gain: float = 1.0) -> tuple[Ring, tuple]:
    """The frame into which `move` carries the background, no object in it, and the offset of its box."""
    size = HEIGHT + 2 * slack, WIDTH + 2 * slack
    back = through(np.linalg.inv(move), *grid(*size, -slack, -slack))
    return Ring(scene(*back) * np.float32(gain) + noise(2, size, sigma), np.ones(size, bool)), (-slack, -slack)


def off(found: Carried, where: tuple[slice, slice] | np.ndarray) -> float:
    """The rms off the truth."""
    return float(np.sqrt(np.mean((found.rgb - scene(*grid()))[where] ** 2)))


def error(found: Carried | None, hole: tuple[slice, slice] = HOLE) -> float:
    """The rms off the truth in the hole, all of which has to be trusted."""
    assert found is not None
    assert (found.trust[hole] > 0.95).all()
    return off(found, hole)


CONTRAST = float(scene(*grid())[HOLE].std())


def test_a_camera_at_rest_copies_every_bit() -> None:
    box = scene(*grid())
    box[70, 80:85] = [[-0.03] * 3, [30.0] * 3, [1e-7] * 3, [1 / 3] * 3, [65504.0] * 3]
    found = carried_over(here(), Ring(box, np.ones(box.shape[:2], bool)), (0, 0), IDENTITY)
    assert found is not None
    assert np.array_equal(found.rgb.view(np.uint32), box.view(np.uint32))
    assert (found.trust == 1).all()


@pytest.mark.parametrize("sigma", [0.02, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_a_camera_at_rest_copies_every_bit_however_grainy(sigma: float, seed: int) -> None:
    box = scene(*grid()) + noise(10 + seed, (HEIGHT, WIDTH), sigma)
    ring = with_hole(scene(*grid()) + noise(20 + seed, (HEIGHT, WIDTH), sigma))
    found = carried_over(ring, Ring(box, np.ones(box.shape[:2], bool)), (0, 0), IDENTITY)
    assert found is not None
    assert np.array_equal(found.rgb, box)
    assert (found.trust[HOLE] > 0.95).all()


def test_grain_on_a_narrow_ring_is_no_change_of_light() -> None:
    """The mean of a few thousand grainy pixels is off by a part of a hundred."""
    narrow = np.zeros((HEIGHT, WIDTH), bool)
    narrow[45:105, 55:135] = True
    for seed in range(4):
        ring = with_hole(scene(*grid()) + noise(30 + seed, (HEIGHT, WIDTH), 0.07))
        box = scene(*grid()) + noise(40 + seed, (HEIGHT, WIDTH), 0.07)
        found = carried_over(Ring(ring.rgb, ring.clear & narrow), Ring(box, np.ones_like(narrow)), (0, 0), IDENTITY)
        assert found is not None
        assert np.array_equal(found.rgb, box)


def test_a_move_by_whole_pixels_copies_every_bit_too() -> None:
    """Lanczos would soften the grain. The path is a little off, as paths are."""
    there, offset = other(shift(5, -3), sigma=0.02)
    found = carried_over(here(sigma=0.02), there, offset, shift(5.02, -3.01))
    assert found is not None
    moved = there.rgb[SLACK - 3 : SLACK - 3 + HEIGHT, SLACK + 5 : SLACK + 5 + WIDTH]
    assert np.array_equal(found.rgb[HOLE], moved[HOLE])


@pytest.mark.parametrize(
    "move",
    [shift(0.37, -0.62), shift(6.5, 3.25), turned(0.6, 1, 2, 1), turned(0, 1.012, -1, 0), turned(-0.4, 0.99, 7, -5)],
    ids=["sub-pixel", "pan", "roll", "zoom", "all"],
)
def test_moves_are_undone_to_a_few_thousandths(move: np.ndarray) -> None:
    assert error(carried_over(here(), *other(move), move)) < 0.03 * CONTRAST


@pytest.mark.parametrize("wrong", [(3, 0), (-2.5, 2.5), (0, -4)])
def test_a_path_that_is_pixels_off_is_put_right(wrong: tuple[float, float]) -> None:
    move = turned(0.3, 1.004, 6.5, 3.25)
    found = carried_over(here(), *other(move), shift(*wrong) @ move)
    assert error(found) < 0.06 * CONTRAST


@pytest.mark.parametrize("move", [shift(1.4, 0.6), shift(0, 0.3), turned(0.3, 1, 0, 0)])
def test_a_rest_that_is_none_is_put_right(move: np.ndarray) -> None:
    assert error(carried_over(here(), *other(move), IDENTITY)) < 0.04 * CONTRAST


@pytest.mark.parametrize("gain", [0.8, 0.99, 1.02, 1.3])
@pytest.mark.parametrize("move", [IDENTITY, shift(6.5, 3.25)], ids=["rest", "pan"])
def test_another_exposure_is_recovered(gain: float, move: np.ndarray) -> None:
    found = carried_over(here(sigma=0.005), *other(move, sigma=0.005, gain=gain), move)
    assert found is not None
    truth = scene(*grid())[HOLE]
    assert found.rgb[HOLE].sum() / truth.sum() == pytest.approx(1, abs=0.003)
    assert (found.trust[HOLE] > 0.95).all()


def test_a_change_of_colour_is_recovered_by_channel_and_highlights_keep_their_ratio() -> None:
    there, offset = other(IDENTITY, slack=0)
    there.rgb[...] *= np.array([0.8, 1.0, 1.25], np.float32)
    there.rgb[70, 80] = 30.0
    found = carried_over(here(), there, offset, IDENTITY)
    assert found is not None
    assert found.rgb[70, 80] == pytest.approx([30 / 0.8, 30, 30 / 1.25], rel=2e-3)
    assert found.rgb[70, 90] == pytest.approx(scene(*grid())[70, 90], rel=2e-3)


def test_something_unmarked_that_passes_through_the_ring_does_not_move_what_is_found() -> None:
    """A bright square in the other frame, over a tenth of the ring: the background still lies where it lay."""
    move = shift(6.5, 3.25)
    there, offset = other(move)
    there.rgb[30:75, 30:90] = 5.0
    found = carried_over(here(), there, offset, move)
    assert found is not None
    low = slice(75, 95), slice(65, 125)  # away from the passer-by
    assert (found.trust[low] > 0.5).all()
    assert off(found, low) < 0.03 * CONTRAST


def test_a_wholly_other_place_is_not_trusted() -> None:
    """A cut that the camera's path missed."""
    there, offset = other(shift(500, 300))
    found = carried_over(here(), there, offset, IDENTITY)
    assert found is None or found.trust[HOLE].max() < 0.3


def test_what_the_other_frame_does_not_show_has_no_trust() -> None:
    move = shift(20.5, 0)
    there, offset = other(move)
    hidden = slice(SLACK + 50, SLACK + 80), slice(SLACK + 20 + 100, SLACK + 20 + 140)
    there.rgb[hidden], there.clear[hidden] = 8.0, False
    found = carried_over(here(), there, offset, move)
    assert found is not None
    assert not found.trust[55:80, 100:125].any()
    seen = slice(55, 95), slice(65, 95)
    assert (found.trust[seen] > 0.95).all()
    assert off(found, seen) < 0.03 * CONTRAST


@pytest.mark.parametrize("move", [IDENTITY, shift(-30, 0), shift(-30.5, 0.5)], ids=["rest", "whole", "sub-pixel"])
def test_a_hole_that_lies_partly_beyond_the_other_picture(move: np.ndarray) -> None:
    """The other picture ends where its column 60, counted from the box, begins."""
    there, offset = other(move)
    cut = Ring(there.rgb[:, SLACK + 60 :].copy(), there.clear[:, SLACK + 60 :].copy())
    found = carried_over(here(), cut, (offset[0] + SLACK + 60, offset[1]), move)
    assert found is not None
    lost = int(60 - move[0, 2])  # columns of the box that are not in it
    assert not found.trust[:, :lost].any()
    kept = slice(55, 95), slice(max(65, lost + 3), 125)
    assert (found.trust[kept] > 0.95).all()
    assert off(found, kept) < 0.05 * CONTRAST


@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
def test_a_hole_at_the_pictures_edge(side: str) -> None:
    """Nothing is known on that side."""
    hole = {
        "left": (slice(50, 100), slice(0, 50)),
        "top": (slice(0, 50), slice(60, 120)),
        "right": (slice(50, 100), slice(WIDTH - 50, WIDTH)),
        "bottom": (slice(HEIGHT - 50, HEIGHT), slice(60, 120)),
    }[side]
    move = turned(0.3, 1.003, 6.5, 3.25)
    found = carried_over(with_hole(scene(*grid()), hole), *other(move), shift(1, 1) @ move)
    assert error(found, hole) < 0.1 * CONTRAST


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("move", [IDENTITY, shift(6.5, 3.25)], ids=["rest", "pan"])
def test_pixels_that_are_no_numbers_are_not_trusted_and_do_not_spread(bad: float, move: np.ndarray) -> None:
    there, offset = other(move)
    place = SLACK + 75 + int(move[1, 2]), SLACK + 95 + int(move[0, 2])
    there.rgb[place], there.clear[place] = bad, False
    found = carried_over(here(), there, offset, move)
    assert found is not None
    assert found.trust[75, 95] == 0
    assert (found.trust[HOLE] > 0.95).mean() > 0.95
    trusted = np.zeros((HEIGHT, WIDTH), bool)
    trusted[HOLE] = found.trust[HOLE] > 0
    assert off(found, trusted) < 0.03 * CONTRAST
    assert np.abs(found.rgb - scene(*grid()))[trusted].max() < 0.5 * CONTRAST


def test_a_light_between_pixels_makes_neither_holes_nor_lights_of_its_own() -> None:
    """Lanczos rings to a tenth of a step: by a lamp of 30, that would be far below black."""
    there, offset = other(shift(6.5, 3.5))
    lamp = slice(SLACK + 70, SLACK + 76), slice(SLACK + 90, SLACK + 96)
    there.rgb[lamp] = 30.0
    found = carried_over(here(), there, offset, shift(6.5, 3.5))
    assert found is not None
    assert found.rgb[HOLE].min() >= 0
    assert found.rgb[HOLE].max() <= 30.001
    assert found.rgb[70, 87] == pytest.approx(30, rel=0.01)


def test_negative_light_stays_negative() -> None:
    there, offset = other(shift(6.5, 3.5))
    there.rgb[SLACK + 60 : SLACK + 90, SLACK + 80 : SLACK + 110] = -0.03
    found = carried_over(here(), there, offset, shift(6.5, 3.5))
    assert found is not None
    assert found.rgb[65:80, 80:95] == pytest.approx(-0.03, abs=1e-5)


def test_too_little_to_go_by_is_none() -> None:
    ring = here()
    blind = Ring(ring.rgb, np.zeros_like(ring.clear))
    assert carried_over(blind, *other(IDENTITY), IDENTITY) is None
    blind.clear[0, :100] = True
    assert carried_over(blind, *other(IDENTITY), IDENTITY) is None
    there, offset = other(IDENTITY)
    assert carried_over(ring, Ring(there.rgb, np.zeros_like(there.clear)), offset, IDENTITY) is None
    assert carried_over(ring, there, (5000, 5000), IDENTITY) is None
    assert carried_over(ring, there, (-5000, 0), shift(0.5, 0)) is None


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3, 200), (200, 3), (11, 40), (12, 40)])
def test_slivers_are_none_or_right(size: tuple[int, int]) -> None:
    box = Ring(np.full((*size, 3), 0.2, np.float32), np.ones(size, bool))
    for move in (IDENTITY, shift(1.5, 0)):
        found = carried_over(box, box, (0, 0), move)
        assert found is None or (np.isfinite(found.trust).all() and np.isfinite(found.rgb).all())


@pytest.mark.parametrize("value", [0.0, 0.2, 30.0])
@pytest.mark.parametrize("move", [IDENTITY, shift(6.5, 3.25)], ids=["rest", "pan"])
def test_a_flat_wall_is_a_flat_wall(value: float, move: np.ndarray) -> None:
    flat = np.full((HEIGHT, WIDTH, 3), value, np.float32)
    found = carried_over(with_hole(flat), Ring(flat, np.ones((HEIGHT, WIDTH), bool)), (0, 0), move)
    assert found is not None
    assert found.rgb[HOLE] == pytest.approx(value, rel=1e-3)
    assert (found.trust[HOLE] > 0.95).all()


def test_a_flat_wall_of_another_light_is_not_trusted() -> None:
    """No exposure between a half and twice makes the one of the other, and no detail speaks for it."""
    flat = np.full((HEIGHT, WIDTH, 3), 0.05, np.float32)
    found = carried_over(with_hole(flat), Ring(flat * 6, np.ones((HEIGHT, WIDTH), bool)), (0, 0), IDENTITY)
    assert found is None or found.trust[HOLE].max() == 0


def test_two_lights_as_strong_as_each_other_give_no_nonsense() -> None:
    """Half the ring is lit twice as strongly: the middle of the ratios is a ratio that no pixel has."""
    flat = np.full((HEIGHT, WIDTH, 3), 0.2, np.float32)
    there = flat.copy()
    there[:, : WIDTH // 2] *= 2.2
    found = carried_over(
        Ring(flat, np.ones((HEIGHT, WIDTH), bool)), Ring(there, np.ones((HEIGHT, WIDTH), bool)), (0, 0), IDENTITY
    )
    assert found is not None
    assert np.isfinite(found.rgb).all()
    assert np.isfinite(found.trust).all()


def test_heavy_grain_costs_little_but_grain() -> None:
    """Deviation 0.05 on both, the camera on its way and the path two pixels off."""
    move = shift(6.5, 3.25)
    found = carried_over(here(sigma=0.05), *other(move, sigma=0.05), shift(2, -1) @ move)
    assert 0.02 < error(found) < 0.055


@pytest.mark.parametrize("parallax", [1, 3, 6, 12])
def test_two_depths_are_laid_right_or_not_trusted(parallax: float) -> None:
    """What is left of the seam, in the hole, is near, and has moved by some pixels more."""
    there, offset = other(shift(4, 0))
    near, _ = other(shift(4 + parallax, 0))
    there.rgb[:, : SLACK + 105] = near.rgb[:, : SLACK + 105]
    found = carried_over(here(), there, offset, shift(4, 0))
    assert found is None or off_where_trusted(found) < 0.3 * CONTRAST


def off_where_trusted(found: Carried) -> float:
    """The rms off the truth in the hole, by trust."""
    square = (found.rgb - scene(*grid()))[HOLE] ** 2
    return float(np.sqrt(np.mean(square * found.trust[HOLE][..., None] ** 2)))


def test_what_is_spread_is_a_mean_of_what_is_known_and_fades_where_nothing_is() -> None:
    values = np.zeros((80, 400, 2), np.float32)
    weight = np.zeros((80, 400), np.float32)
    values[:, :40], weight[:, :40] = [3.0, -1.0], 1.0
    spread = spread_into(values, weight, 32.0)
    assert spread[40, 100] == pytest.approx([3, -1], rel=1e-3)
    assert spread_into(values, weight, 32.0, towards_zero=0.02)[40, 390] == pytest.approx([0, 0], abs=1e-3)
