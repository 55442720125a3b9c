"""A shot whose pixels are every value that a half can hold, from files through `remove_object` to files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import OpenEXR
import pytest
from shots_on_disk import SETTINGS, Engine, Progress, footage

from void_server.mattes import Mattes
from void_server.plates.exr import write_frame
from void_server.shot import remove_object

pytestmark = pytest.mark.slow

EVERY_HALF = np.arange(65536, dtype=np.uint16).reshape(256, 256)  # NaN payloads, both infinities, -0.0, subnormals
LOSSLESS = ["NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "HTJ2K32", "HTJ2K256", "ZSTD"]
FRAMES = range(1001, 1004)


def patterns(frame: int, channel: str) -> npt.NDArray[np.uint16]:
    """Every pattern once, elsewhere in each frame and channel."""
    return np.roll(EVERY_HALF, ((frame - 1001) * 91, "RGBA".index(channel) * 67), axis=(0, 1))


def write(path: Path, channels: dict[str, npt.NDArray[np.generic]], compression: str) -> None:
    """By the library alone."""
    header = {"type": OpenEXR.scanlineimage, "compression": getattr(OpenEXR, f"{compression}_COMPRESSION")}
    OpenEXR.File(header, dict(channels)).write(str(path))


def stored(data: bytes) -> dict[str, npt.NDArray[np.generic]]:
    """By the library alone."""
    part = OpenEXR.File(io.BytesIO(data), separate_channels=True).parts[0]
    return {name: channel.pixels for name, channel in part.channels.items()}


@pytest.mark.parametrize("crop", ["auto", "full"])
@pytest.mark.parametrize("compression", LOSSLESS)
def test_outside_the_matte_all_65536_patterns_come_back_to_the_bit(tmp_path: Path, compression: str, crop: str) -> None:
    if not hasattr(OpenEXR, f"{compression}_COMPRESSION"):
        pytest.skip(f"this OpenEXR has no {compression}")
    # A diagonal band: most of the box around it is outside the matte.
    y, x = np.mgrid[:256, :256]
    alpha = ((abs(x - y) < 9) & (x > 60) & (x < 180)).astype(np.float16)
    for frame in FRAMES:
        half = {channel: patterns(frame, channel).view(np.float16) for channel in "RGBA"}
        wide = np.random.default_rng(frame).integers(0, 2**32, (256, 256), np.uint32)
        wide[:, 0] |= 0x7F800000  # NaN and Inf with any payload
        other = {"object.id": wide} if compression == "PXR24" else {"object.id": wide, "depth.Z": wide.view(np.float32)}
        write(tmp_path / f"plate.{frame}.exr", {**half, **other}, compression)
        write(tmp_path / f"roto.{frame}.exr", {"A": alpha}, compression)
    plate, roto = (footage(tmp_path, name, FRAMES) for name in ("plate", "roto"))
    settings = SETTINGS.from_dict(SETTINGS.to_dict() | {"crop": crop})
    engine = Engine(lambda request: np.full_like(request.clip, 0.4))
    seen = {channel: np.zeros(65536, bool) for channel in "RGBA"}
    for frame, result in zip(FRAMES, remove_object(plate, Mattes(roto), settings, engine, Progress()), strict=True):
        source, back = stored(plate.paths[frame].read_bytes()), stored(write_frame(result))
        outside = back["void.matte"] == 0
        for channel in "RGBA":
            before = source[channel].view(np.uint16)
            assert np.array_equal(before, patterns(frame, channel)), "the file holds what was meant"
            assert np.array_equal(back[channel].view(np.uint16)[outside], before[outside])
            seen[channel][before[outside]] = True
        for channel in set(source) - set("RGB"):
            assert back[channel].tobytes() == source[channel].tobytes(), f"{channel} is nobody's to change"
        for channel in "RGB":
            assert np.isfinite(back[channel][alpha == 1]).all()
    assert all(every.all() for every in seen.values())
