from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from void_server.plates.video import write_mp4


def pictures(height, width, count=6):
    """A gradient that grows brighter from picture to picture."""
    across = np.linspace(0, 100, width)[None, :, None]
    return [np.broadcast_to(across + 20 * index, (height, width, 3)).astype(np.uint8) for index in range(count)]


def written(given, rate=Fraction(24), quality=18):
    file = io.BytesIO()
    write_mp4(file, iter(given), rate, quality)
    return file.getvalue()


def decoded(mp4):
    with av.open(io.BytesIO(mp4)) as box:
        stream = box.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p", "what every player takes"
        return [frame.to_ndarray(format="rgb24") for frame in box.decode(stream)], stream.average_rate


@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 64), (48, 63), (33, 65)])
def test_every_picture_comes_back_in_order_and_odd_sizes_get_a_row_or_column_more(height, width):
    given = pictures(height, width)
    shown, _ = decoded(written(given))
    assert {picture.shape for picture in shown} == {(height + height % 2, width + width % 2, 3)}
    for picture, meant in zip(shown, given, strict=True):
        assert np.abs(picture[:height, :width].astype(int) - meant).max() < 8
        assert np.abs(picture[-1].astype(int) - picture[-2]).max() < 8


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(24000, 1001), Fraction(25, 2)])
def test_the_rate_is_kept(rate):
    assert decoded(written(pictures(16, 16, 30), rate))[1] == rate


def test_equal_pictures_give_equal_bytes_and_coarser_ones_fewer():
    noise = list(np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8))
    fine = written(noise)
    assert fine == written(noise)
    assert b"Lavf" not in fine, "no version of the library"
    assert len(written(noise, quality=33)) < 0.7 * len(fine)
