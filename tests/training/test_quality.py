"""The measures of quality, by arithmetic: what is known to be right, half right, shifted or trembling."""

from __future__ import annotations

import math

import numpy as np
import pytest

from void_server.masks.quadmask import KEEP
from void_server.training.baselines import BASELINES, inpainted, median_then_inpainted
from void_server.training.drawing import Pixels
from void_server.training.pairs import Pair, empty, make_pair
from void_server.training.quality import (
    Quality,
    centre_error,
    contrast_share,
    flicker,
    measure,
    psnr,
    summarise,
)

MOVING = ("support", "drop", "pusher", "blocker")
LAST = 20


@pytest.fixture(scope="module", params=MOVING)
def pair(request: pytest.FixtureRequest) -> Pair:
    return make_pair(1_000_003, request.param)


@pytest.fixture(scope="module")
def behind(pair: Pair) -> Pixels:
    return empty(pair)


def test_the_truth_is_perfect(pair: Pair, behind: Pixels) -> None:
    assert measure(pair, behind, pair.without) == Quality(
        full=math.inf, mask=math.inf, primary=math.inf, elsewhere=math.inf, share=1.0, off=0.0, flicker=0.0
    )


def test_the_bare_background_has_none_of_the_contrast_and_no_body(pair: Pair, behind: Pixels) -> None:
    found = measure(pair, behind, behind)
    assert found.share == 0
    assert found.off == math.inf
    assert found.mask < 30


def test_a_mixture_with_the_background_has_its_share_at_the_true_place(pair: Pair, behind: Pixels) -> None:
    half = measure(pair, behind, 0.5 * (pair.without + behind))
    assert half.share == pytest.approx(0.5)
    assert half.off == 0


def test_the_body_at_its_old_place_does_not_count(pair: Pair, behind: Pixels) -> None:
    """The clip as it is, with the object itself taken out: only the body is where it was."""
    old = np.where(pair.moved_before[..., None] > 0, pair.with_object, behind)
    assert abs(contrast_share(pair, behind, old)) < 1e-6
    assert measure(pair, behind, old).off > 1


@pytest.mark.parametrize(("right", "down"), [(8, 0), (0, -8), (-4, -3)])
def test_a_shifted_body_is_off_by_the_shift(pair: Pair, behind: Pixels, right: int, down: int) -> None:
    """Cells are 8 x 8 pixels at 64 x 112."""
    frame = next(index for index in range(LAST, 0, -1) if 12 < pair.centres[index, 0] < 100 and pair.moved[index].any())
    contrast = (pair.without - behind)[frame] * (pair.moved[frame] > 0)[..., None]
    result = behind.copy()
    result[frame] += np.roll(contrast, (down, right), axis=(0, 1))
    assert centre_error(pair, behind, result, frame) == pytest.approx(math.hypot(right, down) / 8)


def test_a_blur_over_many_places_scores_low() -> None:
    """A ball painted evenly over the places that it passes: what a model does that can't tell which is right."""
    pair = make_pair(1_000_003, "blocker")
    behind = empty(pair)
    contrast = (pair.without - behind) * (pair.moved > 0)[..., None]
    assert 0.1 < contrast_share(pair, behind, behind + contrast.mean(axis=0)) < 0.4


def test_psnr_is_that_of_the_error_in_its_region() -> None:
    truth = np.full((2, 4, 4, 3), 0.5, np.float32)
    result = truth.copy()
    result[:, :2] += 0.1
    top = np.zeros((2, 4, 4), bool)
    top[:, :2] = True
    assert psnr(result, truth, top) == pytest.approx(20)
    assert psnr(result, truth, ~top) == math.inf
    assert psnr(result, truth, top | ~top) == pytest.approx(20 + 10 * math.log10(2))
    assert math.isnan(psnr(result, truth, top & ~top))


def test_flicker_is_what_changes_that_should_not_and_a_standing_error_is_none() -> None:
    truth = np.random.default_rng(0).uniform(0.2, 0.8, (3, 4, 4, 3)).astype(np.float32)
    where = np.zeros((3, 4, 4), bool)
    where[:, 1:3] = True
    assert flicker(truth + 0.1, truth, where) == pytest.approx(0, abs=1e-4)
    trembling = truth.copy()
    trembling[1] += 4 / 255
    assert flicker(trembling, truth, where) == pytest.approx(4, abs=1e-3)
    trembling = truth.copy()
    trembling[:, 0] += np.array([0, 0.2, 0], np.float32)[:, None, None]  # outside
    assert flicker(trembling, truth, where) == 0


def test_a_scene_in_which_nothing_moves_has_no_share_and_no_centre() -> None:
    plain = make_pair(3, "plain")
    found = measure(plain, empty(plain), plain.with_object)
    assert math.isnan(found.share)
    assert math.isnan(found.off)
    assert found.primary < 25


def test_a_summary_leaves_out_what_a_clip_has_nothing_for() -> None:
    nothing = Quality(math.inf, 20, 20, math.nan, math.nan, math.nan, 1)
    one, two, three = (Quality(20, 10, 10, 12, share, off, 3) for share, off in ((0.1, 9), (0.6, 1.5), (0.5, math.inf)))
    found = summarise([nothing, one, two, three])
    assert found.full == pytest.approx(20 + 10 * math.log10(4 / 3))  # errors of 0, 1 %, 1 %, 1 %
    assert found.elsewhere == pytest.approx(12)
    assert found.share == 0.5
    assert found.near == pytest.approx(1 / 3)
    assert found.flicker == 2.5


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_keep_what_is_to_be_kept(name: str) -> None:
    pair = make_pair(5, "pusher")
    filled = BASELINES[name](pair.with_object, pair.quadmask)
    kept = pair.quadmask == KEEP
    assert np.array_equal(filled[kept], pair.with_object[kept])
    assert filled.dtype == np.float32


def test_the_median_shows_what_other_frames_saw_and_inpainting_fills_the_rest() -> None:
    clip = np.full((5, 16, 16, 3), 0.25, np.float32)
    clip[:, :, 8:] = 0.75
    quadmask = np.full((5, 16, 16), KEEP, np.uint8)
    quadmask[:3, 6:10, 2:6] = 0
    quadmask[:, 2:4, 10:14] = 0
    dirty = np.where(quadmask[..., None] == 0, np.float32(0), clip)
    filled = median_then_inpainted(dirty, quadmask)
    assert np.array_equal(filled[:3, 6:10, 2:6], clip[:3, 6:10, 2:6])
    assert filled == pytest.approx(clip, abs=0.01)  # OpenCV inpaints bytes
    assert inpainted(dirty, quadmask) == pytest.approx(clip, abs=0.2)
