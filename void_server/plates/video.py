"""Pictures to mp4, one at a time."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import BinaryIO

import av
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]


def write_mp4(file: BinaryIO, pictures: Iterable[Picture], rate: Fraction, quality: int) -> None:
    """Display-referred pictures uint8 [h, w, 3], one at least and all of one size, as H.264 into an mp4.

    file: open for writing, and one that can seek. rate: frames a second. quality: x264's constant rate factor, 0 to
    51; more is coarser. The last row and column of an odd size are doubled, since H.264's halved colour needs even
    ones. One thread and no dates, so that equal pictures give equal bytes.
    """
    with av.open(file, "w", format="mp4", container_options={"fflags": "+bitexact"}) as box:
        stream = box.add_stream("libx264", rate=rate, options={"crf": str(quality), "preset": "medium"})
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for index, picture in enumerate(map(_even, pictures)):
            if index == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = index
            frame.time_base = 1 / rate
            box.mux(stream.encode(frame))
        box.mux(stream.encode(None))


def _even(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
