"""Flow estimators: what any of them must do, asked of the one that needs no weights."""

import cv2
import numpy as np
import pytest

from void_server.model.flow import DISFlow, FlowEstimator


@pytest.fixture(params=[DISFlow])
def estimator(request: pytest.FixtureRequest) -> FlowEstimator:
    return request.param()


def texture(height: int, width: int) -> np.ndarray:
    rough = np.random.default_rng(0).random((height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(rough, (0, 0), 2)
    return (smooth - smooth.min()) / np.ptp(smooth)


@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (0, -2), (-4, 5)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_motion_is_forward_x_first_in_pixels(estimator: FlowEstimator, dx: int, dy: int, dtype: type) -> None:
    first = texture(64, 96)
    if dtype is np.uint8:
        first = np.rint(first * 255).astype(np.uint8)
    second = np.roll(first, (dy, dx), (0, 1))
    flow = estimator(first, second)
    assert flow.shape == (2, 64, 96)
    assert flow.dtype == np.float32
    inner = flow[:, 12:-12, 12:-12].reshape(2, -1)
    np.testing.assert_allclose(np.median(inner, 1), (dx, dy), atol=0.1)


def test_still_pictures_do_not_move(estimator: FlowEstimator) -> None:
    frame = texture(48, 32)
    assert np.abs(estimator(frame, frame)).max() < 0.05


def test_frames_of_two_sizes_or_too_small_are_refused(estimator: FlowEstimator) -> None:
    with pytest.raises(ValueError, match="flow needs two of one size, each side 16 pixels or more"):
        estimator(texture(32, 32), texture(32, 48))
    with pytest.raises(ValueError, match="16 pixels or more"):
        estimator(texture(8, 32), texture(8, 32))
