"""The working space on the wire: what a client may say of it, and where it is found again."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from following import take
from shots_on_disk import write_flat_shot
from void_client.client import Client, Job
from void_client.colour import IDENTITY, Colour, fault, linear_rec709
from void_client.errors import Refused
from void_client.sequences import FileSequence, FrameRange

from void_server.plates.exr import read_frame, write_frame
from void_server.service import messages

# ACEScg to linear Rec.709, Bradford, as ACES prints it.
ACESCG = [1.70505, -0.62179, -0.08326, -0.13026, 1.14080, -0.01055, -0.02400, -0.12897, 1.15297]
MATRIX = np.array(ACESCG).reshape(3, 3)
SETTINGS = {"height": 32, "width": 48, "window": 13, "overlap": 8, "passes": 1}


def job(folder: Path, colour: Colour) -> Job:
    inputs = {name: FileSequence(folder, f"{name}.%04d.exr") for name in ("plate", "roto")}
    return Job(FrameRange(1, 3), inputs, "", SETTINGS, colour=colour)


def srgb(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def linear(srgb: np.ndarray) -> np.ndarray:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def test_the_worker_computes_in_rec709_and_the_result_says_what_it_is_in(client: Client, tmp_path: Path) -> None:
    plate, _ = write_flat_shot(tmp_path)
    red = np.array([0.8, 0.02, 0.05])
    for path in plate.paths.values():
        frame = read_frame(path)
        for name, value in zip("RGB", np.linalg.solve(MATRIX, red), strict=True):
            frame.channel(name)[...] = value
        path.write_bytes(write_frame(frame))
    sent = job(tmp_path, {"name": "ACES - ACEScg", "matrix": ACESCG})
    result = read_frame(take(client, sent, client.submit(sent))[2])
    header = result.parts[0].header
    assert header["void/colourspace"] == "ACES - ACEScg"
    assert np.allclose([float(entry) for entry in header["void/colourspace_matrix"].split()], ACESCG, atol=1e-8)
    # The stand-in engine halves what the model sees, which is the sRGB curve of linear Rec.709.
    halved = np.linalg.solve(MATRIX, linear(srgb(red) / 2))
    assert np.allclose(result.rgb()[20, 32], halved, rtol=2e-3, atol=2e-4)


def test_without_a_word_it_is_linear_rec709(client: Client, tmp_path: Path) -> None:
    write_flat_shot(tmp_path)
    spec = job(tmp_path, linear_rec709()).spec()
    del spec["colour"]
    said = msgspec.convert(spec, messages.JobSpec).colour
    assert (said.name, said.matrix) == ("linear Rec.709", IDENTITY)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("colour", "code", "words"),
    [
        ({"matrix": [NAN, *ACESCG[1:]]}, "bad_input", ["ACEScg", "NaN"]),
        ({"matrix": [*ACESCG[:8], INF]}, "bad_input", ["NaN or Inf"]),
        ({"matrix": [1, 2, 3, 2, 4, 6, 0, 0, 1]}, "bad_input", ["can't be undone"]),
        ({"matrix": [0] * 9}, "bad_input", ["can't be undone"]),
        ({"matrix": [1e-200, 0, 0, 0, 1e-200, 0, 0, 0, 1e-200]}, "bad_input", ["can't be undone"]),
        ({"matrix": [1, 0, 0, 0, 1, 0, 0, 0, 1e-6]}, "bad_input", ["can't be undone"]),
        ({"matrix": [1e4, 0, 0, 0, 1e4, 0, 0, 0, 1e4]}, "bad_input", ["beyond 1000"]),
        ({"matrix": ACESCG[:8]}, "bad_message", ["length 9"]),
        ({"matrix": [*ACESCG, 1.0]}, "bad_message", ["length 9"]),
        ({"matrix": [*ACESCG[:8], "1"]}, "bad_message", ["float"]),
        ({"name": "x" * 257}, "bad_message", ["256"]),
        ({"name": ""}, "bad_message", ["name"]),
        ({"config": "/etc/passwd"}, "bad_message", ["config"]),
    ],
)
def test_what_can_not_be_a_working_space_is_refused(
    client: Client, tmp_path: Path, colour: dict[str, Any], code: str, words: list[str]
) -> None:
    write_flat_shot(tmp_path)
    before = len(client.jobs())
    sent = replace(job(tmp_path, linear_rec709()), colour={"name": "ACEScg", "matrix": ACESCG, **colour})
    with pytest.raises(Refused) as caught:
        client.submit(sent)
    assert caught.value.code == code
    for word in words:
        assert word in str(caught.value)
    assert len(client.jobs()) == before


def test_a_matrix_is_refused_by_its_condition() -> None:
    """Against numpy's own norm and inverse, over matrices of every condition."""
    rng = np.random.default_rng(7)
    refused = 0
    for _ in range(300):
        left, right = (np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(2))
        matrix = left @ np.diag([1, 10 ** -rng.uniform(0, 4), 10 ** -rng.uniform(0, 8)]) @ right
        condition = np.linalg.norm(matrix) * np.linalg.norm(np.linalg.inv(matrix))
        if math.isclose(condition, 1e4, rel_tol=1e-3):
            continue
        assert bool(fault(matrix.ravel().tolist())) == (condition > 1e4)
        refused += condition > 1e4
    assert 50 < refused < 250
