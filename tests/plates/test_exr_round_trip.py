"""What goes through a round trip: every bit of the pixels, and everything the header says."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from void_server.plates.exr import read_frame, read_layout, write_frame
from void_server.plates.frame import BadPlate, Frame, Part
from void_server.plates.window import Window

EVERY_HALF = np.arange(65536, dtype=np.uint16).view(np.float16).reshape(256, 256)
HALF_LOSSLESS = ["NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "HTJ2K32", "HTJ2K256", "ZSTD"]
LOSSY = ["B44", "B44A", "DWAA", "DWAB", "LJ2K"]


def box(x0, y0, x1, y1):
    return np.array([x0, y0], np.int32), np.array([x1, y1], np.int32)


def compression(name):
    if not hasattr(OpenEXR, f"{name}_COMPRESSION"):
        pytest.skip(f"this OpenEXR has no {name}")
    return getattr(OpenEXR, f"{name}_COMPRESSION")


def same_bits(left, right):
    return left.dtype == right.dtype and left.tobytes() == right.tobytes()


@pytest.mark.parametrize("name", HALF_LOSSLESS)
def test_every_half_keeps_its_bits_and_its_compression(name, encode):
    source = encode(({"compression": compression(name)}, dict.fromkeys("RGBA", EVERY_HALF)))
    read = read_frame(source)
    again = read_frame(write_frame(read))
    for channel in "RGBA":
        assert same_bits(read.channel(channel), EVERY_HALF)
        assert same_bits(again.channel(channel), EVERY_HALF)
    assert again.parts[0].header["compression"] == compression(name)


@pytest.mark.parametrize("name", HALF_LOSSLESS + LOSSY)
def test_every_bit_of_float_and_integer_survives_what_we_write(name):
    bits = np.random.default_rng(1).integers(0, 2**32, (64, 64), dtype=np.uint32)
    bits[0, :4] = [0x80000000, 0x7FA00001, 0xFFC12345, 0x7F800000]
    header = {"compression": compression(name)}
    frame = Frame((Part(header, {"R": bits.view(np.float32), "id": bits}),))
    again = read_frame(write_frame(frame))
    assert same_bits(again.channel("R"), bits.view(np.float32))
    assert same_bits(again.channel("id"), bits)


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_files_are_written_as_zip_with_the_pixels_as_decoded(name, encode, rgb_noise):
    decoded = read_frame(encode(({"compression": compression(name)}, rgb_noise)))
    again = read_frame(write_frame(decoded))
    assert all(same_bits(again.channel(c), decoded.channel(c)) for c in "RGB")
    assert again.parts[0].header["compression"] == OpenEXR.ZIP_COMPRESSION


def test_strided_channels_are_written_as_they_look():
    image = np.random.default_rng(2).random((30, 20, 3)).astype(np.float16)
    channels = {"R": image[..., 0], "G": image[::-1, :, 1], "B": np.asfortranarray(image[..., 2])}
    again = read_frame(write_frame(Frame((Part({}, channels),))))
    assert all(np.array_equal(again.channel(name), pixels) for name, pixels in channels.items())


HEADER = {
    "dataWindow": box(-3, -2, 36, 21),
    "displayWindow": box(0, 0, 29, 15),
    "pixelAspectRatio": 2.0,
    "chromaticities": (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329),
    "timeCode": OpenEXR.TimeCode(1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8),
    "framesPerSecond": Fraction(24000, 1001),
    "nuke/node_hash": "0123abc",
    "nuke/full_layer_names": 0,
    "studio/lens": ["anamorphic", "50 mm"],
    "studio/weights": [0.25, 0.5],
    "studio/matrix": np.arange(16, dtype=np.float32).reshape(4, 4),
    "studio/double": np.array([1 / 3]),
    "studio/blob": OpenEXR.OpaqueAttribute(b"\x01\x02\xff", "studioType"),
    "lineOrder": OpenEXR.DECREASING_Y,
}


def comparable(value):
    """The library's small classes compare by identity; their text or their fields tell them apart."""
    if isinstance(value, OpenEXR.OpaqueAttribute):
        return value.typeName, bytes(value.data)
    if isinstance(value, OpenEXR.TimeCode):
        return str(value), value.userData
    if isinstance(value, tuple | list):
        return [comparable(item) for item in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


def test_header_survives(encode, rgb_noise):
    read = read_frame(encode((HEADER, rgb_noise)))
    again = read_frame(write_frame(read))
    for name, value in HEADER.items():
        expected = np.float32(value).tolist() if name == "chromaticities" else comparable(value)
        assert comparable(again.parts[0].header[name]) == expected, name
    assert again.data_window == Window(-3, -2, 40, 24)
    assert again.display_window == Window(0, 0, 30, 16)
    assert again.pixel_aspect == 2.0
    assert all(same_bits(again.channel(c), rgb_noise[c]) for c in "RGB")


def test_parts_survive_with_their_own_windows_names_and_types(encode, rgb_noise):
    depth = np.random.default_rng(3).random((10, 12)).astype(np.float32)
    ids = np.arange(24 * 40, dtype=np.uint32).reshape(24, 40)
    display = {"displayWindow": box(0, 0, 39, 23)}
    source = encode(
        ({**display, "name": "depth", "dataWindow": box(5, 6, 16, 15)}, {"Z": depth}),
        ({**display, "name": "rgba", "view": "main", "compression": OpenEXR.DWAA_COMPRESSION}, rgb_noise),
        ({**display, "name": "id"}, {"object.id": ids}),
    )
    again = read_frame(write_frame(read_frame(source)))
    assert [part.header["name"] for part in again.parts] == ["depth", "rgba", "id"]
    assert again.parts[1].header["view"] == "main"
    assert again.beauty == 1
    assert again.parts[0].data_window == Window(5, 6, 12, 10)
    assert same_bits(again.parts[0].channels["Z"], depth)
    assert same_bits(again.channel("object.id"), ids)
    with pytest.raises(BadPlate, match="no channel Z over its data window"):
        again.channel("Z")


@pytest.mark.parametrize("levels", [OpenEXR.ONE_LEVEL, OpenEXR.MIPMAP_LEVELS])
def test_tiled_plates_are_read_whole_and_written_as_scanlines(levels, encode, rgb_noise, tmp_path):
    if levels == OpenEXR.ONE_LEVEL:
        tiles = OpenEXR.TileDescription()
        tiles.xSize = tiles.ySize = 16
        header = {"type": OpenEXR.tiledimage, "tiles": tiles, "lineOrder": OpenEXR.RANDOM_Y}
        source, expected = encode((header, rgb_noise)), rgb_noise["G"]
    else:
        oiio = pytest.importorskip("OpenImageIO")
        expected = np.linspace(0, 1, 64 * 48, dtype=np.float16).reshape(48, 64)
        image = oiio.ImageBuf(np.repeat(expected[..., None], 3, 2))
        oiio.ImageBufAlgo.make_texture(oiio.MakeTxTexture, image, str(tmp_path / "mip.exr"))
        source = (tmp_path / "mip.exr").read_bytes()
    read = read_frame(source)
    again = read_frame(write_frame(read))
    assert read.parts[0].header["tiles"].mode == levels
    assert same_bits(read.channel("G"), expected)
    assert same_bits(again.channel("G"), expected)
    assert again.parts[0].header["type"] == OpenEXR.scanlineimage
    assert "tiles" not in again.parts[0].header


def test_another_reader_sees_the_same_image(tmp_path, encode, rgb_noise):
    oiio = pytest.importorskip("OpenImageIO")
    ids = np.arange(24 * 40, dtype=np.uint32).reshape(24, 40)
    depth = np.random.default_rng(4).random((24, 40)).astype(np.float32)
    frame = read_frame(encode((HEADER, rgb_noise))).with_channels({"void.matte": depth, "void.id": ids})
    (tmp_path / "out.exr").write_bytes(write_frame(frame.with_metadata({"void/job": "j1", "void/seed": 42})))

    image = oiio.ImageInput.open(str(tmp_path / "out.exr"))
    spec = image.spec()
    assert (spec.x, spec.y, spec.width, spec.height) == (-3, -2, 40, 24)
    assert (spec.full_x, spec.full_y, spec.full_width, spec.full_height) == (0, 0, 30, 16)
    assert spec.get_float_attribute("PixelAspectRatio") == 2.0
    assert spec["FramesPerSecond"] == (24000, 1001)
    assert (spec["void/job"], spec["void/seed"], spec["nuke/node_hash"]) == ("j1", 42, "0123abc")
    types = {name: str(spec.channelformat(index)) for index, name in enumerate(spec.channelnames)}
    assert types == {"R": "half", "G": "half", "B": "half", "void.matte": "float", "void.id": "uint"}
    for name, expected in {**rgb_noise, "void.matte": depth}.items():
        index = list(spec.channelnames).index(name)
        stored = image.read_image(0, 0, index, index + 1, oiio.FLOAT)[..., 0]
        assert np.array_equal(stored, expected.astype(np.float32)), name


@settings(max_examples=40, deadline=None)
@given(
    x=st.integers(-5000, 5000),
    y=st.integers(-5000, 5000),
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    display=st.tuples(st.integers(-99, 99), st.integers(-99, 99), st.integers(1, 99), st.integers(1, 99)),
)
def test_any_window_survives(x, y, width, height, display):
    pixels = np.arange(width * height, dtype=np.uint32).reshape(height, width)
    header = {
        "dataWindow": Window(x, y, width, height).box,
        "displayWindow": Window(*display).box,
    }
    written = write_frame(Frame((Part(header, {"id": pixels}),)))
    again = read_frame(written)
    assert again.data_window == Window(x, y, width, height)
    assert again.display_window == Window(*display)
    assert np.array_equal(again.channel("id"), pixels)
    assert read_layout(written).data_window == again.data_window


def test_the_layout_is_the_frame_without_its_pixels(encode, rgb_noise, tmp_path):
    source = encode((HEADER, {**rgb_noise, "A": rgb_noise["R"], "depth.Z": rgb_noise["G"]}))
    (tmp_path / "plate.1017.exr").write_bytes(source)
    layout = read_layout(tmp_path / "plate.1017.exr")
    assert layout == read_layout(source)
    assert set(layout.channels) == {"R", "G", "B", "A", "depth.Z"}
    assert (layout.data_window, layout.display_window) == (Window(-3, -2, 40, 24), Window(0, 0, 30, 16))
    assert layout.pixel_aspect == 2.0


def test_a_frame_from_a_path_carries_its_name(encode, rgb_noise, tmp_path):
    path: Path = tmp_path / "plate.1017.exr"
    path.write_bytes(encode(({}, rgb_noise)))
    assert read_frame(path).name == "plate.1017.exr"
    assert read_frame(path, "shot 7, frame 1017").name == "shot 7, frame 1017"
