"""Files that cannot be used are refused by name, with a cause and a next step, and never crash the reader."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from void_server.plates import exr
from void_server.plates.exr import read_frame, read_layout, write_frame
from void_server.plates.frame import BadPlate, Frame, Part

NAME = "plate.1017.exr"


def refused(data, *words):
    for read in (read_frame, read_layout):
        with pytest.raises(BadPlate) as caught:
            read(data, NAME)
        for word in (NAME, *words):
            assert word in str(caught.value)


def noise_file(compression):
    rng = np.random.default_rng(6)
    channels = {name: rng.random((24, 40)).astype(np.float16) for name in "RGB"}
    return exr.write_frame(Frame((Part({"compression": compression, "nuke/x": "abc"}, channels),)))


FILES = {name: noise_file(getattr(OpenEXR, f"{name}_COMPRESSION")) for name in ("NO", "RLE", "ZIPS", "ZIP", "PIZ")}


def test_not_an_exr():
    refused(b"", "is empty")
    refused(b"\x89PNG\r\n\x1a\n" + bytes(100), "is not an EXR")
    refused(b"\x76\x2f\x31\x01", "truncated or damaged", "render it again")


def test_a_path_that_is_not_there(tmp_path):
    for read in (read_frame, read_layout):
        with pytest.raises(BadPlate, match=r"gone\.exr cannot be read \(No such file.*check the path"):
            read(tmp_path / "gone.exr")


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_cut_anywhere_is_refused(name):
    data = FILES[name]
    for cut in range(1, len(data), max(1, len(data) // 97)):
        with pytest.raises(BadPlate, match=NAME):
            read_frame(data[:cut], NAME)
    with pytest.raises(BadPlate, match="truncated or damaged"):
        read_frame(data[:-1], NAME)


def test_a_file_with_one_damaged_part_is_refused_whole(encode, rgb_noise):
    data = bytearray(encode(({"name": "a"}, rgb_noise), ({"name": "b"}, rgb_noise)))
    data[-400:] = bytes(400)
    assert len(OpenEXR.File(exr.io.BytesIO(bytes(data)), separate_channels=True).parts) == 1
    with pytest.raises(BadPlate, match=r"1 of 2 parts cannot be decoded"):
        read_frame(bytes(data), NAME)


@settings(max_examples=400, deadline=None)
@given(
    name=st.sampled_from(sorted(FILES)),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=4),
    header=st.booleans(),
)
def test_flipped_bytes_give_pixels_or_a_refusal(name, flips, header):
    data = bytearray(FILES[name])
    for where, flip in flips:
        data[int(where * (500 if header else len(data)))] ^= flip
    try:
        frame = read_frame(bytes(data), NAME)
    except BadPlate:
        return
    window = frame.data_window
    shapes = {pixels.shape for part in frame.parts for pixels in part.channels.values()}
    assert shapes <= {(window.height, window.width)}


def test_metadata_in_another_encoding_is_named():
    refused(FILES["ZIP"].replace(b"abc", b"\xe9t\xe9"), "not UTF-8", r"\xe9t\xe9", "without that metadata")


def test_deep_images_are_refused(encode):
    samples = np.empty((4, 4), object)
    for index in np.ndindex(4, 4):
        samples[index] = np.ones(index[0] + 1, np.float32)
    deep = {"type": OpenEXR.deepscanline, "compression": OpenEXR.ZIPS_COMPRESSION}
    refused(encode((deep, {"Z": samples})), "is a deep image", "DeepToImage")


def test_subsampled_channels_are_refused(encode):
    half = np.zeros((8, 8), np.float16)
    channels = {"Y": OpenEXR.Channel(half), "RY": OpenEXR.Channel(half, 2, 2)}
    refused(encode(({}, channels)), "channel RY", "subsampled")


def with_data_window(data, width, height):
    at = data.index(b"dataWindow\0box2i\0") + len(b"dataWindow\0box2i\0") + 4
    return data[:at] + struct.pack("<4i", 0, 0, width - 1, height - 1) + data[at + 16 :]


@pytest.mark.parametrize(("width", "height"), [(30000, 30000), (65536, 65536), (70000, 8), (2**31 - 1, 8), (8, 2**30)])
def test_a_header_that_promises_too_much_is_refused_before_decoding(width, height, monkeypatch):
    decoded = []

    def header_only(*arguments, **options):
        decoded.append(not options.get("header_only"))
        return library_file(*arguments, **options)

    library_file = OpenEXR.File
    monkeypatch.setattr(OpenEXR, "File", header_only)
    refused(with_data_window(FILES["ZIP"], width, height))
    assert not any(decoded)


def test_the_bounds(encode, rgb_noise, monkeypatch):
    data = encode(({"name": "a"}, rgb_noise), ({"name": "b"}, rgb_noise))
    monkeypatch.setattr(exr, "MAX_CHANNELS", 5)
    refused(data, "has 6 channels, more than 5")
    monkeypatch.setattr(exr, "MAX_PARTS", 1)
    refused(data, "has 2 parts")
    monkeypatch.setattr(exr, "MAX_FILE_BYTES", 1000)
    refused(data, "more than 1,000")
    monkeypatch.undo()
    # 24 x 40 pixels of 6 channels, each counted as 4 bytes.
    monkeypatch.setattr(exr, "MAX_DECODED_BYTES", 24 * 40 * 6 * 4)
    assert len(read_frame(data).parts) == 2
    monkeypatch.setattr(exr, "MAX_DECODED_BYTES", 24 * 40 * 6 * 4 - 1)
    refused(data, "23,040 bytes in memory")


def test_a_large_image_from_next_to_nothing_is_refused_and_a_black_frame_is_not(encode, monkeypatch):
    black = encode(({"compression": OpenEXR.ZIP_COMPRESSION}, {c: np.zeros((1080, 1920), np.float16) for c in "RGBA"}))
    assert 1000 * len(black) < 1920 * 1080 * 4 * 4
    assert not read_frame(black).rgb().any()
    monkeypatch.setattr(exr, "RATIO_COUNTS_FROM", 0)
    monkeypatch.setattr(exr, "MAX_RATIO", 1000)
    refused(black, "would take")


def test_what_the_library_will_not_write_is_a_refusal():
    frame = Frame((Part({"studio/thing": object()}, {"A": np.zeros((2, 2), np.float16)}),), NAME)
    with pytest.raises(BadPlate, match=rf"{NAME} cannot be written as EXR \(.*studio/thing.*check"):
        exr.write_frame(frame)


def test_a_frame_for_which_there_is_no_memory_says_that_it_may_be_that(tmp_path):
    """In a process of its own, whose address space a frame of a third of a gigabyte does not fit into."""
    path = tmp_path / "large.exr"
    pixels = {name: np.zeros((4320, 7680), np.float32) for name in "RGB"}
    path.write_bytes(write_frame(Frame((Part({"compression": OpenEXR.ZIP_COMPRESSION}, pixels),))))
    code = (
        "import resource, sys; from pathlib import Path; from void_server.plates.exr import read_frame\n"
        "used = int(Path('/proc/self/statm').read_text().split()[0]) * 4096\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (200 << 20),) * 2)\n"
        "try: read_frame(Path(sys.argv[1]), 'frame 7 of plate')\n"
        "except ValueError as error: print(type(error).__name__, error)\n"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True
    )
    # The library says so on stdout, and drops the part.
    assert "PlateOutOfMemory frame 7 of plate" in done.stdout, done.stdout + done.stderr
    assert "does not fit into this machine's memory: render fewer layers" in done.stdout
