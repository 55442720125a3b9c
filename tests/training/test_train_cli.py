"""`void train`, from nothing to weights that run, stopped and gone on with on the way."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from void_server.model import PassSettings, VoidModel, WeightsFolder
from void_server.training.pairs import make_pair


def train(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "void_server", "train", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_nothing_to_weights_that_run(tmp_path: Path) -> None:
    work, out = tmp_path / "work", tmp_path / "weights"
    assert train("autoencoder", work, "--steps", 1).returncode == 0
    assert train("encode", work, "--pairs", 2).returncode == 0
    assert train("pass1", work, "--steps", 1, "--batch", 2).returncode == 0
    again = train("pass1", work, "--steps", 2, "--batch", 2)  # goes on
    assert "step 2 of 2" in again.stderr
    assert train("pass2", work, "--steps", 1, "--batch", 2).returncode == 0
    assert train("decoder", work, "--steps", 1).returncode == 0
    lines = (work / "pass1" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]
    written = train("ship", work, out)
    assert written.returncode == 0, written.stderr
    assert 20 < float(written.stdout.split()[-2]) < 40  # MiB
    assert train("ship", work, tmp_path / "twice").returncode == 0
    assert contents(tmp_path / "twice") == contents(out), "the same training ships the same bits"

    again = tmp_path / "again"
    assert train("unpack", out, again).returncode == 0
    assert train("encode", again, "--pairs", 2).returncode == 0
    assert train("pass2", again, "--steps", 1, "--batch", 2).returncode == 0
    first, second = (json.loads((folder / "pass2" / "log.jsonl").read_text()) for folder in (work, again))
    assert second["loss"] == pytest.approx(first["loss"], rel=0.05)  # it begins where pass 1 was left

    weights = WeightsFolder.find(out)
    assert weights.card is not None
    assert "not for shots" in weights.card.notice
    model = VoidModel.load(weights.base, weights.pass1, weights.pass2)
    assert not model.prompts.embed("a red ball").any()
    pair = make_pair(1)
    settings = PassSettings.pass1(height=64, width=112, window=21, steps=1, mask_levels="quad")
    result = model.run_pass(1, pair.with_object, pair.quadmask, "", settings)
    assert result.shape == pair.without.shape
    assert np.isfinite(result).all()


@pytest.mark.slow
def test_what_is_missing_is_said(tmp_path: Path, tiny_folder: Path) -> None:
    for arguments, what in (
        (("pass1", tmp_path), "encode some first"),
        (("encode", tmp_path), "void train autoencoder"),
        (("ship", tmp_path, tmp_path / "out"), "void train autoencoder"),
        (("autoencoder", tmp_path, "--data", tmp_path), "no subfolder"),
        (("unpack", tiny_folder, tmp_path / "again"), "not of the tiny model"),
    ):
        told = train(*arguments)
        assert told.returncode == 2
        assert told.stderr.startswith("void: ")
        assert what in told.stderr
        assert "Traceback" not in told.stderr
    assert not (tmp_path / "out").exists()
