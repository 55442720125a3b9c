"""What changes in a shot, taken apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_server.plates.components import MOST, label_components
from void_server.plates.composite import matte_ramp


def squares(*corners: tuple[int, int], size: int = 4, shape: tuple[int, int] = (60, 100)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    for x, y in corners:
        mask[y : y + size, x : x + size] = True
    return mask


def test_what_lies_apart_has_its_own_label_and_the_ramp_belongs_to_it() -> None:
    both = squares((10, 10), (70, 40))
    labels = label_components(both, both, 5.0)
    first, second = labels[10, 10], labels[40, 70]
    assert first != second
    # The ramp of 5 pixels ends at 4: pixels 6 to 17 of the first's rows.
    assert set(labels[12, 6:18]) == {first}
    assert labels[12, 5] == labels[12, 18] == 0


def test_ramps_that_meet_make_one() -> None:
    """Nine pixels between them; of a ramp of 5 each covers 4, of one of 6 each 5."""
    both = squares((10, 10), (23, 10))
    assert len(np.unique(label_components(both, both, 5.0))) == 3
    assert len(np.unique(label_components(both, both, 6.0))) == 2


def test_an_effect_belongs_to_the_nearest_that_is_removed() -> None:
    removed = squares((10, 10), (70, 40))
    labels = label_components(removed | squares((45, 40), (40, 2), (10, 50)), removed, 2.0)
    assert labels[40, 45] == labels[40, 70], "21 pixels from it; 38 from the other"
    assert labels[2, 40] == labels[10, 10]
    assert labels[50, 10] == labels[10, 10], "though an effect of the other is no farther"
    assert len(np.unique(labels)) == 3


def test_an_effect_next_to_another_still_goes_to_the_nearest_cause() -> None:
    """A row: cause, effect, effect, cause. The second effect is nearer to the first, but nearer still to its cause."""
    removed = squares((0, 10), (60, 10))
    labels = label_components(removed | squares((28, 10), (35, 10)), removed, 2.0)
    assert labels[10, 28] == labels[10, 0]
    assert labels[10, 35] == labels[10, 60]


def test_specks_are_joined_until_there_are_few() -> None:
    specks = squares(*((x, y) for x in range(0, 100, 6) for y in range(0, 60, 6)), size=1)
    labels = label_components(specks, specks, 0.0)
    assert 1 <= len(np.unique(labels[specks])) <= MOST
    assert (labels[specks] > 0).all()


def test_nothing_to_remove_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing is removed"):
        label_components(squares((10, 10)), squares(), 3.0)


@given(
    st.lists(st.tuples(st.integers(0, 96), st.integers(0, 56)), min_size=1, max_size=8),
    st.just(0.0) | st.floats(0.5, 12),
)
def test_every_pixel_of_every_frames_ramp_has_a_label_and_an_islands_pixels_have_one(corners, feather) -> None:
    frames = [squares(corner) for corner in corners]
    changed = np.logical_or.reduce(frames)
    labels = label_components(changed, frames[0], feather)
    for frame in frames:
        assert len(np.unique(labels[matte_ramp(frame, feather) > 0])) == 1
        assert (labels[frame] > 0).all()
