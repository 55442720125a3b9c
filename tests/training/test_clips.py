"""A show's own pairs: what is written is read back, cut and sized, and what is wrong is named."""

import json
from pathlib import Path

import numpy as np
import pytest

from void_server.model import BadClip
from void_server.training.clips import FULL, ClipFolder, read_metadata, read_pair, write_pair
from void_server.training.pairs import make_pair


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("show")
    for seed in (1, 3):
        write_pair(folder / f"shot_{seed}", make_pair(seed, frames=9, height=64, width=112), {"seed": seed})
    return folder


def test_a_pair_comes_back_and_its_quadmask_to_the_bit(written: Path) -> None:
    pair, again = make_pair(3, frames=9, height=64, width=112), read_pair(written / "shot_3")
    assert np.array_equal(again.quadmask, pair.quadmask)
    for name in ("with_object", "without"):
        assert np.abs(getattr(again, name) - getattr(pair, name)).mean() < 0.01
    assert read_metadata(written / "shot_3") == {"seed": 3}


def test_clips_are_cut_and_sized(written: Path) -> None:
    folder = ClipFolder(written, frames=5, height=32, width=48)
    assert len(folder) == 2
    pair = folder(1)
    assert pair.without.shape == (5, 32, 48, 3)
    assert pair.quadmask.shape == (5, 32, 48)
    assert set(np.unique(pair.quadmask)) <= {0, 63, 127, 255}
    assert np.array_equal(pair.without, folder(1).without)
    starts = {folder(number).without.tobytes() for number in range(1, 20, 2)}
    assert len(starts) > 2  # of the five that there are


def test_the_other_published_name_is_read(tmp_path: Path) -> None:
    pair = make_pair(1, frames=5, height=32, width=48)
    write_pair(tmp_path / "a", pair, {})
    (tmp_path / "a" / "rgb_removed.mp4").rename(tmp_path / "a" / "rgb_altered_physics.mp4")
    assert np.abs(read_pair(tmp_path / "a").without - pair.without).mean() < 0.01


def test_what_is_wrong_is_named(tmp_path: Path, written: Path) -> None:
    with pytest.raises(BadClip, match="no subfolder"):
        ClipFolder(tmp_path, frames=5, height=32, width=48)
    with pytest.raises(BadClip, match="has 9 frames and 13 are wanted"):
        ClipFolder(written, frames=13, height=32, width=48)(0)
    broken = tmp_path / "broken"
    write_pair(broken, make_pair(1, frames=5, height=32, width=48), {})
    write_pair(tmp_path / "other", make_pair(1, frames=6, height=32, width=48), {})
    (tmp_path / "other" / FULL).replace(broken / FULL)
    with pytest.raises(BadClip, match=r"render rgb_full\.mp4, rgb_removed.mp4 and mask.mp4 alike"):
        read_pair(broken)
    (broken / FULL).write_bytes(b"no film")
    with pytest.raises(BadClip, match=r"rgb_full.mp4 cannot be read"):
        read_pair(broken)
    (broken / "metadata.json").write_text(json.dumps({}))
