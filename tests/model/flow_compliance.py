"""What any flow estimator must do: subclass FlowCompliance in a test module and give it the fixture `estimator`.

`FlowLayout` is the part that does not depend on how good the flow is: an estimator with random weights passes it.
"""

import cv2
import numpy as np
import pytest

from void_server.model.flow import FlowEstimator


def texture(height: int, width: int) -> np.ndarray:
    rough = np.random.default_rng(0).random((height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(rough, (0, 0), 2)
    return (smooth - smooth.min()) / np.ptp(smooth)


def warped(first: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """The frame after `first` if the pixel that ends at (x, y) has moved by motion [2, H, W] there."""
    height, width = first.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.clip(cv2.remap(first, x - motion[0], y - motion[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT), 0, 1)


def about_the_centre(height: int, width: int, matrix: list[list[float]]) -> np.ndarray:
    """The flow [2, H, W] of p -> c + A (p - c)."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    away = np.stack([x - (width - 1) / 2, y - (height - 1) / 2])
    return np.einsum("ij,jhw->ihw", np.array(matrix) - np.eye(2), away).astype(np.float32)


def end_point_error(flow: np.ndarray, truth: np.ndarray, edge: int = 16) -> float:
    """Mean distance in pixels from the true flow, away from the frame's edge."""
    inner = np.s_[:, edge:-edge, edge:-edge]
    return float(np.hypot(*(flow - truth)[inner]).mean())


class FlowLayout:
    """Shapes, dtypes and refusals."""

    @pytest.mark.parametrize("size", [(64, 96), (50, 71), (16, 16), (136, 130)])
    def test_a_flow_has_the_frames_size(self, estimator: FlowEstimator, size: tuple[int, int]) -> None:
        flow = estimator(texture(*size), texture(*size))
        assert flow.shape == (2, *size)
        assert flow.dtype == np.float32
        assert flow.flags.c_contiguous
        assert np.isfinite(flow).all()

    def test_bytes_and_floats_are_the_same_picture(self, estimator: FlowEstimator) -> None:
        first = np.rint(texture(64, 96) * 255).astype(np.uint8)
        second = np.roll(first, 2, 1)
        floats = [frame.astype(np.float32) / 255 for frame in (first, second)]
        np.testing.assert_allclose(estimator(first, second), estimator(*floats), atol=1e-3)

    def test_the_same_frames_have_the_same_flow(self, estimator: FlowEstimator) -> None:
        first, second = texture(48, 64), texture(48, 64)[::-1].copy()
        assert np.array_equal(estimator(first, second), estimator(first, second))

    def test_frames_of_two_sizes_or_too_small_are_refused(self, estimator: FlowEstimator) -> None:
        with pytest.raises(ValueError, match="flow needs two of one size, each side 16 pixels or more"):
            estimator(texture(32, 32), texture(32, 48))
        with pytest.raises(ValueError, match="16 pixels or more"):
            estimator(texture(8, 32), texture(8, 32))


class FlowCompliance(FlowLayout):
    """Known motions: forward, x first, in pixels, within 0.15 of a pixel."""

    @pytest.mark.parametrize(("dx", "dy"), [(3, 0), (0, -2), (-4, 5), (0.5, 0.25)])
    def test_a_shift(self, estimator: FlowEstimator, dx: float, dy: float) -> None:
        first = texture(64, 96)
        truth = np.broadcast_to(np.float32([dx, dy])[:, None, None], (2, 64, 96))
        assert end_point_error(estimator(first, warped(first, truth)), truth) < 0.15

    @pytest.mark.parametrize(
        "matrix",
        [[[1.03, 0], [0, 1.03]], [[0.97, 0], [0, 0.97]], [[0.9994, -0.035], [0.035, 0.9994]], [[1, 0.05], [0, 1]]],
        ids=["larger", "smaller", "turned", "sheared"],
    )
    def test_a_linear_motion(self, estimator: FlowEstimator, matrix: list[list[float]]) -> None:
        first = texture(96, 128)
        truth = about_the_centre(96, 128, matrix)
        # What arrives at q has come from A^-1 q: its motion is q - A^-1 q.
        arriving = -about_the_centre(96, 128, np.linalg.inv(matrix).tolist())
        assert end_point_error(estimator(first, warped(first, arriving)), truth) < 0.15

    def test_still_pictures_do_not_move(self, estimator: FlowEstimator) -> None:
        frame = texture(48, 32)
        assert np.abs(estimator(frame, frame)).max() < 0.05
