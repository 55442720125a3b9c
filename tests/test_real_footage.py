"""Real footage through the whole path: a glass is removed at 1920x1080, 46 frames, server and client as processes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from conftest import Void

from void_server.plates.exr import read_frame, write_frame
from void_server.plates.frame import Frame, Part
from void_server.plates.stream import ordered_map

FRAMES = range(1001, 1047)
WIDTH, HEIGHT = 1920, 1080
SETTINGS = "height = 96\nwidth = 160\nwindow = 21\noverlap = 8\n[pass1]\nsteps = 2\n[pass2]\nsteps = 2\n"


def video(path: Path) -> list[npt.NDArray[np.uint8]]:
    reader = cv2.VideoCapture(str(path))
    frames = []
    while (read := reader.read())[0]:
        frames.append(read[1])
    return frames


def linear(bgr: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """8-bit sRGB to linear light, at 1920x1080, highlights pushed above 1."""
    value = cv2.resize(bgr[..., ::-1].astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.where(light > 0.8, light + (light - 0.8) * 20, light), np.float32)


@pytest.fixture(scope="module")
def lime(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """plate.####.exr and roto.####.exr, half, 1001-1046."""
    folder = tmp_path_factory.mktemp("lime")
    pictures = video(shared / "samples" / "lime" / "input_video.mp4")
    quadmasks = video(shared / "samples" / "lime" / "quadmask.mp4")
    assert len(pictures) == len(quadmasks) == len(FRAMES)

    def write(item: tuple[int, npt.NDArray[np.uint8], npt.NDArray[np.uint8]]) -> None:
        frame, picture, quadmask = item
        light = linear(picture).astype(np.float16)
        primary = (quadmask[::2, ::2, 0] <= 95).astype(np.float16)
        plate = Part({}, {name: light[..., index] for index, name in enumerate("RGB")})
        (folder / f"plate.{frame}.exr").write_bytes(write_frame(Frame((plate,))))
        (folder / f"roto.{frame}.exr").write_bytes(write_frame(Frame((Part({}, {"A": primary}),))))

    list(ordered_map(write, zip(FRAMES, pictures, quadmasks, strict=True), threads=2, ahead=4))
    return folder


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_46_plates_come_back(void: Void, tiny_server: str, lime: Path, tmp_path: Path) -> None:
    oiio = pytest.importorskip("OpenImageIO")
    (tmp_path / "settings.toml").write_text(SETTINGS)
    done = void(
        *("run", "--plate", lime / "plate.%04d.exr", "--roto", lime / "roto.%04d.exr", "--frames", "1001-1046"),
        *("--out", tmp_path / "out" / "plate.%04d.exr", "--settings", tmp_path / "settings.toml"),
        *("--prompt", "A lime falls on the table.", "--server", tiny_server),
        timeout=800,
    )
    assert done.returncode == 0, done.stderr
    assert "untrained weights: the fill is noise" in done.stderr
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert sorted(map(int, manifest["frames"])) == list(FRAMES)
    assert len(list((tmp_path / "out").iterdir())) == 47
    for frame in FRAMES:
        source = read_frame(lime / f"plate.{frame}.exr")
        result = read_frame(tmp_path / "out" / f"plate.{frame}.exr")
        matte = result.channel("void.matte")
        outside, inside = matte == 0, matte == 1
        roto = read_frame(lime / f"roto.{frame}.exr").channel("A") > 0
        assert inside[roto].all()
        assert np.count_nonzero(outside) > 0.5 * outside.size
        for name in "RGB":
            before, after = (image.channel(name).view(np.uint16) for image in (source, result))
            assert np.array_equal(before[outside], after[outside])
        changed = (source.rgb() != result.rgb()).any(axis=2)
        assert changed[inside].mean() > 0.99
        other = oiio.ImageBuf(str(tmp_path / "out" / f"plate.{frame}.exr"))
        assert (other.spec().width, other.spec().height) == (WIDTH, HEIGHT)
        pixels = other.get_pixels(oiio.HALF)
        names = list(other.spec().channelnames)
        assert {"R", "G", "B", "void.quadmask", "void.matte"} <= set(names)
        red = np.ascontiguousarray(pixels[..., names.index("R")]).view(np.uint16)
        assert np.array_equal(red, result.channel("R").view(np.uint16))
