"""DIS, which needs no weights, as every flow estimator; and that it is not the compliance suite that is blind."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from model.flow_compliance import FlowCompliance, about_the_centre, end_point_error, texture, warped

from void_server.model.flow import DISFlow, FlowEstimator


class TestDIS(FlowCompliance):
    @pytest.fixture
    def estimator(self) -> FlowEstimator:
        return DISFlow()


@pytest.mark.parametrize(
    "wrong",
    [lambda flow: -flow, lambda flow: flow[::-1], lambda flow: flow / 2, lambda flow: flow * 0],
    ids=["backward", "y first", "half pixels", "nothing"],
)
def test_a_wrong_estimator_does_not_pass(wrong: Callable[[np.ndarray], np.ndarray]) -> None:
    turned = [[0.9994, -0.035], [0.035, 0.9994]]
    suite, estimator = FlowCompliance(), DISFlow()
    with pytest.raises(AssertionError):
        suite.test_a_linear_motion(lambda a, b: wrong(estimator(a, b)), turned)
    with pytest.raises(AssertionError):
        suite.test_a_shift(lambda a, b: wrong(estimator(a, b)), 3, 0)


def test_the_number_of_threads_changes_no_bit() -> None:
    first = texture(96, 128)
    second = warped(first, about_the_centre(96, 128, [[1.03, 0.01], [0, 0.98]]))
    threads = cv2.getNumThreads()
    flows = []
    for count in (1, 2, 4):
        cv2.setNumThreads(count)
        flows.append(DISFlow()(first, second))
    cv2.setNumThreads(threads)
    assert end_point_error(flows[0], np.zeros_like(flows[0])) > 0.5
    assert np.array_equal(flows[0], flows[1])
    assert np.array_equal(flows[0], flows[2])
